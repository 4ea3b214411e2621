/** Instances that nothing moves: they have not ended, and what they should wait for does not exist. */
import { endedList } from "./check.ts";

/**
 * The instances that wait for nothing, as a SELECT of their rows: not in `dlq`, nothing in the queue, no note, and no open
 * decision, sleep, signal or delay before a restart. A fork that waits is no such thing: its branches are what it waits
 * for. What waits counts only while the instance goes forward; a rollback withdraws it.
 */
export const waitsForNothingText = (schema: string): string => `
  SELECT i.* FROM (
    SELECT r.* FROM ${schema}.instance r
    WHERE r.finished_at IS NULL AND r.status NOT IN ('dlq', ${endedList})
      AND NOT EXISTS (SELECT FROM ${schema}.queue q WHERE q.instance_id = r.instance_id)
      AND NOT EXISTS (SELECT FROM ${schema}.inbox n WHERE n.instance_id = r.instance_id)
    -- Hardly any instance is left here, so the rest is asked of these only.
    OFFSET 0
  ) i
  WHERE NOT EXISTS (
    SELECT FROM ${schema}.step t
    WHERE t.instance_id = i.instance_id AND i.status = 'running'
      AND (t.status = 'waiting_decision' OR (t.status = 'waiting' AND (t.due_at IS NOT NULL OR EXISTS (
        SELECT FROM ${schema}.definition d
        WHERE d.name = i.definition_name AND d.version = i.definition_version AND jsonb_path_exists(
          d.body::jsonb, 'strict $.** ? (@.kind == "signal" && @.name == $node)', jsonb_build_object('node', t.node), true
        ))))))`;

/** The instances that wait for a person who has nothing to decide about, as a SELECT of their rows. */
export const pausedForNothingText = (schema: string): string => `
  SELECT i.* FROM ${schema}.instance i
  WHERE i.finished_at IS NULL AND i.status = 'dlq'
  AND (i.paused_from IS NULL OR NOT EXISTS (SELECT FROM ${schema}.dead_letter l WHERE l.instance_id = i.instance_id))`;

/**
 * The times to wait for that nothing sees to, as a SELECT of `instance_id`, `node` and `due_at`: a step that waits, or a
 * deadline (with an empty `node`), that has neither its row in `timer` nor, because that has rung, a note.
 */
export const lostTimersText = (schema: string): string => `
  SELECT t.instance_id, t.node, t.due_at
  FROM ${schema}.instance i JOIN ${schema}.step t USING (instance_id)
  WHERE i.finished_at IS NULL AND i.status = 'running' AND t.status IN ('waiting', 'waiting_decision')
    AND t.due_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${schema}.timer m WHERE m.instance_id = t.instance_id AND m.node = t.node)
    AND NOT EXISTS (SELECT FROM ${schema}.inbox n WHERE n.instance_id = t.instance_id)
  UNION ALL
  SELECT i.instance_id, '', i.deadline_at
  FROM ${schema}.instance i
  WHERE i.finished_at IS NULL AND i.deadline_at IS NOT NULL
    AND i.status <> 'cancelling' AND i.paused_from IS DISTINCT FROM 'cancelling'
    AND NOT EXISTS (SELECT FROM ${schema}.timer m WHERE m.instance_id = i.instance_id AND m.node = '')
    AND NOT EXISTS (SELECT FROM ${schema}.inbox n WHERE n.instance_id = i.instance_id)`;
