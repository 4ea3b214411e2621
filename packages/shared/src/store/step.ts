/** An instance as a person sees it: its steps, settled or in the queue, and what people have to do with it, in one snapshot. */
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** An instance's own row. */
export interface SnapshotInstance {
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly status: InstanceStatus;
  readonly priority: number;
  readonly run: number;
  readonly pausedFrom: InstanceStatus | null;
  readonly deadlineAt: Date | null;
  /** JSON text. */
  readonly input: string;
  /** The node whose output is the instance's, once it is completed; null when that is the input itself. */
  readonly outputFrom: string | null;
  readonly metadata: JsonObject;
  readonly idempotencyKey: string | null;
  readonly cause: StepError | null;
  readonly boundary: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** A step that has left the queue, or a node that never enters it. */
export interface StepRow {
  readonly node: string;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  readonly side: Side | null;
  /** Of a join that fired: the branches that had arrived. */
  readonly winners: readonly string[] | null;
  readonly run: number;
  readonly dueAt: Date | null;
  /** The node whose row holds the value that was passed to it; null for the instance's input. */
  readonly inputFrom: string | null;
  /** What a person gave it as input; JSON text. */
  readonly givenInput: string | null;
  readonly attempt: number;
  readonly compensationAttempt: number;
  /** JSON text. */
  readonly output: string | null;
  readonly error: StepError | null;
  readonly compensationError: StepError | null;
  readonly workerId: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date;
}

/** A step in the queue. */
export interface QueueRow {
  readonly node: string;
  readonly lane: Lane;
  readonly state: QueueState;
  readonly run: number;
  readonly attempt: number;
  readonly readyAt: Date;
  readonly leasedAt: Date | null;
  readonly workerId: string | null;
}

/** A dead letter. */
export interface SnapshotDeadLetter {
  readonly node: string;
  readonly lane: Lane;
  readonly error: StepError;
  readonly attempt: number;
  readonly createdAt: Date;
}

/** A vote on a human node. */
export interface SnapshotVote {
  readonly node: string;
  readonly by: string;
  readonly kind: "confirm" | "reject";
  readonly comment: string | null;
  /** JSON text. */
  readonly form: string | null;
  readonly at: Date;
}

/** A signal that no node has taken yet. */
export interface SnapshotSignal {
  readonly signalId: string;
  readonly name: string;
  readonly sentBy: string | null;
  readonly createdAt: Date;
}

/** That the definition is paused. */
export interface SnapshotPause {
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly createdAt: Date;
}

/** All that is known of an instance, at one moment. */
export interface InstanceSnapshot {
  readonly instance: SnapshotInstance;
  readonly steps: readonly StepRow[];
  readonly queue: readonly QueueRow[];
  readonly deadLetters: readonly SnapshotDeadLetter[];
  /** The first to vote first. */
  readonly votes: readonly SnapshotVote[];
  /** The first to arrive first, at most {@link keptSignalLimit}. */
  readonly signals: readonly SnapshotSignal[];
  readonly pause: SnapshotPause | null;
}

/** The most signals that a snapshot has. */
export const keptSignalLimit = 100;

// What comes back: the payload apart as text, so that it is parsed once, and the rest as a value with times as text.
type Part =
  | { readonly kind: "instance"; readonly data: InStore<SnapshotInstance, "input">; readonly payload: string }
  | { readonly kind: "step"; readonly data: InStore<StepRow, "output">; readonly payload: string | null }
  | { readonly kind: "queue"; readonly data: InStore<QueueRow>; readonly payload: null }
  | { readonly kind: "dead_letter"; readonly data: InStore<SnapshotDeadLetter>; readonly payload: null }
  | { readonly kind: "vote"; readonly data: InStore<SnapshotVote, "form">; readonly payload: string | null }
  | { readonly kind: "signal"; readonly data: InStore<SnapshotSignal>; readonly payload: null }
  | { readonly kind: "pause"; readonly data: InStore<SnapshotPause>; readonly payload: null };

type InStore<Row, Payload extends keyof Row = never> = {
  readonly [K in keyof Omit<Row, Payload>]: Date extends Row[K] ? string | Exclude<Row[K], Date> : Row[K];
};

/**
 * Reads an instance, its settled steps, its queue, and what people and other programs have to do with it. One statement
 * sees one snapshot: a step that is settled meanwhile is in one place, never in none or in two.
 */
export const readSnapshot = verb(
  "readSnapshot",
  async (db: Executor, instanceId: string): Promise<InstanceSnapshot | undefined> => {
    const parts = await db.query<Part>(snapshotStatement, [instanceId]);
    const of = <K extends Part["kind"]>(kind: K) =>
      parts.filter((part): part is Extract<Part, { kind: K }> => part.kind === kind);
    const [instance] = of("instance");
    if (instance === undefined) return undefined;
    const [pause] = of("pause");
    return {
      instance: instanceOf(instance),
      steps: of("step").map(stepOf),
      queue: of("queue").map(queuedOf),
      deadLetters: of("dead_letter").map(({ data }) => created(data)),
      votes: of("vote").map(({ data, payload }) => ({ ...data, form: payload, at: new Date(data.at) })),
      signals: of("signal").map(({ data }) => created(data)),
      pause: pause === undefined ? null : created(pause.data),
    };
  },
);

const instanceOf = ({ data, payload }: Extract<Part, { kind: "instance" }>): SnapshotInstance => ({
  ...data,
  input: payload,
  deadlineAt: timeOf(data.deadlineAt),
  createdAt: new Date(data.createdAt),
  finishedAt: timeOf(data.finishedAt),
});

const stepOf = ({ data, payload }: Extract<Part, { kind: "step" }>): StepRow => ({
  ...data,
  output: payload,
  dueAt: timeOf(data.dueAt),
  startedAt: timeOf(data.startedAt),
  finishedAt: new Date(data.finishedAt),
});

const queuedOf = ({ data }: Extract<Part, { kind: "queue" }>): QueueRow => ({
  ...data,
  readyAt: new Date(data.readyAt),
  leasedAt: timeOf(data.leasedAt),
});

const created = <Data extends { readonly createdAt: string }>(data: Data) => ({
  ...data,
  createdAt: new Date(data.createdAt),
});

const timeOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

// A row for each thing and not one aggregate of all, which could outgrow the gigabyte that one value may have.
const snapshotStatement: Statement = statement(
  "read_snapshot",
  (schema) => `
SELECT 'instance' AS kind,
       jsonb_build_object(
         'definitionName', definition_name, 'definitionVersion', definition_version, 'status', status,
         'priority', priority, 'run', run, 'pausedFrom', paused_from, 'deadlineAt', deadline_at,
         'outputFrom', output_from, 'metadata', metadata, 'idempotencyKey', idempotency_key,
         'cause', cause, 'boundary', boundary, 'createdAt', created_at, 'finishedAt', finished_at) AS data,
       input::text AS payload
FROM ${schema}.instance WHERE instance_id = $1
UNION ALL
SELECT 'step',
       jsonb_build_object(
         'node', node, 'status', status, 'outcome', outcome, 'side', side, 'winners', winners, 'run', run,
         'dueAt', due_at, 'inputFrom', input_from, 'givenInput', input::text, 'attempt', attempt,
         'compensationAttempt', compensation_attempt, 'error', error, 'compensationError', compensation_error,
         'workerId', worker_id, 'startedAt', started_at, 'finishedAt', finished_at),
       output::text
FROM ${schema}.step WHERE instance_id = $1
UNION ALL
SELECT 'queue',
       jsonb_build_object(
         'node', node, 'lane', lane, 'state', state, 'run', run, 'attempt', attempt, 'readyAt', ready_at,
         'leasedAt', leased_at, 'workerId', worker_id),
       NULL
FROM ${schema}.queue WHERE instance_id = $1
UNION ALL
SELECT 'dead_letter',
       jsonb_build_object('node', node, 'lane', kind, 'error', error, 'attempt', attempt, 'createdAt', created_at),
       NULL
FROM ${schema}.dead_letter WHERE instance_id = $1
UNION ALL
SELECT 'vote', jsonb_build_object('node', node, 'by', voter, 'kind', kind, 'comment', comment, 'at', created_at), form::text
FROM (SELECT * FROM ${schema}.vote WHERE instance_id = $1 ORDER BY created_at, voter) AS voted
UNION ALL
SELECT 'signal',
       jsonb_build_object('signalId', signal_id, 'name', name, 'sentBy', sent_by, 'createdAt', created_at),
       NULL
FROM (
  SELECT * FROM ${schema}.signal WHERE instance_id = $1 AND node IS NULL ORDER BY position LIMIT ${keptSignalLimit}
) AS kept
UNION ALL
SELECT 'pause', jsonb_build_object('requestedBy', p.requested_by, 'reason', p.reason, 'createdAt', p.created_at), NULL
FROM ${schema}.instance i JOIN ${schema}.pause p USING (definition_name) WHERE i.instance_id = $1`,
);
