/** Checks of how rows belong together: what foreign keys and constraints would guard, if they did not cost a lock. */
import type { Check } from "./check.ts";

const report = "Report it with the history of the instance: this should not be possible.";

/** The rows of a table `o` whose instance does not exist. */
const orphans = (table: string, what: string, except: (schema: string) => string = () => ""): Check => ({
  name: `${table}_has_an_instance`,
  meaning: `There is ${what} of an instance that does not exist.`,
  advice: "If you delete instances by hand, delete what belongs to them too; these rows can go.",
  query: (s) => `
    SELECT o.instance_id FROM ${s}.${table} o, bound
    WHERE NOT EXISTS (SELECT FROM ${s}.instance i WHERE i.instance_id = o.instance_id)
      ${except(s)}`,
});

// A note of an instance that does not exist is removed when it is looked at.
const freshNotes = (): string => "AND o.visible_at < bound.late";

// Where all of a span may go its instances go first, and its steps with the partition.
const endingSpans = (schema: string): string => `AND NOT EXISTS (
        SELECT FROM ${schema}.history h
        WHERE h.phase IN ('ending', 'mending') AND o.instance_id >= h.lower AND o.instance_id < h.upper)`;

/** The checks of rows. */
export const rowChecks: readonly Check[] = [
  orphans("queue", "a queued step"),
  orphans("step", "a step", endingSpans),
  orphans("inbox", "a note", freshNotes),
  orphans("timer", "a timer"),
  orphans("dead_letter", "a dead letter"),
  orphans("vote", "a vote"),
  orphans("signal", "a signal"),
  {
    name: "instance_has_a_definition",
    meaning: "Its definition is not registered, so nothing can be decided about it.",
    advice: "Register the definition again, from the code of its version.",
    query: (s) => `
      SELECT i.instance_id FROM ${s}.instance i
      WHERE NOT EXISTS (SELECT FROM ${s}.definition d
                        WHERE d.name = i.definition_name AND d.version = i.definition_version)`,
  },
  {
    name: "step_is_queued_or_settled",
    meaning: "A step is queued to be done, and is settled at once.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.step t USING (instance_id, node) WHERE q.lane = 'forward'`,
  },
  {
    name: "compensation_is_queued_for_a_step",
    meaning: "A compensation is queued, and the step that it undoes is missing or not being compensated.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q LEFT JOIN ${s}.step t USING (instance_id, node)
      WHERE q.lane = 'compensation' AND t.status IS DISTINCT FROM 'compensating'`,
  },
  {
    name: "compensating_step_is_queued",
    meaning: "A step is being compensated, and its compensation is not in the queue.",
    advice: "Abort the instance, and undo by hand what the step did.",
    query: (s) => `
      SELECT t.instance_id FROM ${s}.instance i JOIN ${s}.step t USING (instance_id)
      WHERE i.finished_at IS NULL AND t.status = 'compensating' AND NOT EXISTS (
        SELECT FROM ${s}.queue q WHERE q.instance_id = t.instance_id AND q.node = t.node AND q.lane = 'compensation')`,
  },
  {
    name: "invariant_4_lease_is_fenced",
    meaning: "A step is leased without token or worker, or has a token and is not leased, or shares its token.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q
      WHERE (q.state = 'leased') <> (q.token IS NOT NULL AND q.lease_until IS NOT NULL AND q.worker_id IS NOT NULL)
         OR (q.state <> 'leased' AND q.token IS NOT NULL)
      UNION ALL
      SELECT a.instance_id FROM ${s}.queue a JOIN ${s}.queue b ON a.token = b.token
      WHERE (a.instance_id, a.node) <> (b.instance_id, b.node)`,
  },
  {
    name: "queued_step_is_of_this_epoch",
    meaning: "A step waits to be done that was queued before the instance was frozen, or in a time to come.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id)
      WHERE q.lane = 'forward' AND (q.epoch > i.epoch OR (q.state <> 'leased' AND q.epoch <> i.epoch))`,
  },
  {
    name: "frozen_instance_goes_nowhere",
    meaning: "It is rolled back or waits for a person, and a step of it waits to be done.",
    advice: report,
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id)
      WHERE q.lane = 'forward' AND q.state <> 'leased' AND i.status IN ('rolling_back', 'cancelling', 'dlq')`,
  },
  {
    name: "dead_letter_has_a_paused_step",
    meaning: "There is a dead letter, and its step is not paused.",
    advice: report,
    query: (s) => `
      SELECT l.instance_id FROM ${s}.dead_letter l LEFT JOIN ${s}.step t USING (instance_id, node)
      WHERE t.status IS DISTINCT FROM 'paused' AND EXISTS (
        SELECT FROM ${s}.instance i WHERE i.instance_id = l.instance_id AND i.finished_at IS NULL)`,
  },
  {
    name: "paused_step_has_a_dead_letter",
    meaning: "A step is paused, there is no dead letter for it, and the instance is not in dlq.",
    advice: "Cancel or abort the instance.",
    query: (s) => `
      SELECT t.instance_id FROM ${s}.instance i JOIN ${s}.step t USING (instance_id)
      WHERE i.finished_at IS NULL AND i.status <> 'dlq' AND t.status = 'paused' AND NOT EXISTS (
        SELECT FROM ${s}.dead_letter l WHERE l.instance_id = t.instance_id AND l.node = t.node)`,
  },
  {
    name: "held_step_has_a_pause",
    meaning: "A step is held back, and its definition is not paused.",
    advice: "The reconciler of an orchestrator releases it within a minute or two.",
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id), bound
      WHERE q.state = 'held'
        AND NOT EXISTS (SELECT FROM ${s}.pause p WHERE p.definition_name = i.definition_name)
        -- Whoever ends a pause releases in batches what was held.
        AND NOT EXISTS (SELECT FROM ${s}.audit a WHERE a.act = 'unpause' AND a.definition_name = i.definition_name
                          AND a.created_at >= bound.late)`,
  },
  {
    name: "history_default_is_empty",
    meaning: "It has rows in the default partitions of history, from which nothing can be dropped.",
    advice:
      "An orchestrator moves them within a minute, unless FLOXY_HISTORY_INTERVAL_MS is off; if it does not, see docs/history.md.",
    query: (s) => `
      SELECT o.instance_id FROM ${s}.step_default o, bound WHERE o.finished_at < bound.late
      UNION ALL
      SELECT o.instance_id FROM ${s}.event_default o, bound WHERE o.created_at < bound.late`,
  },
  {
    name: "bulk_goes_on",
    meaning: "An item of a bulk act has been waiting for too long, and none of that act is being worked on.",
    advice: "Start an orchestrator; see the log of those that run.",
    query: (s) => `
      SELECT b.instance_id FROM ${s}.bulk k JOIN ${s}.bulk_item b USING (bulk_id), bound
      WHERE k.finished_at IS NULL AND b.state = 'pending' AND k.created_at < bound.late
        AND NOT EXISTS (SELECT FROM ${s}.bulk_item o WHERE o.bulk_id = k.bulk_id AND o.finished_at >= bound.late)`,
  },
];
