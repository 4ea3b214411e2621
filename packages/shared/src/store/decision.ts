/**
 * Writing what was decided about whole instances. All verbs work on many instances, which the caller has locked, and belong
 * into one transaction; they are called in lock order: instances, steps, queue.
 */
import type { Enqueue, NewDeadLetter, NodeRecord, StepChange } from "../core/model.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import { enqueueText } from "./enqueue.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";
import { recordText, toRow } from "./record.ts";

/** A change of an instance's row; `null` keeps a field. */
export interface InstanceUpdate {
  readonly instanceId: string;
  readonly status: InstanceStatus;
  readonly freeze: boolean;
  readonly finish: boolean;
  /** Raises the run, and takes the cause away. */
  readonly restart: boolean;
  /** JSON text. */
  readonly cause: string | null;
  /** Whether the boundary is set, also to `null`. */
  readonly bounds: boolean;
  readonly boundary: string | null;
  readonly outputFrom: string | null;
  readonly pausedFrom: InstanceStatus | null;
}

/** Updates locked instances. */
export const updateInstances = verb(
  "updateInstances",
  async (db: Executor, updates: readonly InstanceUpdate[]): Promise<void> => {
    if (updates.length === 0) return;
    const first = ["instanceId", "status", "freeze", "finish", "restart"] as const;
    const second = ["cause", "bounds", "boundary", "outputFrom", "pausedFrom"] as const;
    await db.query(updateStatement, columns(updates, [...first, ...second]));
  },
);

const updateStatement: Statement = statement(
  "update_instances",
  (schema) => `
WITH u AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[], $5::boolean[], $6::text[], $7::boolean[],
                       $8::text[], $9::text[], $10::text[])
    AS u(instance_id, status, frozen, finish, restart, cause, bounds, boundary, output_from, paused_from)
),
untimed AS (DELETE FROM ${schema}.timer t USING u WHERE u.finish AND t.instance_id = u.instance_id)
UPDATE ${schema}.instance i
SET status = u.status, epoch = i.epoch + u.frozen::int, run = i.run + u.restart::int,
    cause = CASE WHEN NOT u.restart THEN coalesce(u.cause::json, i.cause) END,
    boundary = CASE WHEN u.bounds THEN u.boundary ELSE i.boundary END,
    output_from = coalesce(u.output_from, i.output_from), paused_from = u.paused_from,
    finished_at = CASE WHEN u.finish THEN statement_timestamp() END
FROM u
WHERE i.instance_id = u.instance_id`,
);

/** Removes rows of locked instances from the queue. */
export const removeQueued = verb(
  "removeQueued",
  async (db: Executor, rows: readonly { readonly instanceId: string; readonly node: string }[]): Promise<void> => {
    if (rows.length > 0) await db.query(removeStatement, columns(rows, ["instanceId", "node"]));
  },
);

const removeStatement: Statement = statement(
  "remove_queued",
  (schema) => `
WITH removed AS (
  DELETE FROM ${schema}.queue q USING unnest($1::text[], $2::text[]) AS r(instance_id, node)
  WHERE q.instance_id = r.instance_id AND q.node = r.node
  RETURNING q.instance_id, q.node, q.state, q.token, q.attempt, q.worker_id, q.leased_at, q.handler, q.lane
)
-- Of a lease that ends without a result no other event tells.
INSERT INTO ${schema}.event (event_id, instance_id, type, node, attempt, worker_id, data, created_at)
SELECT token, instance_id, 'step.leased', node, attempt, worker_id, json_build_object('handler', handler, 'lane', lane), leased_at
FROM removed WHERE state = 'leased'`,
);

/** Takes from steps that run the right to advance the graph. */
export const disownQueued = verb(
  "disownQueued",
  async (db: Executor, rows: readonly { readonly instanceId: string; readonly node: string }[]): Promise<void> => {
    if (rows.length > 0) await db.query(disownStatement, columns(rows, ["instanceId", "node"]));
  },
);

// No instance ever has this epoch.
const disownStatement: Statement = statement(
  "disown_queued",
  (schema) => `
UPDATE ${schema}.queue q SET epoch = -1 FROM unnest($1::text[], $2::text[]) AS r(instance_id, node)
WHERE q.instance_id = r.instance_id AND q.node = r.node`,
);

