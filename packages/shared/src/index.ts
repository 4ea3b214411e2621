export type {
  DefinitionJson,
  JsonSchema,
  Mapping,
  NodeJson,
  RetryPolicy,
  TaskJson,
} from "./definition/model.ts";
export type { Problem, StepError } from "./vocabulary/error.ts";
export { FloxyError, isFloxyError } from "./vocabulary/error.ts";
export type { Json, JsonObject } from "./vocabulary/json.ts";
export { at, pathOf } from "./vocabulary/path.ts";
export type { Lane, Outcome } from "./vocabulary/status.ts";
export { retryPolicyOf } from "./core/retry.ts";
export { toStepError } from "./core/step-error.ts";
export { buildGraph, type Graph, taskOf } from "./definition/graph.ts";
export { createGraphCache, type GraphCache, registerDefinition } from "./engine/graphs.ts";
export { delayedItem, type Hints, noHints, publishHints } from "./engine/hints.ts";
export { type ResolvedStep, resolveInputs } from "./engine/inputs.ts";
export { reviewInbox } from "./engine/review.ts";
export { type AttemptResult, type FinishedAttempt, settleAttempts } from "./engine/settle.ts";
export { insertStarts, type PreparedStart, prepareStart, type Started, type StartRequest } from "./engine/start.ts";
export { takeOverExpired } from "./engine/takeover.ts";
export { type InstanceSummary, type InstanceView, type StepView, summarise, viewInstance } from "./engine/view.ts";
export { type EventRow, getEvents } from "./store/event.ts";
export type { Database, Executor } from "./store/executor.ts";
export { finishedAmong, type ListFilter, listInstances } from "./store/instance.ts";
export { claim, extend, type LeasedStep, nextDue, wakeDue } from "./store/queue.ts";
export type { SettleResult } from "./store/settle.ts";
export { newId } from "./vocabulary/id.ts";
export { encodeOutput, encodePayload } from "./vocabulary/json-check.ts";
export { type InstanceStatus, isTerminal, type StepStatus, type TerminalStatus } from "./vocabulary/status.ts";
export { defaultTimeoutMs } from "./definition/model.ts";
