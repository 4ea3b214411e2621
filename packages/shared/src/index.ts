export { retryPolicyOf } from "./core/retry.ts";
export { toStepError } from "./core/step-error.ts";
export {
  type DefinitionChange,
  type DefinitionDiff,
  diffDefinitions,
  type FieldChange,
} from "./definition/diff.ts";
export { compileExpression, evaluateCondition } from "./definition/expression.ts";
export { fingerprint } from "./definition/fingerprint.ts";
export { buildGraph, type Graph, taskOf } from "./definition/graph.ts";
export { checkSchema } from "./definition/json-schema.ts";
export { evaluateMapping } from "./definition/mapping.ts";
export type {
  DefinitionJson,
  EndJson,
  ForkJson,
  HumanJson,
  JoinRule,
  JsonSchema,
  Losers,
  Mapping,
  NodeJson,
  RetryPolicy,
  TaskJson,
} from "./definition/model.ts";
export { defaultTimeoutMs } from "./definition/model.ts";
export { parseDefinition } from "./definition/validate.ts";
export { type DoctorOptions, runDoctor } from "./engine/doctor.ts";
export { createGraphCache, type GraphCache, latestVersion, registerDefinition } from "./engine/graphs.ts";
export { bulkItem, delayedItem, type Hints, noHints, publishHints, publishHintsWithin } from "./engine/hints.ts";
export {
  type HistoryKept,
  lookAfterHistory,
  type Pruned,
  type PruneParams,
  prune,
  type Retention,
  type RetentionTarget,
  readRetention,
  removeRetention,
  setRetention,
} from "./engine/history.ts";
export { type ResolvedStep, resolveInputs } from "./engine/inputs.ts";
export {
  type BulkDeadLetterFilter,
  type BulkFilter,
  type BulkParams,
  type BulkRound,
  runBulk,
  startBulk,
} from "./engine/operate/bulk.ts";
export {
  type DeadLetterParams,
  discardStep,
  type RetryParams,
  requeueStep,
  resolveStep,
  retryCompensation,
  skipCompensation,
} from "./engine/operate/dead-letter.ts";
export { type DecideParams, decide } from "./engine/operate/decide.ts";
export {
  type DefinitionActParams,
  deprecateDefinition,
  pauseDefinition,
  unpauseDefinition,
} from "./engine/operate/definition.ts";
export type { Operated, OperateParams } from "./engine/operate/operate.ts";
export { type ResumeParams, reprioritise, resumeInstance } from "./engine/operate/resume.ts";
export { type SignalParams, sendSignal } from "./engine/operate/signal.ts";
export { abortInstance, cancelInstance } from "./engine/operate/stop.ts";
export { type Reconciled, reconcile } from "./engine/reconcile.ts";
export { reviewInbox } from "./engine/review.ts";
export { type AttemptResult, type FinishedAttempt, settleAttempts, type Take } from "./engine/settle.ts";
export { type SettleWithinParams, settleWithin } from "./engine/settle-within.ts";
export { insertStarts, type PreparedStart, prepareStart, type Started, type StartRequest } from "./engine/start.ts";
export type { DeadLetterView, DecisionView, StepView, VoteView } from "./engine/step-view.ts";
export { takeOverExpired } from "./engine/takeover.ts";
export {
  type InstanceSummary,
  type InstanceView,
  instanceNotFound,
  type KeptSignalView,
  summarise,
  viewInstance,
} from "./engine/view.ts";
export {
  type BulkAct,
  type BulkItemRow,
  type BulkItemState,
  type BulkRow,
  getBulk,
  hasOpenBulk,
  listBulkItems,
} from "./store/bulk.ts";
export { type Channel, channelName, parseNotification } from "./store/channel.ts";
export {
  type DatabaseOptions,
  executorOf,
  type ForeignClient,
  openDatabase,
  openTransactionPool,
} from "./store/database.ts";
export { isTransient } from "./store/database-error.ts";
export {
  type DefinitionDetails,
  findDefinition,
  type ListedDefinition,
  listDefinitions,
} from "./store/definition-list.ts";
export type { Check } from "./store/doctor/check.ts";
export { checks } from "./store/doctor/checks.ts";
export { type EnvironmentCheck, type EnvironmentOptions, environmentChecks } from "./store/doctor/environment.ts";
export type { CheckReport, DoctorReport, ExamineOptions, Finding } from "./store/doctor/examine.ts";
export { type EventRow, getEvents } from "./store/event.ts";
export { type Database, type Executor, quoteIdentifier, type Statement } from "./store/executor.ts";
export { analyzeHistory, type HistoryObstacle, type HistoryState, historyState } from "./store/history.ts";
export { ringTimers } from "./store/inbox.ts";
export { getInstances, type InstanceState, type ListFilter, listInstances, statesOf } from "./store/instance.ts";
export { type Listener, type ListenerOptions, openListener } from "./store/listener.ts";
export { type MigrationReport, migrate } from "./store/migrate.ts";
export { assertMigrated } from "./store/migration-status.ts";
export { createNotifier, type Notifier } from "./store/notifier.ts";
export type { OpenTransaction, TransactionPool, UserResult, UserStatement } from "./store/open-transaction.ts";
export { type AuditRow, type ListedDeadLetter, listAudit, listDeadLetters } from "./store/operator.ts";
export type { NextDue } from "./store/queue.ts";
export { claim, extend, type LeasedStep, nextDue, wakeDue } from "./store/queue.ts";
export { type HandlerSample, type QueueSample, sampleQueue } from "./store/sample.ts";
export type { SettleResult } from "./store/settle.ts";
export type { ErrorCode, Problem, StepError } from "./vocabulary/error.ts";
export { errorCodes, FloxyError, isFloxyError } from "./vocabulary/error.ts";
export { isId, newId } from "./vocabulary/id.ts";
export type { Json, JsonObject } from "./vocabulary/json.ts";
export { encodeOutput, encodePayload } from "./vocabulary/json-check.ts";
export { defaultPayloadLimit } from "./vocabulary/limit.ts";
export { assertName } from "./vocabulary/name.ts";
export { at, pathOf } from "./vocabulary/path.ts";
export { quote } from "./vocabulary/quote.ts";
export type { Lane, Outcome } from "./vocabulary/status.ts";
export {
  type InstanceStatus,
  instanceStatuses,
  instanceTransitions,
  isTerminal,
  type StepStatus,
  stepTransitions,
  type TerminalStatus,
} from "./vocabulary/status.ts";
