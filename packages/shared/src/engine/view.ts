/** An instance as a person sees it: its own data and every step of its definition. */
import { retryPolicyOf } from "../core/retry.ts";
import { statusOf } from "../core/view.ts";
import type { GraphNode, Side } from "../definition/graph.ts";
import type { Executor } from "../store/executor.ts";
import type { InstanceRow } from "../store/instance.ts";
import type { QueueRow, SnapshotInstance, StepRow } from "../store/step.ts";
import { readSnapshot } from "../store/step.ts";
import type { StepError } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { isId } from "../vocabulary/id.ts";
import type { Json, JsonObject } from "../vocabulary/json.ts";
import { quote } from "../vocabulary/quote.ts";
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

/** Reads an instance with its steps, as they stood at one moment. Throws `INSTANCE_NOT_FOUND`. */
export const viewInstance = async (db: Executor, graphs: GraphCache, instanceId: string): Promise<InstanceView> => {
  const snapshot = isId(instanceId) ? await readSnapshot(db, instanceId) : undefined;
  if (snapshot === undefined) throw instanceNotFound(instanceId);
  const { instance } = snapshot;
  const graph = await graphs.get(db, instance.definitionName, instance.definitionVersion);
  const rows = new Map(snapshot.steps.map((step) => [step.node, step]));
  const queue = new Map(snapshot.queue.map((queued) => [queued.node, queued]));
  const steps = [...graph.nodes.values()].map((node) =>
    viewStep(node, statusOf(node, instance.status, rows, queue), rows.get(node.name), queue.get(node.name)),
  );
  const input = JSON.parse(instance.input) as Json;
  return { ...describe(instanceId, instance, input, outputOf(instance, input, steps)), steps };
};

const outputOf = (instance: SnapshotInstance, input: Json, steps: readonly StepView[]): Json | undefined => {
  if (instance.status !== "completed") return undefined;
  return instance.outputFrom === null ? input : steps.find(({ step }) => step === instance.outputFrom)?.output;
};

/** The error for an id that no instance has; it says so when it could not be the id of one at all. */
export const instanceNotFound = (instanceId: unknown): FloxyError => {
  const message = isId(instanceId)
    ? `there is no instance ${instanceId}`
    : `${quote(String(instanceId))} is not the id of an instance: an id has 26 characters, such as 01J9ZC4M8X5N2Q7R3T6V8W0Y1Z`;
  return new FloxyError("INSTANCE_NOT_FOUND", message, { data: { instanceId } });
};

/** Turns a row into what a person sees. */
export const summarise = (row: InstanceRow): InstanceSummary =>
  describe(row.instanceId, row, JSON.parse(row.input) as Json, parseOptional(row.output));

const describe = (
  instanceId: string,
  row: Omit<InstanceRow, "instanceId" | "input" | "output">,
  input: Json,
  output: Json | undefined,
): InstanceSummary => ({
  instanceId,
  definition: { name: row.definitionName, version: row.definitionVersion },
  status: row.status,
  priority: row.priority,
  input,
  output,
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

const parseOptional = (text: string | null): Json | undefined =>
  text === null ? undefined : (JSON.parse(text) as Json);
