/**
 * The statuses of instances and steps and the transitions between them.
 *
 * This is the one table: the SQL CHECKs, the diagrams in the docs and the colours of the console are made from it.
 */

/** Where an instance can go from each of its statuses. An empty list marks a terminal status. */
export const instanceTransitions = {
  pending: ["running", "cancelling", "aborted"],
  running: ["completed", "rolling_back", "cancelling", "aborted", "dlq"],
  rolling_back: ["failed", "dlq", "cancelling", "aborted", "running"],
  cancelling: ["cancelled", "dlq", "aborted"],
  dlq: ["running", "rolling_back", "cancelling", "aborted"],
  completed: [],
  failed: ["running"],
  cancelled: [],
  aborted: [],
} as const satisfies Record<string, readonly string[]>;

/** The status of an instance. `failed` and `cancelled` are said only when the rollback is finished. */
export type InstanceStatus = keyof typeof instanceTransitions;

/** All instance statuses, in the order of the table. */
export const instanceStatuses = Object.keys(instanceTransitions) as readonly InstanceStatus[];

/** The statuses in which an instance has come to its end. (`failed` can be resumed by a person, nothing else can.) */
export const terminalStatuses = ["completed", "failed", "cancelled", "aborted"] as const satisfies InstanceStatus[];

/** The statuses that say how an instance ended. */
export type TerminalStatus = (typeof terminalStatuses)[number];

/** Whether nothing of the instance runs any more. */
export const isTerminal = (status: InstanceStatus): status is TerminalStatus =>
  (terminalStatuses as readonly string[]).includes(status);

/** Where a step can go from each of its statuses. */
export const stepTransitions = {
  pending: ["running", "skipped", "failed"],
  running: ["completed", "failed", "pending", "paused", "skipped"],
  waiting: ["completed", "failed", "skipped", "paused"],
  waiting_decision: ["confirmed", "rejected", "skipped", "failed"],
  paused: ["pending", "compensating", "completed", "failed", "rolled_back", "skipped", "waiting"],
  completed: ["compensating", "rolled_back", "waiting"],
  failed: ["compensating", "rolled_back", "pending"],
  confirmed: ["rolled_back", "pending"],
  rejected: ["rolled_back", "pending"],
  compensating: ["rolled_back", "paused", "failed"],
  skipped: ["pending"],
  rolled_back: ["pending"],
} as const satisfies Record<string, readonly string[]>;

/**
 * The status of a step. `waiting` is a fork whose branches are still on their way, a sleep, a signal, or a savepoint until
 * the flow goes on from it again.
 */
export type StepStatus = keyof typeof stepTransitions;

/** All step statuses, in the order of the table. */
export const stepStatuses = Object.keys(stepTransitions) as readonly StepStatus[];

/**
 * What is known of the effects of a forward step.
 * `happened`: it completed. `absent`: its handler was never called, or only in transactions that were rolled back. `unknown`: it failed, timed out or was lost, and may
 * have had effects. On rollback `happened` and `unknown` are compensated.
 */
export type Outcome = "happened" | "absent" | "unknown";

/** All outcomes. */
export const outcomes = ["happened", "absent", "unknown"] as const satisfies Outcome[];

/** The two kinds of work in the queue. A compensation never waits behind forward work. */
export type Lane = "forward" | "compensation";

/** All lanes. */
export const lanes = ["forward", "compensation"] as const satisfies Lane[];

/**
 * What a queued step waits for: `ready` for a worker, `delayed` for its time, `leased` for its worker's result, `held` for
 * a person to resume its definition.
 */
export type QueueState = "ready" | "delayed" | "leased" | "held";

/** All states of a queued step. */
export const queueStates = ["ready", "delayed", "leased", "held"] as const satisfies QueueState[];
