/**
 * What the core reads and what it answers. The core is pure: it looks at a graph and at the state of one instance and
 * says what should be written. It never reads a clock, never waits, and changes nothing.
 */
import type { Side } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";

/**
 * Where a payload stands: the name of the node whose row holds it, or `null` for the instance's own input. Payloads are
 * passed on by reference and never copied.
 */
export type Source = string | null;

/** The record of a step that has left the queue, or of a node that never enters it. Without its payload. */
export interface StepState {
  readonly node: string;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  /** The side that a condition took. */
  readonly side: Side | null;
  readonly error: StepError | null;
  /** The source of the value that was passed to it. */
  readonly inputFrom: Source;
}

/** A step in the queue. */
export interface QueuedState {
  readonly node: string;
  readonly lane: Lane;
  readonly state: QueueState;
  /** How many attempts have begun. */
  readonly attempt: number;
  readonly inputFrom: Source;
}

/** The state of one instance, without payloads. Steps are in the order in which they were settled. */
export interface InstanceState {
  readonly status: InstanceStatus;
  /** Why it is being rolled back; `null` before. */
  readonly cause: StepError | null;
  /** The savepoint at which its rollback stops; `null` for the root. */
  readonly boundary: string | null;
  readonly steps: ReadonlyMap<string, StepState>;
  readonly queue: ReadonlyMap<string, QueuedState>;
}

/** What is loaded of a step when an expression may look at it. */
export interface PayloadRow {
  /** The output; absent when the step has none. */
  readonly output?: Json;
  /** The side that a condition took. */
  readonly side: Side | null;
}

/** The payloads that a decision may look at: the instance's input, and rows by node. See `needs.ts` for which. */
export interface Payloads {
  readonly input: Json;
  readonly rows: ReadonlyMap<string, PayloadRow>;
}

/** The row that a node other than a task gets when the flow reaches it. */
export interface NodeRecord {
  readonly node: string;
  readonly status: StepStatus;
  readonly side: Side | null;
  readonly error: StepError | null;
  /** What the node got: the source of the value that was passed to it. */
  readonly inputFrom: Source;
}

/** A step to put into the queue. */
export interface Enqueue {
  readonly node: string;
  readonly lane: Lane;
  readonly handler: string;
  /** 0 to 100; `null` for the instance's own. */
  readonly priority: number | null;
  readonly delayMs: number;
  readonly timeoutMs: number;
  /** What the node before passed on: its input, unless it has a mapping. */
  readonly inputFrom: Source;
}

/** What follows when the flow leaves a node. */
export interface Advance {
  readonly records: readonly NodeRecord[];
  readonly enqueue: readonly Enqueue[];
  /** A branch has arrived at its join, or a node failed: someone must look at the whole instance. */
  readonly review: boolean;
  /** The outermost sequence came to its end; the instance's output is at this source. */
  readonly finished: { readonly outputFrom: Source } | null;
}

/** A change of a step's row. Fields that are absent stay as they are. */
export interface StepChange {
  readonly node: string;
  readonly status: StepStatus;
  readonly outcome?: Outcome;
  readonly attempt?: number;
  readonly inputFrom?: Source;
  /** The value that a join yields. */
  readonly output?: Json;
}

/** A change of the instance's own row. Fields that are absent stay as they are. */
export interface InstanceChange {
  readonly status: InstanceStatus;
  /** Whether forward work queued until now loses the right to advance the graph. */
  readonly freeze?: boolean;
  readonly cause?: StepError;
  readonly boundary?: string | null;
  readonly outputFrom?: Source;
}

/** What should be written after a look at a whole instance. */
export interface Decision {
  readonly instance: InstanceChange | null;
  /** Changes of rows that exist, and rows for steps that leave the queue without a result. */
  readonly steps: readonly StepChange[];
  /** Rows for nodes that the flow has newly reached. */
  readonly records: readonly NodeRecord[];
  /** Nodes whose row in the queue is removed. */
  readonly unqueue: readonly string[];
  readonly enqueue: readonly Enqueue[];
  /** Whether what was written gives reason for another look. */
  readonly review: boolean;
}
