/** The queue: claiming steps, extending leases, waking what is due, finding leases that have expired. */
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { Lane, Outcome } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";

/** How many steps of one handler a worker can take. */
export interface ClaimSlots {
  readonly handler: string;
  readonly slots: number;
  /** Whether it is called in a transaction of Floxy's database, so that an attempt that fails has no effect. */
  readonly transactional?: boolean;
  /** A priority key before which no ready step is looked for; by default all are. */
  readonly low?: number | undefined;
}

/** The parameters of {@link claim}. */
export interface ClaimParams {
  readonly workerId: string;
  /** The handlers that the worker has; no step of another handler is leased. */
  readonly handlers: readonly ClaimSlots[];
  /** The most steps to lease, over all handlers. */
  readonly limit: number;
  /** The most steps to lease of all transactional handlers together; as many as `limit` unless told. */
  readonly transactionalLimit?: number | undefined;
  /** How long the lease lasts unless it is extended, in milliseconds. */
  readonly leaseMs: number;
}

/** A step that this worker has leased, with all that its handler and the common advance need. */
export interface LeasedStep {
  readonly instanceId: string;
  readonly node: string;
  readonly lane: Lane;
  readonly handler: string;
  /** The fencing token of the lease. */
  readonly token: number;
  /** Which attempt this is, counted from 1. */
  readonly attempt: number;
  readonly priority: number;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly metadata: JsonObject;
  /** The node whose row holds what was passed to this one; null for the instance's input. */
  readonly inputFrom: string | null;
  /** What was passed to the node, as JSON text. */
  readonly value: string;
  /** What a person gave it as input in place of what the graph passes to it, as JSON text. */
  readonly input: string | null;
  /** For a compensation: what a person gave the step to undo as input, as JSON text. */
  readonly stepInput: string | null;
  /** Which run of the graph it belongs to, counted from 0: with each a step has other idempotency keys. */
  readonly run: number;
  /** For a compensation: the output of the step to undo, as JSON text, if it has one. */
  readonly output: string | null;
  /** For a compensation: what is known of the step's effects. */
  readonly outcome: Outcome | null;
  /** For a compensation: why the instance is rolled back. */
  readonly cause: StepError | null;
  /** Its priority key. */
  readonly key: number;
}

/**
 * Leases ready steps of the given handlers, the best priority key first. Rows that another worker is just claiming are
 * passed over, so workers never wait for each other.
 */
export const claim = verb(
  "claim",
  (db: Executor, params: ClaimParams): Promise<LeasedStep[]> =>
    db.query<LeasedStep>(claimStatement, [
      params.workerId,
      ...columns(
        params.handlers.map((one) => ({
          ...one,
          transactional: one.transactional ?? false,
          low: one.low ?? lowestKey,
        })),
        ["handler", "slots", "transactional", "low"],
      ),
      params.limit,
      params.transactionalLimit ?? null,
      params.leaseMs,
    ]),
);

/** No key is lower. */
export const lowestKey = "-9223372036854775808";

const claimStatement: Statement = statement(
  "claim",
  (schema) => `
SELECT instance_id AS "instanceId", node, lane, handler, token, attempt, priority, definition_name AS "definitionName",
       definition_version AS "definitionVersion", metadata, input_from AS "inputFrom", value, input,
       step_input AS "stepInput", run, output, outcome, cause, key
FROM ${schema}.claim($1, $2::text[], $3::int[], $4::boolean[], $5::bigint[], $6, $7, $8)`,
);

/** Names a lease. */
export interface LeaseRef {
  readonly instanceId: string;
  readonly node: string;
  readonly token: number;
}

/** What an extension says of one lease. */
export interface LeaseState {
  /** Whether the lease is still this one's; if not, its result will be refused. */
  readonly held: boolean;
  /** Whether the instance was frozen or ended since: the handler should stop. */
  readonly frozen: boolean;
}

/**
 * Extends leases, all in one statement, and says what became of each, in order. A lease never lasts longer than the
 * step's timeout plus one lease period after it was taken, so a hung worker cannot hold a step for ever.
 */
export const extend = verb(
  "extend",
  async (
    db: Executor,
    params: { readonly leases: readonly LeaseRef[]; readonly leaseMs: number },
  ): Promise<LeaseState[]> => {
    const rows = await db.query<LeaseState & { ordinal: number }>(extendStatement, [
      ...columns(
        params.leases.map((lease, ordinal) => ({ ordinal, ...lease })),
        ["ordinal", "instanceId", "node", "token"],
      ),
      params.leaseMs,
    ]);
    const states = params.leases.map((): LeaseState => ({ held: false, frozen: false }));
    for (const { ordinal, held, frozen } of rows) states[ordinal] = { held, frozen };
    return states;
  },
);

// A row that is locked is being settled or looked at just now; it is not waited for, because this statement locks rows
// of the queue without their instances. It counts as held when its token still is the lease's.
const extendStatement: Statement = statement(
  "extend",
  (schema) => `
WITH lease AS (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) AS l(ordinal, instance_id, node, token)
),
free AS MATERIALIZED (
  SELECT q.instance_id, q.node FROM ${schema}.queue q
  JOIN lease l ON l.instance_id = q.instance_id AND l.node = q.node AND l.token = q.token
  FOR UPDATE OF q SKIP LOCKED
),
extended AS (
  UPDATE ${schema}.queue q
  SET lease_until = least(clock_timestamp() + $5::bigint * interval '1 ms',
                          q.leased_at + (q.timeout_ms + $5::bigint) * interval '1 ms')
  FROM free f
  WHERE q.instance_id = f.instance_id AND q.node = f.node
)
SELECT l.ordinal, q.token IS NOT NULL AS held,
       coalesce(q.lane = 'forward' AND (i.status <> 'running' OR i.epoch <> q.epoch), false) AS frozen
FROM lease l
LEFT JOIN ${schema}.queue q ON q.instance_id = l.instance_id AND q.node = l.node AND q.token = l.token
LEFT JOIN ${schema}.instance i ON i.instance_id = l.instance_id`,
);

