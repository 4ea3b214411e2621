/** Checks of invariants 2 to 6 and 8, as far as rows can tell, of instances that go on or have ended lately. */
import { defaultCompensationRetry, defaultRetry } from "../../definition/model.ts";
import type { Check } from "./check.ts";
import { hasLosersText, recentText, taskText } from "./check.ts";

const limits = { forward: defaultRetry.maxAttempts, compensation: defaultCompensationRetry.maxAttempts };
const report = "Report it with the history of the instance: this should not be possible.";

const definitionText = (schema: string): string =>
  `JOIN ${schema}.definition d ON d.name = i.definition_name AND d.version = i.definition_version`;

/** The checks of what instances have done. */
export const historyChecks: readonly Check[] = [
  {
    name: "invariant_2_completed_has_no_failure",
    meaning: "It is completed, no join of it can do without a branch, and a step of it failed or was undone.",
    advice: report,
    query: (s) => `
      SELECT t.instance_id FROM ${recentText(s)} ${definitionText(s)} JOIN ${s}.step t USING (instance_id)
      WHERE i.status = 'completed' AND t.status IN ('failed', 'rolled_back') AND NOT ${hasLosersText}`,
  },
  {
    name: "invariant_3_undone_to_the_boundary",
    meaning: "Its rollback is over, and a step behind its savepoint, or any step if there is none, still stands.",
    advice: `Undo by hand what the step did. ${report}`,
    query: (s) => `
      SELECT t.instance_id FROM ${recentText(s)} ${definitionText(s)} JOIN ${s}.step t USING (instance_id)
      LEFT JOIN ${s}.step b ON b.instance_id = i.instance_id AND b.node = i.boundary
      WHERE i.status IN ('failed', 'cancelled') AND t.status NOT IN ('rolled_back', 'failed', 'skipped')
        -- What was settled in the same statement as the savepoint may stand on either side of it; and a branch that its
        -- join did without can come to its end later.
        AND (i.boundary IS NULL OR (t.finished_at > b.finished_at AND NOT ${hasLosersText}))`,
  },
  {
    name: "invariant_3_failed_step_is_undone",
    meaning: "Its rollback is over, and a step that failed and may have had effects was not compensated.",
    advice: `Undo by hand what the step may have done. ${report}`,
    query: (s) => `
      SELECT t.instance_id FROM ${recentText(s)} JOIN ${s}.step t USING (instance_id)
      JOIN ${taskText(s, limits)} USING (definition_name, definition_version, node)
      LEFT JOIN ${s}.step b ON b.instance_id = t.instance_id AND b.node = i.boundary
      WHERE i.status IN ('failed', 'cancelled') AND t.status = 'failed' AND t.outcome IS DISTINCT FROM 'absent'
        AND task.compensate_on = 'started' AND (i.boundary IS NULL OR t.finished_at > b.finished_at)`,
  },
  {
    name: "invariant_3_nothing_starts_after_an_abort",
    meaning: "It was aborted, and a handler was called afterwards.",
    advice: report,
    query: (s) => `
      SELECT i.instance_id FROM ${recentText(s)}
      JOIN ${s}.event a ON a.instance_id = i.instance_id AND a.type = 'instance.aborted'
      JOIN ${s}.event e ON e.instance_id = i.instance_id
        AND (e.token > a.event_id OR (e.type = 'step.leased' AND e.event_id > a.event_id))
      WHERE i.status = 'aborted'`,
  },
  {
    name: "invariant_4_attempts_are_bounded",
    meaning: "A handler was called more often than its step allows, or more than once though it is not idempotent.",
    advice: `See what the calls too many have done. ${report}`,
    query: (s) => `
      SELECT c.instance_id
      FROM (
        SELECT i.instance_id, i.definition_name, i.definition_version, t.node, t.attempt AS forward,
               t.compensation_attempt AS undo
        FROM ${recentText(s)} JOIN ${s}.step t USING (instance_id)
        -- Every step may be called once, so most steps are not looked at any further.
        WHERE t.attempt > 1 OR t.compensation_attempt > 1
        UNION ALL
        SELECT i.instance_id, i.definition_name, i.definition_version, q.node,
               CASE q.lane WHEN 'forward' THEN q.attempt ELSE 0 END, CASE q.lane WHEN 'forward' THEN 0 ELSE q.attempt END
        FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id)
        WHERE q.attempt > 1
      ) c
      JOIN ${taskText(s, limits)} USING (definition_name, definition_version, node)
      WHERE c.forward > task.forward_limit OR c.undo > task.undo_limit`,
  },
  {
    name: "invariant_5_compensation_has_a_reason",
    meaning: "A compensation is queued, and the instance is neither rolled back nor has a join that undoes branches.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id) ${definitionText(s)}
      WHERE q.lane = 'compensation' AND i.status IN ('pending', 'running') AND NOT ${hasLosersText}`,
  },
  {
    name: "invariant_5_step_is_undone_once",
    meaning: "A step was undone more often than it can have run.",
    advice: `See what the compensation has done twice. ${report}`,
    query: (s) => repeatedText(s, "step.rolled_back"),
  },
  {
    name: "invariant_6_node_completes_once",
    meaning: "A join, or another node, completed more often than the flow can have passed it.",
    advice: `What comes after it may have been done twice. ${report}`,
    query: (s) => repeatedText(s, "step.completed"),
  },
  {
    name: "invariant_8_input_is_kept",
    meaning: "A step is queued whose input should stand in the row of another step, and it does not stand there.",
    advice: `The step cannot run: cancel or abort the instance. ${report}`,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q LEFT JOIN ${s}.step t ON t.instance_id = q.instance_id AND t.node = q.input_from
      WHERE q.input_from IS NOT NULL AND t.output IS NULL`,
  },
  {
    name: "invariant_8_output_is_kept",
    meaning: "It is completed, and its output should stand in the row of a step, and does not stand there.",
    advice: report,
    query: (s) => `
      SELECT i.instance_id FROM ${recentText(s)}
      LEFT JOIN ${s}.step t ON t.instance_id = i.instance_id AND t.node = i.output_from
      WHERE i.status = 'completed' AND i.output_from IS NOT NULL AND t.output IS NULL`,
  },
  {
    name: "invariant_8_instance_can_be_reviewed",
    meaning: "Looking at it has failed three times or more; the note in the inbox says why.",
    advice:
      "Read the error of its note, and the log of the orchestrators. It is tried again by itself, ever more rarely.",
    query: (s) => `SELECT n.instance_id FROM ${s}.inbox n WHERE n.attempt >= 3`,
  },
];

// Each run of the graph may pass a node once.
const repeatedText = (schema: string, type: string): string => `
  SELECT i.instance_id FROM ${recentText(schema)}
  JOIN ${schema}.event e ON e.instance_id = i.instance_id AND e.type = '${type}'
  GROUP BY i.instance_id, i.run, e.node HAVING count(*) > i.run + 1`;