/** Changes rows of steps, and makes rows for steps that leave the queue without a result. */
export const changeSteps = verb(
  "changeSteps",
  async (db: Executor, changes: readonly (StepChange & { readonly instanceId: string })[]): Promise<void> => {
    if (changes.length === 0) return;
    const rows = changes.map(({ instanceId, node, status, due, ...change }) => ({
      instanceId,
      node,
      status,
      outcome: change.outcome ?? null,
      attempt: change.attempt ?? null,
      inputFrom: change.inputFrom ?? null,
      output: change.output === undefined ? null : JSON.stringify(change.output),
      error: change.error === undefined ? null : JSON.stringify(change.error),
      side: change.side ?? null,
      winners: change.winners === undefined ? null : JSON.stringify(change.winners),
      dueInMs: due !== undefined && "inMs" in due ? Math.ceil(due.inMs) : null,
      dueAt: due !== undefined && "at" in due ? due.at : null,
    }));
    const first = ["instanceId", "node", "status", "outcome", "attempt", "inputFrom", "output"] as const;
    const second = ["error", "side", "winners", "dueInMs", "dueAt"] as const;
    await db.query(changeStatement, columns(rows, [...first, ...second]));
  },
);

// A step that waited is settled now; of others the time stays at which they were. A row that is made takes over from the
// queue what a person gave the step as input, and its run. Its time is that of the statement: the transaction may have begun
// before what it follows from was settled.
const changeStatement: Statement = statement(
  "change_steps",
  (schema) => `
WITH c AS (
  SELECT c.*, coalesce(c.due_time, statement_timestamp() + c.due_ms * interval '1 ms') AS due_at, q.input, q.run
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::bigint[], $12::timestamptz[])
    AS c(instance_id, node, status, outcome, attempt, input_from, output, error, side, winners, due_ms, due_time)
  LEFT JOIN ${schema}.queue q ON q.instance_id = c.instance_id AND q.node = c.node AND q.lane = 'forward'
),
untimed AS (
  DELETE FROM ${schema}.timer t USING c
  WHERE c.due_at IS NULL AND t.instance_id = c.instance_id AND t.node = c.node
),
timed AS (
  INSERT INTO ${schema}.timer AS m (instance_id, node, due_at)
  SELECT instance_id, node, due_at FROM c WHERE due_at IS NOT NULL
  ON CONFLICT (instance_id, node) DO UPDATE SET due_at = excluded.due_at
)
INSERT INTO ${schema}.step AS t (instance_id, node, status, outcome, attempt, input_from, output, error, side, winners,
                            due_at, input, run, finished_at)
SELECT instance_id, node, status, outcome, coalesce(attempt, 0), input_from, output::json, error::json, side,
       winners::json, due_at, input, coalesce(run, 0), statement_timestamp()
FROM c
ON CONFLICT (instance_id, node) DO UPDATE
SET status = excluded.status, outcome = coalesce(excluded.outcome, t.outcome),
    attempt = greatest(excluded.attempt, t.attempt), output = coalesce(excluded.output, t.output),
    error = coalesce(excluded.error, t.error), side = coalesce(excluded.side, t.side),
    winners = coalesce(excluded.winners, t.winners), due_at = excluded.due_at,
    finished_at = CASE WHEN t.status IN ('waiting', 'waiting_decision') THEN excluded.finished_at ELSE t.finished_at END`,
);

/** Removes rows of steps, because the flow has been led back to before them; votes on them count no longer. */
export const forgetSteps = verb(
  "forgetSteps",
  async (db: Executor, rows: readonly { readonly instanceId: string; readonly node: string }[]): Promise<void> => {
    if (rows.length > 0) await db.query(forgetStatement, columns(rows, ["instanceId", "node"]));
  },
);

const forgetStatement: Statement = statement(
  "forget_steps",
  (schema) => `
WITH r AS (SELECT * FROM unnest($1::text[], $2::text[]) AS r(instance_id, node)),
unvoted AS (DELETE FROM ${schema}.vote v USING r WHERE v.instance_id = r.instance_id AND v.node = r.node)
DELETE FROM ${schema}.step t USING r WHERE t.instance_id = r.instance_id AND t.node = r.node`,
);

/** Writes dead letters. */
export const buryDead = verb(
  "buryDead",
  async (db: Executor, letters: readonly (NewDeadLetter & { readonly instanceId: string })[]): Promise<void> => {
    if (letters.length === 0) return;
    const rows = letters.map((letter) => ({ ...letter, error: JSON.stringify(letter.error) }));
    await db.query(buryStatement, columns(rows, ["instanceId", "node", "lane", "error", "attempt"]));
  },
);

const buryStatement: Statement = statement(
  "bury_dead",
  (schema) => `
INSERT INTO ${schema}.dead_letter AS d (instance_id, node, kind, error, attempt)
SELECT instance_id, node, lane, error::json, attempt
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) AS l(instance_id, node, lane, error, attempt)
ON CONFLICT (instance_id, node) DO UPDATE
SET (kind, error, attempt, created_at) = (excluded.kind, excluded.error, excluded.attempt, excluded.created_at)`,
);

