/** An instance as a person sees it: its own data and every step of its definition. */
import { statusOf } from "../core/view.ts";
import type { Executor } from "../store/executor.ts";
import type { InstanceRow } from "../store/instance.ts";
import type { SnapshotInstance } from "../store/step.ts";
import { readSnapshot } from "../store/step.ts";
import type { StepError } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { isId } from "../vocabulary/id.ts";
import type { Json, JsonObject } from "../vocabulary/json.ts";
import { quote } from "../vocabulary/quote.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import type { GraphCache } from "./graphs.ts";
import type { StepView } from "./step-view.ts";
import { viewStep } from "./step-view.ts";
import { viewInputs } from "./view-inputs.ts";

/** An instance without its steps. */
export interface InstanceSummary {
  readonly instanceId: string;
  readonly definition: { readonly name: string; readonly version: number };
  readonly status: InstanceStatus;
  /** Of an instance in `dlq`: what it will be again when a person has dealt with its dead letters. */
  readonly pausedFrom: InstanceStatus | null;
  readonly priority: number;
  /** How often part of it was started again from a savepoint or from the beginning. */
  readonly run: number;
  /** When it is cancelled if it has not ended by then. */
  readonly deadlineAt: Date | null;
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

/** A signal that has arrived and that no node has taken yet. */
export interface KeptSignalView {
  readonly signalId: string;
  readonly name: string;
  readonly sentBy: string | null;
  readonly sentAt: Date;
}

/** An instance with its steps, in the order of its definition. */
export interface InstanceView extends InstanceSummary {
  readonly steps: readonly StepView[];
  /** The signals that are kept, the first to arrive first; at most 100. */
  readonly signals: readonly KeptSignalView[];
  /** Who paused its definition, and why, if it is paused. */
  readonly pause: { readonly requestedBy: string; readonly reason: string | null; readonly at: Date } | null;
}

/** Reads an instance with its steps, as they stood at one moment. Throws `INSTANCE_NOT_FOUND`. */
export const viewInstance = async (db: Executor, graphs: GraphCache, instanceId: string): Promise<InstanceView> => {
  const snapshot = isId(instanceId) ? await readSnapshot(db, instanceId) : undefined;
  if (snapshot === undefined) throw instanceNotFound(instanceId);
  const { instance } = snapshot;
  const graph = await graphs.get(db, instance.definitionName, instance.definitionVersion);
  const rows = new Map(snapshot.steps.map((step) => [step.node, step]));
  const queue = new Map(snapshot.queue.map((queued) => [queued.node, queued]));
  const deadLetters = new Map(snapshot.deadLetters.map((letter) => [letter.node, letter]));
  const inputs = await viewInputs(db, graph, instanceId, snapshot);
  const steps = [...graph.nodes.values()].map((node) =>
    viewStep(node, statusOf(node, instance.status, rows, queue), {
      instance: instance.status,
      step: rows.get(node.name),
      queued: queue.get(node.name),
      deadLetter: deadLetters.get(node.name),
      votes: snapshot.votes.filter((vote) => vote.node === node.name),
      input: inputs.get(node.name),
    }),
  );
  const input = JSON.parse(instance.input) as Json;
  const { pause } = snapshot;
  return {
    ...describe(instanceId, instance, input, outputOf(instance, input, steps)),
    steps,
    signals: snapshot.signals.map(({ createdAt, ...signal }) => ({ ...signal, sentAt: createdAt })),
    pause: pause && { requestedBy: pause.requestedBy, reason: pause.reason, at: pause.createdAt },
  };
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
  pausedFrom: row.pausedFrom,
  priority: row.priority,
  run: row.run,
  deadlineAt: row.deadlineAt,
  input,
  output,
  metadata: row.metadata,
  idempotencyKey: row.idempotencyKey,
  error: row.cause,
  savepoint: row.boundary,
  createdAt: row.createdAt,
  finishedAt: row.finishedAt,
});

const parseOptional = (text: string | null): Json | undefined =>
  text === null ? undefined : (JSON.parse(text) as Json);
