/** An instance as a person sees it: its own data and every step of its definition. */
import { retryPolicyOf } from "../core/retry.ts";
import { statusOf } from "../core/view.ts";
import type { GraphNode, Side } from "../definition/graph.ts";
import type { Executor } from "../store/executor.ts";
import { getInstance, type InstanceRow } from "../store/instance.ts";
import { getQueue, getSteps, type QueueRow, type StepRow } from "../store/step.ts";
import { FloxyError, type StepError } from "../vocabulary/error.ts";
import { isId } from "../vocabulary/id.ts";
import type { Json, JsonObject } from "../vocabulary/json.ts";
import type { InstanceStatus, Outcome, StepStatus } from "../vocabulary/status.ts";
import type { GraphCache } from "./graphs.ts";

/** One step of an instance. */
export interface StepView {
  /** The name of its node. */
  readonly step: string;
  readonly kind: GraphNode["kind"];
  readonly handler: string | null;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  /** The side that a condition took. */
  readonly side: Side | null;
  /** How many handler calls have begun. */
  readonly attempt: number;
  readonly maxAttempts: number | null;
  readonly compensationAttempt: number;
  readonly output: Json | undefined;
  readonly error: StepError | null;
  readonly compensationError: StepError | null;
  /** The worker that runs it or ran it last. */
  readonly workerId: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** When it can run, if it waits in the queue. */
  readonly readyAt: Date | null;
}

/** An instance without its steps. */
export interface InstanceSummary {
  readonly instanceId: string;
  readonly definition: { readonly name: string; readonly version: number };
  readonly status: InstanceStatus;
  readonly priority: number;
  readonly input: Json;
  /** The output of a completed instance. */
  readonly output: Json | undefined;
  readonly metadata: JsonObject;
  readonly idempotencyKey: string | null;
  /** Why it was rolled back. */
  readonly error: StepError | null;
  /** The savepoint at which its rollback stopped. */
  readonly savepoint: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** An instance with its steps, in the order of its definition. */
export interface InstanceView extends InstanceSummary {
  readonly steps: readonly StepView[];
}

/** Reads an instance with its steps. Throws `INSTANCE_NOT_FOUND`. */
export const viewInstance = async (db: Executor, graphs: GraphCache, instanceId: string): Promise<InstanceView> => {
  const row = isId(instanceId) ? await getInstance(db, instanceId) : undefined;
  if (row === undefined) throw notFound(instanceId);
  const graph = await graphs.get(db, row.definitionName, row.definitionVersion);
  const [stepRows, queueRows] = await Promise.all([getSteps(db, instanceId), getQueue(db, instanceId)]);
  const steps = new Map(stepRows.map((step) => [step.node, step]));
  const queue = new Map(queueRows.map((queued) => [queued.node, queued]));
  const views = [...graph.nodes.values()].map((node) =>
    viewStep(node, statusOf(node, row.status, steps, queue), steps.get(node.name), queue.get(node.name)),
  );
  return { ...summarise(row), steps: views };
};

const notFound = (instanceId: string): FloxyError => {
  const message = isId(instanceId)
    ? `There is no instance ${instanceId}.`
    : `${JSON.stringify(instanceId)} is not the id of an instance: an id has 26 characters, such as 01J9ZC4M8X5N2Q7R3T6V8W0Y1Z.`;
  return new FloxyError("INSTANCE_NOT_FOUND", message, { data: { instanceId } });
};

/** Turns a row into what a person sees. */
export const summarise = (row: InstanceRow): InstanceSummary => ({
  instanceId: row.instanceId,
  definition: { name: row.definitionName, version: row.definitionVersion },
  status: row.status,
  priority: row.priority,
  input: JSON.parse(row.input) as Json,
  output: parseOptional(row.output),
  metadata: row.metadata,
  idempotencyKey: row.idempotencyKey,
  error: row.cause,
  savepoint: row.boundary,
  createdAt: row.createdAt,
  finishedAt: row.finishedAt,
});

const viewStep = (
  node: GraphNode,
  status: StepStatus,
  step: StepRow | undefined,
  queued: QueueRow | undefined,
): StepView => {
  const forward = queued?.lane === "forward" ? queued : undefined;
  const compensation = queued?.lane === "compensation" ? queued : undefined;
  return {
    step: node.name,
    kind: node.kind,
    handler: node.kind === "task" ? node.json.handler : null,
    status,
    outcome: step?.outcome ?? null,
    side: step?.side ?? null,
    attempt: forward?.attempt ?? step?.attempt ?? 0,
    maxAttempts: node.kind === "task" ? retryPolicyOf(node.json, "forward").maxAttempts : null,
    compensationAttempt: compensation?.attempt ?? step?.compensationAttempt ?? 0,
    output: parseOptional(step?.output ?? null),
    error: step?.error ?? null,
    compensationError: step?.compensationError ?? null,
    workerId: queued?.workerId ?? step?.workerId ?? null,
    startedAt: forward?.leasedAt ?? step?.startedAt ?? null,
    finishedAt: forward === undefined ? (step?.finishedAt ?? null) : null,
    readyAt: queued?.readyAt ?? null,
  };
};

const parseOptional = (text: string | null): Json | undefined => (text === null ? undefined : (JSON.parse(text) as Json));
