/** The inbox: notes that an orchestrator should look at an instance, and the timers that write such notes. */
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";

/** A note: this instance may have something to decide. */
export interface InboxRow {
  readonly inboxId: number;
  readonly instanceId: string;
  /** How often looking at it has failed. */
  readonly attempt: number;
}

/** Takes notes that are due, the oldest first; notes another orchestrator is working on are passed over. */
export const takeInbox = verb(
  "takeInbox",
  (db: Executor, limit: number): Promise<InboxRow[]> => db.query<InboxRow>(takeStatement, [limit]),
);

// The choice is made once, before the deletion begins; the rows are locked, so they stay where it has found them.
const takeStatement: Statement = statement(
  "take_inbox",
  (schema) => `
DELETE FROM ${schema}.inbox n WHERE n.ctid = ANY (ARRAY (
  SELECT ctid FROM ${schema}.inbox WHERE visible_at <= statement_timestamp()
  ORDER BY inbox_id LIMIT $1
  FOR UPDATE SKIP LOCKED
))
RETURNING n.inbox_id AS "inboxId", n.instance_id AS "instanceId", n.attempt`,
);

/** Writes notes: have another look at these instances. */
export const putInbox = verb(
  "putInbox",
  async (db: Executor, notes: readonly { readonly instanceId: string }[]): Promise<void> => {
    if (notes.length > 0) await db.query(putStatement, columns(notes, ["instanceId"]));
  },
);

const putStatement: Statement = statement(
  "put_inbox",
  (schema) => `INSERT INTO ${schema}.inbox (instance_id) SELECT unnest($1::text[])`,
);

/** Puts off a note that could not be handled, and keeps the reason. */
export const postponeInbox = verb(
  "postponeInbox",
  async (
    db: Executor,
    note: { readonly inboxId: number; readonly delayMs: number; readonly error: string },
  ): Promise<void> => {
    await db.query(postponeStatement, [note.inboxId, note.delayMs, note.error]);
  },
);

const postponeStatement: Statement = statement(
  "postpone_inbox",
  (schema) => `
UPDATE ${schema}.inbox
SET attempt = attempt + 1, visible_at = statement_timestamp() + $2::bigint * interval '1 ms', error = $3
WHERE inbox_id = $1`,
);

/**
 * Writes notes for the instances whose timers have run out, at most `limit`; answers how many timers there were. Locks
 * no instance: whoever looks at it reads what is due.
 */
export const ringTimers = verb("ringTimers", async (db: Executor, limit: number): Promise<number> => {
  const [row] = await db.query<{ count: number }>(ringStatement, [limit]);
  return row?.count ?? 0;
});

const ringStatement: Statement = statement(
  "ring_timers",
  (schema) => `
WITH due AS MATERIALIZED (
  SELECT instance_id, node FROM ${schema}.timer WHERE due_at <= statement_timestamp()
  ORDER BY due_at LIMIT $1
  FOR UPDATE SKIP LOCKED
),
rung AS (
  DELETE FROM ${schema}.timer t USING due d WHERE t.instance_id = d.instance_id AND t.node = d.node
  RETURNING t.instance_id
),
noted AS (INSERT INTO ${schema}.inbox (instance_id) SELECT DISTINCT instance_id FROM rung)
SELECT count(*)::int AS count FROM rung`,
);
