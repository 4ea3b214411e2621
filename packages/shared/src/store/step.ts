/** An instance with its steps as a person sees it: what was settled and what is still in the queue, in one snapshot. */
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
  readonly attempt: number;
  readonly readyAt: Date;
  readonly leasedAt: Date | null;
  readonly workerId: string | null;
}

/** All that is known of an instance, at one moment. */
export interface InstanceSnapshot {
  readonly instance: SnapshotInstance;
  readonly steps: readonly StepRow[];
  readonly queue: readonly QueueRow[];
}

// What comes back: the payload apart as text, so that it is parsed once, and the rest as a value with times as text.
type Part =
  | { readonly kind: "instance"; readonly data: InStore<SnapshotInstance, "input">; readonly payload: string }
  | { readonly kind: "step"; readonly data: InStore<StepRow, "output">; readonly payload: string | null }
  | { readonly kind: "queue"; readonly data: InStore<QueueRow>; readonly payload: null };

type InStore<Row, Payload extends keyof Row = never> = {
  readonly [K in keyof Omit<Row, Payload>]: Date extends Row[K] ? string | Exclude<Row[K], Date> : Row[K];
};

/**
 * Reads an instance, its settled steps and its queue. One statement sees one snapshot: a step that is settled meanwhile
 * is in one place, never in none or in two.
 */
export const readSnapshot = verb(
  "readSnapshot",
  async (db: Executor, instanceId: string): Promise<InstanceSnapshot | undefined> => {
    const parts = await db.query<Part>(snapshotStatement, [instanceId]);
    const steps: StepRow[] = [];
    const queue: QueueRow[] = [];
    let instance: SnapshotInstance | undefined;
    for (const part of parts) {
      if (part.kind === "step") steps.push(stepOf(part));
      else if (part.kind === "queue") queue.push(queuedOf(part));
      else instance = instanceOf(part);
    }
    return instance && { instance, steps, queue };
  },
);

const instanceOf = ({ data, payload }: Extract<Part, { kind: "instance" }>): SnapshotInstance => ({
  ...data,
  input: payload,
  createdAt: new Date(data.createdAt),
  finishedAt: timeOf(data.finishedAt),
});

const stepOf = ({ data, payload }: Extract<Part, { kind: "step" }>): StepRow => ({
  ...data,
  output: payload,
  startedAt: timeOf(data.startedAt),
  finishedAt: new Date(data.finishedAt),
});

const queuedOf = ({ data }: Extract<Part, { kind: "queue" }>): QueueRow => ({
  ...data,
  readyAt: new Date(data.readyAt),
  leasedAt: timeOf(data.leasedAt),
});

const timeOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

// A row for each thing and not one aggregate of all, which could outgrow the gigabyte that one value may have.
const snapshotStatement: Statement = statement(
  "read_snapshot",
  (schema) => `
SELECT 'instance' AS kind,
       jsonb_build_object(
         'definitionName', definition_name, 'definitionVersion', definition_version, 'status', status,
         'priority', priority, 'outputFrom', output_from, 'metadata', metadata, 'idempotencyKey', idempotency_key,
         'cause', cause, 'boundary', boundary, 'createdAt', created_at, 'finishedAt', finished_at) AS data,
       input::text AS payload
FROM ${schema}.instance WHERE instance_id = $1
UNION ALL
SELECT 'step',
       jsonb_build_object(
         'node', node, 'status', status, 'outcome', outcome, 'side', side, 'attempt', attempt,
         'compensationAttempt', compensation_attempt, 'error', error, 'compensationError', compensation_error,
         'workerId', worker_id, 'startedAt', started_at, 'finishedAt', finished_at),
       output::text
FROM ${schema}.step WHERE instance_id = $1
UNION ALL
SELECT 'queue',
       jsonb_build_object(
         'node', node, 'lane', lane, 'state', state, 'attempt', attempt, 'readyAt', ready_at, 'leasedAt', leased_at,
         'workerId', worker_id),
       NULL
FROM ${schema}.queue WHERE instance_id = $1`,
);
