/**
 * Reviewing: an orchestrator takes notes from the inbox, locks the instances they name, loads their state, and writes
 * what the core decides. All verbs work on many instances and belong into one transaction.
 */
import type { Enqueue, NodeRecord, StepChange } from "../core/model.ts";
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";
import { enqueueText } from "./enqueue.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement } from "./executor.ts";

/** A note: this instance may have something to decide. */
export interface InboxRow {
  readonly inboxId: number;
  readonly instanceId: string;
  /** How often looking at it has failed. */
  readonly attempt: number;
}

/** Takes notes that are due, the oldest first; notes another orchestrator is working on are passed over. */
export const takeInbox = (db: Executor, limit: number): Promise<InboxRow[]> =>
  db.query<InboxRow>(takeStatement, [limit]);

// Materialized: were the choice a subquery, a plan could run it more than once and take more than `limit`.
const takeStatement: Statement = statement(
  "take_inbox",
  (schema) => `
WITH due AS MATERIALIZED (
  SELECT inbox_id FROM ${schema}.inbox WHERE visible_at <= statement_timestamp()
  ORDER BY inbox_id LIMIT $1
  FOR UPDATE SKIP LOCKED
)
DELETE FROM ${schema}.inbox n USING due d WHERE n.inbox_id = d.inbox_id
RETURNING n.inbox_id AS "inboxId", n.instance_id AS "instanceId", n.attempt`,
);

/** Writes notes: have another look at these instances. */
export const putInbox = async (db: Executor, notes: readonly { readonly instanceId: string }[]): Promise<void> => {
  if (notes.length > 0) await db.query(putStatement, columns(notes, ["instanceId"]));
};

const putStatement: Statement = statement(
  "put_inbox",
  (schema) => `INSERT INTO ${schema}.inbox (instance_id) SELECT unnest($1::text[])`,
);

/** Puts off a note that could not be handled, and keeps the reason. */
export const postponeInbox = async (
  db: Executor,
  note: { readonly inboxId: number; readonly delayMs: number; readonly error: string },
): Promise<void> => {
  await db.query(postponeStatement, [note.inboxId, note.delayMs, note.error]);
};

const postponeStatement: Statement = statement(
  "postpone_inbox",
  (schema) => `
UPDATE ${schema}.inbox
SET attempt = attempt + 1, visible_at = statement_timestamp() + $2::bigint * interval '1 ms', error = $3
WHERE inbox_id = $1`,
);

/** An instance's own row, locked. */
export interface LockedInstance {
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly status: InstanceStatus;
  readonly cause: StepError | null;
  readonly boundary: string | null;
}

/** Locks instances in the order of their ids; the first lock that every writer takes. */
export const lockInstances = (db: Executor, instanceIds: readonly string[]): Promise<LockedInstance[]> =>
  db.query<LockedInstance>(lockStatement, [instanceIds]);

const lockStatement: Statement = statement(
  "lock_instances",
  (schema) => `
SELECT instance_id AS "instanceId", definition_name AS "definitionName", definition_version AS "definitionVersion",
       status, cause::jsonb AS cause, boundary
FROM ${schema}.instance WHERE instance_id = ANY ($1::text[])
ORDER BY instance_id FOR NO KEY UPDATE`,
);

/** A step's row, without payload. */
export interface StepStateRow {
  readonly instanceId: string;
  readonly node: string;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  readonly side: Side | null;
  readonly error: StepError | null;
  readonly inputFrom: string | null;
}

/** Loads the steps of locked instances, in the order in which they were settled. */
export const loadSteps = (db: Executor, instanceIds: readonly string[]): Promise<StepStateRow[]> =>
  db.query<StepStateRow>(stepsStatement, [instanceIds]);

const stepsStatement: Statement = statement(
  "load_steps",
  (schema) => `
SELECT instance_id AS "instanceId", node, status, outcome, side, error::jsonb AS error, input_from AS "inputFrom"
FROM ${schema}.step WHERE instance_id = ANY ($1::text[]) ORDER BY instance_id, finished_at, node`,
);

/** A row of the queue. */
export interface QueuedStateRow {
  readonly instanceId: string;
  readonly node: string;
  readonly lane: Lane;
  readonly state: QueueState;
  readonly attempt: number;
  readonly inputFrom: string | null;
}

/**
 * Loads what locked instances have in the queue. Rows leave it only under their instance's lock, but `ready` ones can be
 * leased meanwhile.
 */
export const loadQueue = async (db: Executor, instanceIds: readonly string[]): Promise<QueuedStateRow[]> =>
  instanceIds.length === 0 ? [] : db.query<QueuedStateRow>(loadQueueStatement, [instanceIds]);

/** Loads and locks what locked instances have in the queue, so that none of it can be leased meanwhile. */
export const lockQueue = async (db: Executor, instanceIds: readonly string[]): Promise<QueuedStateRow[]> =>
  instanceIds.length === 0 ? [] : db.query<QueuedStateRow>(lockQueueStatement, [instanceIds]);

const queueText = (schema: string): string => `
SELECT instance_id AS "instanceId", node, lane, state, attempt, input_from AS "inputFrom"
FROM ${schema}.queue WHERE instance_id = ANY ($1::text[])
ORDER BY instance_id, node`;