/** Removes dead letters that are done with. */
export const exhumeDead = verb(
  "exhumeDead",
  async (db: Executor, rows: readonly { readonly instanceId: string; readonly node: string }[]): Promise<void> => {
    if (rows.length > 0) await db.query(exhumeStatement, columns(rows, ["instanceId", "node"]));
  },
);

const exhumeStatement: Statement = statement(
  "exhume_dead",
  (schema) => `
DELETE FROM ${schema}.dead_letter d USING unnest($1::text[], $2::text[]) AS r(instance_id, node)
WHERE d.instance_id = r.instance_id AND d.node = r.node`,
);

/** Notes which nodes have taken which signals, and which signals are kept again. */
export const takeSignals = verb(
  "takeSignals",
  async (
    db: Executor,
    taken: readonly { readonly instanceId: string; readonly signalId: string; readonly node: string }[],
    untaken: readonly { readonly instanceId: string; readonly node: string }[],
  ): Promise<void> => {
    if (untaken.length > 0) await db.query(untakeStatement, columns(untaken, ["instanceId", "node"]));
    if (taken.length > 0) await db.query(takeStatement, columns(taken, ["instanceId", "signalId", "node"]));
  },
);

const takeStatement: Statement = statement(
  "take_signals",
  (schema) => `
UPDATE ${schema}.signal s SET node = r.node
FROM unnest($1::text[], $2::text[], $3::text[]) AS r(instance_id, signal_id, node)
WHERE s.instance_id = r.instance_id AND s.signal_id = r.signal_id`,
);

const untakeStatement: Statement = statement(
  "untake_signals",
  (schema) => `
UPDATE ${schema}.signal s SET node = NULL FROM unnest($1::text[], $2::text[]) AS r(instance_id, node)
WHERE s.instance_id = r.instance_id AND s.node = r.node`,
);

/** Makes rows for nodes that the flow has reached. */
export const insertRecords = verb(
  "insertRecords",
  async (db: Executor, records: readonly (NodeRecord & { readonly instanceId: string })[]): Promise<void> => {
    if (records.length === 0) return;
    const rows = records.map(({ instanceId, ...record }) => ({ instanceId, ...toRow(record) }));
    const keys = ["instanceId", "node", "status", "side", "error", "inputFrom", "dueInMs", "dueAt"] as const;
    await db.query(recordStatement, columns(rows, keys));
    await buryDead(
      db,
      records.flatMap(({ instanceId, node, status, error }) =>
        status === "paused" && error !== null ? [{ instanceId, node, lane: "forward", error, attempt: 0 }] : [],
      ),
    );
  },
);

const recordStatement: Statement = statement(
  "insert_records",
  (schema) => `
WITH record AS (
  SELECT r.*, coalesce(r.due_time, statement_timestamp() + r.due_ms * interval '1 ms') AS due_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[])
    AS r(instance_id, node, status, side, error, input_from, due_ms, due_time)
),
passed AS (
  ${recordText(schema, { instanceId: "r.instance_id", run: "i.run", from: `FROM record r JOIN ${schema}.instance i USING (instance_id)` })}
  RETURNING t.instance_id, t.node, t.due_at
)
INSERT INTO ${schema}.timer AS m (instance_id, node, due_at)
SELECT instance_id, node, due_at FROM passed WHERE due_at IS NOT NULL
ON CONFLICT (instance_id, node) DO UPDATE SET due_at = excluded.due_at`,
);

/** Puts steps of locked instances into the queue, in their current epoch and run. `input` is JSON text, given by a person. */
export const enqueueSteps = verb(
  "enqueueSteps",
  async (
    db: Executor,
    steps: readonly (Enqueue & { readonly instanceId: string; readonly input?: string | null })[],
  ): Promise<void> => {
    if (steps.length === 0) return;
    const rows = steps.map((step) => ({
      ...step,
      input: step.input ?? null,
      uncertain: step.uncertain ?? false,
      chain: step.chain === undefined ? null : JSON.stringify(step.chain),
    }));
    const first = ["instanceId", "node", "lane", "handler", "priority"] as const;
    const second = ["delayMs", "timeoutMs", "inputFrom", "input", "uncertain", "fork", "chain"] as const;
    await db.query(enqueueStatement, columns(rows, [...first, ...second]));
  },
);

const enqueueStatement: Statement = statement("enqueue_steps", (schema) =>
  enqueueText(schema, {
    instanceId: "e.instance_id",
    lane: "e.lane",
    priority: "i.priority",
    epoch: "i.epoch",
    run: "i.run",
    input: "e.input",
    uncertain: "e.uncertain",
    chain: "e.chain",
    from: `FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
                          $10::boolean[], $11::text[], $12::text[])
             AS e(instance_id, node, lane, handler, priority, delay_ms, timeout_ms, input_from, input, uncertain, fork, chain)
           JOIN ${schema}.instance i ON i.instance_id = e.instance_id`,
  }),
);
