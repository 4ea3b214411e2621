/**
 * The state of instances for those who decide about them: each is locked first, by its own row, and then all is read that
 * a decision may look at. The verbs work on many instances.
 */
import type { KeptSignal, Vote } from "../core/model.ts";
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** An instance's own row, locked. */
export interface LockedInstance {
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly status: InstanceStatus;
  readonly cause: StepError | null;
  readonly boundary: string | null;
  readonly pausedFrom: InstanceStatus | null;
  readonly overdue: boolean;
}

/** Locks instances in the order of their ids; the first lock that every writer takes. */
export const lockInstances = verb(
  "lockInstances",
  (db: Executor, instanceIds: readonly string[]): Promise<LockedInstance[]> =>
    db.query<LockedInstance>(lockStatement, [instanceIds]),
);

const lockStatement: Statement = statement(
  "lock_instances",
  (schema) => `
SELECT instance_id AS "instanceId", definition_name AS "definitionName", definition_version AS "definitionVersion",
       status, cause::jsonb AS cause, boundary, paused_from AS "pausedFrom",
       coalesce(deadline_at <= statement_timestamp(), false) AS overdue
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
  readonly attempt: number;
  readonly due: boolean;
  readonly winners: readonly string[] | null;
  readonly replaced: boolean;
}

/** Loads the steps of locked instances, in the order in which they were settled. */
export const loadSteps = verb(
  "loadSteps",
  (db: Executor, instanceIds: readonly string[]): Promise<StepStateRow[]> =>
    db.query<StepStateRow>(stepsStatement, [instanceIds]),
);

const stepsStatement: Statement = statement(
  "load_steps",
  (schema) => `
SELECT instance_id AS "instanceId", node, status, outcome, side, error::jsonb AS error, input_from AS "inputFrom", attempt,
       coalesce(due_at <= statement_timestamp(), false) AS due, winners::jsonb AS winners, output IS NOT NULL AS replaced
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
  readonly current: boolean;
  readonly uncertain: boolean;
}

/**
 * Loads what locked instances have in the queue. Rows leave it only under their instance's lock, but `ready` ones can be
 * leased meanwhile.
 */
export const loadQueue = verb(
  "loadQueue",
  async (db: Executor, instanceIds: readonly string[]): Promise<QueuedStateRow[]> =>
    instanceIds.length === 0 ? [] : db.query<QueuedStateRow>(loadQueueStatement, [instanceIds]),
);

/** Loads and locks what locked instances have in the queue, so that none of it can be leased meanwhile. */
export const lockQueue = verb(
  "lockQueue",
  async (db: Executor, instanceIds: readonly string[]): Promise<QueuedStateRow[]> =>
    instanceIds.length === 0 ? [] : db.query<QueuedStateRow>(lockQueueStatement, [instanceIds]),
);

const queueText = (schema: string): string => `
SELECT q.instance_id AS "instanceId", q.node, q.lane, q.state, q.attempt, q.input_from AS "inputFrom",
       q.epoch = i.epoch AS current,
       q.uncertain OR (q.attempt > 0 AND NOT q.transactional) AS uncertain
FROM ${schema}.queue q JOIN ${schema}.instance i USING (instance_id)
WHERE q.instance_id = ANY ($1::text[])
ORDER BY q.instance_id, q.node`;

const loadQueueStatement: Statement = statement("load_queue", queueText);

const lockQueueStatement: Statement = statement("lock_queue", (schema) => `${queueText(schema)} FOR UPDATE OF q`);

/** A dead letter, a vote or a signal: what people and other programs have to do with an instance. */
export type AffairRow = { readonly instanceId: string } & (
  | { readonly kind: "dead_letter"; readonly node: string; readonly data: { readonly lane: Lane } }
  | { readonly kind: "vote"; readonly node: string; readonly data: Vote }
  | { readonly kind: "signal"; readonly node: null; readonly data: KeptSignal }
);

/** Loads the dead letters of locked instances, the votes on their human nodes, and the signals that are kept. */
export const loadAffairs = verb(
  "loadAffairs",
  async (db: Executor, instanceIds: readonly string[]): Promise<AffairRow[]> =>
    instanceIds.length === 0 ? [] : db.query<AffairRow>(affairsStatement, [instanceIds]),
);

const affairsStatement: Statement = statement(
  "load_affairs",
  (schema) => `
SELECT instance_id AS "instanceId", 'dead_letter' AS kind, node, jsonb_build_object('lane', kind) AS data, 0 AS position
FROM ${schema}.dead_letter WHERE instance_id = ANY ($1::text[])
UNION ALL
SELECT instance_id, 'vote', node,
       jsonb_build_object('by', voter, 'kind', kind, 'comment', comment, 'form', form,
                          'at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
       (extract(epoch FROM created_at) * 1000000)::bigint
FROM ${schema}.vote WHERE instance_id = ANY ($1::text[])
UNION ALL
SELECT instance_id, 'signal', NULL, jsonb_build_object('signalId', signal_id, 'name', name, 'payload', payload), position
FROM ${schema}.signal WHERE instance_id = ANY ($1::text[]) AND node IS NULL
ORDER BY kind, position`,
);