const loadQueueStatement: Statement = statement("load_queue", queueText);

const lockQueueStatement: Statement = statement("lock_queue", (schema) => `${queueText(schema)} FOR UPDATE`);

/** A change of an instance's row; `null` keeps a field. */
export interface InstanceUpdate {
  readonly instanceId: string;
  readonly status: InstanceStatus;
  readonly freeze: boolean;
  readonly finish: boolean;
  /** JSON text. */
  readonly cause: string | null;
  readonly boundary: string | null;
  readonly outputFrom: string | null;
}

/** Updates locked instances. */
export const updateInstances = async (db: Executor, updates: readonly InstanceUpdate[]): Promise<void> => {
  if (updates.length === 0) return;
  const keys = ["instanceId", "status", "freeze", "finish", "cause", "boundary", "outputFrom"] as const;
  await db.query(updateStatement, columns(updates, keys));
};

const updateStatement: Statement = statement(
  "update_instances",
  (schema) => `
UPDATE ${schema}.instance i
SET status = u.status, epoch = i.epoch + u.frozen::int, cause = coalesce(u.cause::json, i.cause),
    boundary = coalesce(u.boundary, i.boundary), output_from = coalesce(u.output_from, i.output_from),
    finished_at = CASE WHEN u.finish THEN statement_timestamp() END
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[], $5::text[], $6::text[], $7::text[])
  AS u(instance_id, status, frozen, finish, cause, boundary, output_from)
WHERE i.instance_id = u.instance_id`,
);

/** Removes rows of locked instances from the queue. */
export const removeQueued = async (
  db: Executor,
  rows: readonly { readonly instanceId: string; readonly node: string }[],
): Promise<void> => {
  if (rows.length > 0) await db.query(removeStatement, columns(rows, ["instanceId", "node"]));
};

const removeStatement: Statement = statement(
  "remove_queued",
  (schema) => `
DELETE FROM ${schema}.queue q USING unnest($1::text[], $2::text[]) AS r(instance_id, node)
WHERE q.instance_id = r.instance_id AND q.node = r.node`,
);

/** Changes rows of steps, and makes rows for steps that leave the queue without a result. `output` is JSON text. */
export const changeSteps = async (
  db: Executor,
  changes: readonly (Omit<StepChange, "output"> & { readonly instanceId: string; readonly output: string | null })[],
): Promise<void> => {
  if (changes.length === 0) return;
  const rows = changes.map((change) => ({
    ...change,
    outcome: change.outcome ?? null,
    attempt: change.attempt ?? null,
    inputFrom: change.inputFrom ?? null,
  }));
  const keys = ["instanceId", "node", "status", "outcome", "attempt", "inputFrom", "output"] as const;
  await db.query(changeStatement, columns(rows, keys));
};

const changeStatement: Statement = statement(
  "change_steps",
  (schema) => `
INSERT INTO ${schema}.step AS t (instance_id, node, status, outcome, attempt, input_from, output)
SELECT instance_id, node, status, outcome, coalesce(attempt, 0), input_from, output::json
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])
  AS c(instance_id, node, status, outcome, attempt, input_from, output)
ON CONFLICT (instance_id, node) DO UPDATE
SET status = excluded.status, outcome = coalesce(excluded.outcome, t.outcome), output = coalesce(excluded.output, t.output),
    finished_at = CASE WHEN t.status = 'waiting' THEN excluded.finished_at ELSE t.finished_at END`,
);

/** Makes rows for nodes that the flow has reached. */
export const insertRecords = async (
  db: Executor,
  records: readonly (NodeRecord & { readonly instanceId: string })[],
): Promise<void> => {
  if (records.length === 0) return;
  const rows = records.map((record) => ({
    ...record,
    outcome: record.status === "failed" ? "absent" : "happened",
    error: record.error === null ? null : JSON.stringify(record.error),
  }));
  const keys = ["instanceId", "node", "status", "outcome", "side", "error", "inputFrom"] as const;
  await db.query(recordStatement, columns(rows, keys));
};

const recordStatement: Statement = statement(
  "insert_records",
  (schema) => `
INSERT INTO ${schema}.step (instance_id, node, status, outcome, side, error, input_from)
SELECT instance_id, node, status, outcome, side, error::json, input_from
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS r(instance_id, node, status, outcome, side, error, input_from)`,
);

/** Puts steps of locked instances into the queue, in the instances' current epoch. */
export const enqueueSteps = async (
  db: Executor,
  steps: readonly (Enqueue & { readonly instanceId: string })[],
): Promise<void> => {
  if (steps.length === 0) return;
  const keys = ["instanceId", "node", "lane", "handler", "priority", "delayMs", "timeoutMs", "inputFrom"] as const;
  await db.query(enqueueStatement, columns(steps, keys));
};

const enqueueStatement: Statement = statement("enqueue_steps", (schema) =>
  enqueueText(schema, {
    instanceId: "e.instance_id",
    lane: "e.lane",
    priority: "i.priority",
    epoch: "i.epoch",
    from: `FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::text[])
             AS e(instance_id, node, lane, handler, priority, delay_ms, timeout_ms, input_from)
           JOIN ${schema}.instance i ON i.instance_id = e.instance_id`,
  }),
);
