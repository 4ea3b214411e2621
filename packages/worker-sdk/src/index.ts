export {
  type AuditRow,
  type BulkDeadLetterFilter,
  type BulkFilter,
  type BulkItemState,
  type CheckReport,
  type DeadLetterView,
  type DecisionView,
  type DefinitionChange,
  type DefinitionDiff,
  type DefinitionJson,
  type DoctorReport,
  type ErrorCode,
  type EventRow,
  type FieldChange,
  type Finding,
  FloxyError,
  type ForeignClient,
  type InstanceStatus,
  type InstanceSummary,
  type InstanceView,
  isFloxyError,
  type KeptSignalView,
  type ListedDefinition,
  type Operated,
  type Problem,
  type Pruned,
  type Retention,
  type RetentionTarget,
  type StepError,
  type StepStatus,
  type StepView,
  type VoteView,
} from "@floxy/shared";
export {
  type DrizzleSql,
  type DrizzleTransaction,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPrisma,
  type KnexTransaction,
  type KyselyCompiledQuery,
  type KyselyTransaction,
  type PrismaTransaction,
} from "./barrier/adapters.ts";
export { type BarrierCall, type BarrierOptions, type BarrierResult, barrier } from "./barrier/barrier.ts";
export {
  type BarrierTable,
  barrierSchema,
  createBarrierTable,
  type PruneOptions,
  pruneBarrier,
} from "./barrier/table.ts";
export type {
  ActOptions,
  DecideOptions,
  ReasonedOptions,
  ReprioritiseOptions,
  RequeueOptions,
  ResolveOptions,
  ResumeOptions,
  SignalOptions,
} from "./client/act-options.ts";
export type { AuditOptions, AuditPage } from "./client/audit.ts";
export type {
  Bulk,
  BulkItem,
  BulkItemsOptions,
  BulkOperator,
  BulkOptions,
  BulkStarted,
} from "./client/bulk.ts";
export { FloxyClient } from "./client/client.ts";
export type { DeadLetter, DeadLetterPage, DeadLettersOptions } from "./client/dead-letters.ts";
export type { DefinitionsOptions, RegisteredDefinition } from "./client/definitions.ts";
export type { ClientDoctorOptions } from "./client/doctor.ts";
export type { InstanceHandle } from "./client/handle.ts";
export type { EventsOptions, FollowOptions } from "./client/history.ts";
export type { InstancePage, ListOptions } from "./client/list.ts";
export type { DefinitionActed, Operator } from "./client/operator.ts";
export type { ClientOptions } from "./client/options.ts";
export type { Registrable } from "./client/registrar.ts";
export type { PruneHistoryOptions, RetentionOperator, RetentionRule } from "./client/retention.ts";
export type { StartOptions } from "./client/start.ts";
export type { StartedMany, StartItem, StartItems, StartManyOptions, StartResult } from "./client/start-many.ts";
export type { WaitForEnd, WaitOptions } from "./client/waiting.ts";
export type { CompensationContract, CompensationDefinition, CompensationFunction } from "./handler/compensation.ts";
export { defineCompensation } from "./handler/compensation.ts";
export type { CompensationContext, DefinitionRef, Logger, LogMethod, StepContext } from "./handler/context.ts";
export type { HandlerContract, HandlerDefinition, HandlerFunction, InputOf, OutputOf } from "./handler/contract.ts";
export { defineHandler } from "./handler/contract.ts";
export { NonRetryableError, RetryAfterError } from "./handler/error.ts";
export type {
  AnyHandlerImplementation,
  CompensationImplementation,
  ContextWith,
  HandlerImplementation,
  HandlerOptions,
} from "./handler/implementation.ts";
export type { AnySchema, Checked } from "./handler/schema.ts";
export { toJsonSchema, typeOnly, validateWith } from "./handler/schema.ts";
export type {
  HandlerTransaction,
  InTransaction,
  TransactionCallback,
  TransactionResult,
  TransactionStatement,
} from "./handler/transaction.ts";
export type { WorkerHealth } from "./worker/health.ts";
export type { WorkerOptions } from "./worker/options.ts";
export { Worker } from "./worker/worker.ts";
export type { Workflow, WorkflowInput, WorkflowOptions, WorkflowOutput } from "./workflow/built.ts";
export type { Condition } from "./workflow/condition.ts";
export {
  and,
  atLeast,
  atMost,
  equal,
  greaterThan,
  isPresent,
  lessThan,
  not,
  notEqual,
  or,
} from "./workflow/condition.ts";
export type { Decision, DecisionKind, Vote } from "./workflow/decision.ts";
export type { Ended } from "./workflow/ended.ts";
export type { OptionalRef } from "./workflow/expression.ts";
export { expr, optional, required } from "./workflow/expression.ts";
export type { Frame } from "./workflow/flow.ts";
export type { HumanOptions } from "./workflow/human.ts";
export type { JoinOptions } from "./workflow/join.ts";
export type { Ref } from "./workflow/ref.ts";
export type { SavepointOptions } from "./workflow/savepoint.ts";
export type { Scope } from "./workflow/scope.ts";
export type { Sequence } from "./workflow/sequence.ts";
export type { CompensationOptions, StepHandle, StepOptions } from "./workflow/step.ts";
export { defineStep } from "./workflow/step.ts";
export type { SignalNodeOptions, SleepOptions } from "./workflow/wait.ts";
export type { WorkflowStart } from "./workflow/workflow.ts";
export { workflow } from "./workflow/workflow.ts";