/** Makes delayed steps ready whose time has come, at most `limit`; answers their handlers, each once. */
export const wakeDue = verb(
  "wakeDue",
  async (db: Executor, limit: number): Promise<{ woken: number; handlers: string[] }> => {
    const rows = await db.query<{ handler: string; count: number }>(wakeStatement, [limit]);
    return { woken: rows.reduce((sum, row) => sum + row.count, 0), handlers: rows.map((row) => row.handler) };
  },
);

const wakeStatement: Statement = statement(
  "wake_due",
  (schema) => `
WITH due AS MATERIALIZED (
  SELECT instance_id, node FROM ${schema}.queue
  WHERE state = 'delayed' AND ready_at <= statement_timestamp()
  ORDER BY ready_at LIMIT $1
  FOR UPDATE SKIP LOCKED
),
woken AS (
  UPDATE ${schema}.queue q SET state = 'ready' FROM due d
  WHERE q.instance_id = d.instance_id AND q.node = d.node
  RETURNING q.handler
)
SELECT handler, count(*)::int AS count FROM woken GROUP BY handler`,
);

/** A lease that has expired, with what the decision about its step needs. */
export interface ExpiredLease extends LeaseRef {
  readonly lane: Lane;
  readonly handler: string;
  readonly attempt: number;
  readonly workerId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
}

/**
 * Finds leases that have expired, the oldest first. Reads only: the one who takes over settles with `onlyExpired`,
 * which is fenced by the same token, so an extension or another orchestrator that was faster wins.
 */
export const findExpired = verb(
  "findExpired",
  (db: Executor, limit: number): Promise<ExpiredLease[]> => db.query<ExpiredLease>(expiredStatement, [limit]),
);

const expiredStatement: Statement = statement(
  "find_expired",
  (schema) => `
SELECT q.instance_id AS "instanceId", q.node, q.token, q.lane, q.handler, q.attempt, q.worker_id AS "workerId",
       i.definition_name AS "definitionName", i.definition_version AS "definitionVersion"
FROM ${schema}.queue q JOIN ${schema}.instance i USING (instance_id)
WHERE q.state = 'leased' AND q.lease_until < statement_timestamp()
ORDER BY q.lease_until LIMIT $1`,
);

/** When the queue next needs attention, in milliseconds from now; `null` when nothing is delayed or leased. */
export interface NextDue {
  /** When a delayed step or a timer is due. */
  readonly delayedMs: number | null;
  readonly leaseMs: number | null;
  /** Whether the inbox has a note that can be taken now. */
  readonly review: boolean;
}

/**
 * Says when the next delayed step or timer is due and when the next lease expires, and whether there is something to
 * review. Three looks at the head of an index, and one at the inbox that ends at the first note.
 */
export const nextDue = verb("nextDue", async (db: Executor): Promise<NextDue> => {
  const [row] = await db.query<NextDue>(nextDueStatement);
  return row ?? { delayedMs: null, leaseMs: null, review: false };
});

const nextDueStatement: Statement = statement(
  "next_due",
  (schema) => `
SELECT ceil(extract(epoch FROM least((SELECT min(ready_at) FROM ${schema}.queue WHERE state = 'delayed'),
                                     (SELECT min(due_at) FROM ${schema}.timer)) - statement_timestamp()) * 1000)::float8 AS "delayedMs",
       ceil(extract(epoch FROM (SELECT min(lease_until) FROM ${schema}.queue WHERE state = 'leased') - statement_timestamp()) * 1000)::float8 AS "leaseMs",
       EXISTS (SELECT FROM ${schema}.inbox WHERE visible_at <= statement_timestamp()) AS review`,
);

/** A row that an expression may look at: a node's output as JSON text, and the side a condition took. */
export interface PayloadText {
  readonly instanceId: string;
  readonly node: string;
  readonly output: string | null;
  readonly side: Side | null;
}

/** Loads rows of nodes by instance, and the inputs of instances (under node `null`), as JSON text. */
export const loadPayloads = verb(
  "loadPayloads",
  async (
    db: Executor,
    wanted: readonly { readonly instanceId: string; readonly node: string | null }[],
  ): Promise<(Omit<PayloadText, "node"> & { readonly node: string | null })[]> => {
    if (wanted.length === 0) return [];
    return db.query(payloadStatement, columns(wanted, ["instanceId", "node"]));
  },
);

const payloadStatement: Statement = statement(
  "load_payloads",
  (schema) => `
WITH wanted AS (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS w(instance_id, node))
SELECT w.instance_id AS "instanceId", w.node, t.output::text AS output, t.side
FROM wanted w JOIN ${schema}.step t ON t.instance_id = w.instance_id AND t.node = w.node
UNION ALL
SELECT w.instance_id, NULL, i.input::text, NULL
FROM wanted w JOIN ${schema}.instance i ON i.instance_id = w.instance_id
WHERE w.node IS NULL`,
);
