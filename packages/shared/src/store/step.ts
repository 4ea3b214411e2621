/** Steps as a person sees them: rows of steps that were settled, and of those still in the queue. */
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";
import { type Executor, type Statement, statement } from "./executor.ts";

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
  readonly handler: string;
  readonly state: QueueState;
  readonly priority: number;
  readonly attempt: number;
  readonly readyAt: Date;
  readonly leasedAt: Date | null;
  readonly leaseUntil: Date | null;
  readonly workerId: string | null;
}

/** Reads the steps of an instance, in the order in which they were settled. */
export const getSteps = (db: Executor, instanceId: string): Promise<StepRow[]> =>
  db.query<StepRow>(stepsStatement, [instanceId]);

const stepsStatement: Statement = statement(
  "get_steps",
  (schema) => `
SELECT node, status, outcome, side, attempt, compensation_attempt AS "compensationAttempt", output::text AS output,
       error::jsonb AS error, compensation_error::jsonb AS "compensationError", worker_id AS "workerId",
       started_at AS "startedAt", finished_at AS "finishedAt"
FROM ${schema}.step WHERE instance_id = $1 ORDER BY finished_at, node`,
);

/** Reads the rows that an instance has in the queue. */
export const getQueue = (db: Executor, instanceId: string): Promise<QueueRow[]> =>
  db.query<QueueRow>(queueStatement, [instanceId]);

const queueStatement: Statement = statement(
  "get_queue",
  (schema) => `
SELECT node, lane, handler, state, priority, attempt, ready_at AS "readyAt", leased_at AS "leasedAt",
       lease_until AS "leaseUntil", worker_id AS "workerId"
FROM ${schema}.queue WHERE instance_id = $1 ORDER BY node`,
);
