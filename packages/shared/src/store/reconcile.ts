/** What the reconciler reads and writes: lost timers, and instances that nothing moves. */
import { lostTimersText, pausedForNothingText, waitsForNothingText } from "./doctor/stuck.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** Takes the right to reconcile until the transaction ends; answers whether nobody else has it. */
export const takeReconciling = verb("takeReconciling", async (tx: Executor): Promise<boolean> => {
  const [row] = await tx.query<{ taken: boolean }>(takeStatement, [`floxy:reconcile:${tx.schema}`]);
  return row?.taken === true;
});

const takeStatement: Statement = statement(
  "take_reconciling",
  () => `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken`,
);

/** Sets timers anew that were lost, of at most `limit` instances; answers how many. Belongs into a transaction. */
export const restoreTimers = verb("restoreTimers", async (tx: Executor, limit: number): Promise<number> => {
  const found = await tx.query<{ instanceId: string }>(lostStatement, [limit]);
  if (found.length === 0) return 0;
  // What was lost is asked again under the locks: a wait that has just ended needs no timer.
  const locked = await tx.query<{ instanceId: string }>(lockStatement, [found.map(({ instanceId }) => instanceId)]);
  const restored = await tx.query(restoreStatement, [locked.map(({ instanceId }) => instanceId)]);
  return restored.length;
});

const lostStatement: Statement = statement(
  "lost_timers",
  (schema) => `
SELECT DISTINCT lost.instance_id AS "instanceId" FROM (${lostTimersText(schema)}) lost ORDER BY 1 LIMIT $1`,
);

const lockStatement: Statement = statement(
  "lock_free_instances",
  (schema) => `
SELECT instance_id AS "instanceId" FROM ${schema}.instance WHERE instance_id = ANY ($1::text[])
ORDER BY instance_id FOR NO KEY UPDATE SKIP LOCKED`,
);

const restoreStatement: Statement = statement(
  "restore_timers",
  (schema) => `
INSERT INTO ${schema}.timer (instance_id, node, due_at)
SELECT lost.instance_id, lost.node, lost.due_at FROM (${lostTimersText(schema)}) lost
WHERE lost.instance_id = ANY ($1::text[])
ON CONFLICT DO NOTHING
RETURNING node`,
);

/** An instance that nothing moves. */
export interface StuckInstance {
  readonly instanceId: string;
  /** How often it was noted before, and looked at, without help. */
  readonly rounds: number;
}

/** Notes instances that nothing moves and that are older than `graceMs`, and keeps book of them. */
export const noteStuck = verb(
  "noteStuck",
  (db: Executor, { graceMs, limit }: { readonly graceMs: number; readonly limit: number }): Promise<StuckInstance[]> =>
    db.query<StuckInstance>(noteStatement, [graceMs, limit]),
);

// An instance with a note is not found here, so one that is found again has been looked at since it was noted.
const noteStatement: Statement = statement(
  "note_stuck",
  (schema) => `
WITH found AS MATERIALIZED (
  SELECT instance_id FROM (
    SELECT w.instance_id, w.created_at FROM (${waitsForNothingText(schema)}) w
    UNION ALL
    SELECT p.instance_id, p.created_at FROM (${pausedForNothingText(schema)}) p
  ) AS i
  WHERE created_at < statement_timestamp() - $1::bigint * interval '1 ms'
  ORDER BY instance_id LIMIT $2
),
gone AS (
  DELETE FROM ${schema}.stuck s
  WHERE NOT EXISTS (SELECT FROM found f WHERE f.instance_id = s.instance_id)
    AND NOT EXISTS (SELECT FROM ${schema}.inbox n WHERE n.instance_id = s.instance_id)
),
noted AS (INSERT INTO ${schema}.inbox (instance_id) SELECT instance_id FROM found)
INSERT INTO ${schema}.stuck AS s (instance_id) SELECT instance_id FROM found
ON CONFLICT (instance_id) DO UPDATE SET rounds = s.rounds + 1
RETURNING instance_id AS "instanceId", rounds`,
);

/** Counts the instances that a look has not helped. */
export const countStuck = verb("countStuck", async (db: Executor): Promise<number> => {
  const [row] = await db.query<{ count: number }>(countStatement);
  return row?.count ?? 0;
});

const countStatement: Statement = statement(
  "count_stuck",
  (schema) => `SELECT count(*)::int AS count FROM ${schema}.stuck WHERE rounds > 0`,
);
