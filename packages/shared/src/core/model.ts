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
  /** How many attempts have begun; of a savepoint, how often the flow has been led back to it. */
  readonly attempt: number;
  /** Whether the time until which it waits has come. */
  readonly due: boolean;
  /** Of a join that fired: the branches that had arrived. */
  readonly winners: readonly string[] | null;
  /** Whether a person has put another value in place of the one that a savepoint passes on. */
  readonly replaced: boolean;
}

/** A step in the queue. */
export interface QueuedState {
  readonly node: string;
  readonly lane: Lane;
  readonly state: QueueState;
  /** How many attempts have begun. */
  readonly attempt: number;
  readonly inputFrom: Source;
  /** Whether the graph goes on when it completes: not if it was queued before a freeze, or its branch has lost. */
  readonly current: boolean;
  /** Whether an attempt may have had effects; not if all were made in transactions that were rolled back. */
  readonly uncertain: boolean;
}

/** A person's vote on a human node. */
export interface Vote {
  readonly by: string;
  readonly kind: "confirm" | "reject";
  readonly comment: string | null;
  readonly form: Json;
  /** A time in ISO 8601. */
  readonly at: string;
}

/** A signal that has arrived and was not taken by a node. */
export interface KeptSignal {
  readonly signalId: string;
  readonly name: string;
  readonly payload: Json;
}

/** The state of one instance, without payloads. Steps are in the order in which they were settled. */
export interface InstanceState {
  readonly status: InstanceStatus;
  /** Why it is being rolled back; `null` before. */
  readonly cause: StepError | null;
  /** The savepoint at which its rollback stops; `null` for the root, and before the way back has begun. */
  readonly boundary: string | null;
  /** Of an instance in `dlq`: what it was before, and will be when no dead letter stands in its way. */
  readonly pausedFrom: InstanceStatus | null;
  /** Whether its deadline has passed. */
  readonly overdue: boolean;
  readonly steps: ReadonlyMap<string, StepState>;
  readonly queue: ReadonlyMap<string, QueuedState>;
  /** The dead letters, by node: in the forward lane a step that failed in DLQ mode, else a compensation. */
  readonly deadLetters: ReadonlyMap<string, Lane>;
  /** The votes on human nodes that wait, by node, the first to vote first. */
  readonly votes: ReadonlyMap<string, readonly Vote[]>;
  /** The signals that are kept, the first to arrive first. */
  readonly signals: readonly KeptSignal[];
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
  /** Until when it waits: for so many milliseconds, or until a time in ISO 8601; `null` for as long as it takes. */
  readonly due: Due | null;
  /** Whether its failure concerns only its branch, because the join can do without; else the instance fails at once. */
  readonly contained: boolean;
}

/** A time to wait for. */
export type Due = { readonly inMs: number } | { readonly at: string };

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
  /** The innermost fork in whose branch the step stands; `null` outside of forks, and of a compensation. */
  readonly fork: string | null;
  /** Of a compensation: those that follow it. Absent where that is for a look at the whole instance to say. */
  readonly chain?: readonly ChainLink[];
  /** Whether attempts before, which a person has taken back, may have had effects. */
  readonly uncertain?: boolean;
}

/**
 * A compensation that follows another without a look at the instance in between: what its row in the queue needs, and what
 * else is written with it. When the one before is completed, the first link of its chain is put into the queue, and the
 * others become the chain of that. Only while the instance is frozen in the epoch of the row; else someone looks, as at the
 * end of the chain.
 */
export interface ChainLink {
  readonly node: string;
  readonly handler: string;
  /** 0 to 100; `null` for the instance's own. */
  readonly priority: number | null;
  readonly timeoutMs: number;
  readonly inputFrom: Source;
  /** Steps that are rolled back without a call when the way back has come to this compensation. */
  readonly rolledBack: readonly string[];
}

/** What follows when the flow leaves a node. */
export interface Advance {
  readonly records: readonly NodeRecord[];
  readonly enqueue: readonly Enqueue[];
  /** A node failed, or more has to be decided than one step can: someone must look at the whole instance. */
  readonly review: boolean;
  /**
   * The fork at whose join a branch has arrived, when all of them must arrive: someone must look at the instance, unless
   * another step of this fork is still in the queue; the last one to leave it will say so.
   */
  readonly joins: string | null;
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
  /** The value that the node yields. */
  readonly output?: Json;
  readonly error?: StepError;
  readonly side?: Side | null;
  readonly winners?: readonly string[];
  /** Until when it waits from now on; it waits no longer when the field is absent. */
  readonly due?: Due;
}

/** A change of the instance's own row. Fields that are absent stay as they are. */
export interface InstanceChange {
  readonly status: InstanceStatus;
  /** Whether forward work queued until now loses the right to advance the graph. */
  readonly freeze?: boolean;
  /** `null` takes the cause away. */
  readonly cause?: StepError | null;
  readonly boundary?: string | null;
  readonly outputFrom?: Source;
  /** What a dead letter keeps it from being. */
  readonly pausedFrom?: InstanceStatus | null;
  /** Whether a new run of part of the graph begins: what runs from here on has other idempotency keys than before. */
  readonly restart?: boolean;
}

/** A dead letter to write. */
export interface NewDeadLetter {
  readonly node: string;
  readonly lane: Lane;
  readonly error: StepError;
  readonly attempt: number;
}

/** What should be written after a look at a whole instance. Absent lists are empty. */
export interface Decision {
  readonly instance?: InstanceChange;
  /** Changes of rows that exist, and rows for steps that leave the queue without a result. */
  readonly steps?: readonly StepChange[];
  /** Rows for nodes that the flow has newly reached, in place of older ones. */
  readonly records?: readonly NodeRecord[];
  /** Nodes whose rows go, because the flow has been led back to before them. */
  readonly forget?: readonly string[];
  /** Nodes whose row in the queue is removed. */
  readonly unqueue?: readonly string[];
  /** Nodes that run and whose handlers should stop: the graph does not go on when they complete. */
  readonly disown?: readonly string[];
  readonly enqueue?: readonly Enqueue[];
  /** Dead letters to write. */
  readonly bury?: readonly NewDeadLetter[];
  /** Nodes whose dead letters are done with. */
  readonly exhume?: readonly string[];
  /** Signals that nodes have taken. */
  readonly take?: readonly { readonly signalId: string; readonly node: string }[];
  /** Nodes whose signals are kept again. */
  readonly untake?: readonly string[];
  /** A human node whose deadline has passed and that others may decide now. */
  readonly escalate?: readonly string[];
  /** Whether what was written gives reason for another look. */
  readonly review?: boolean;
}
