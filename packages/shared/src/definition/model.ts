/**
 * The stored form of a definition: plain JSON, immutable once registered. `docs/definition.md` describes it for people;
 * `schema.ts` checks it when it arrives from outside; `graph.ts` makes it walkable.
 */
import type { Json, JsonObject } from "../vocabulary/json.ts";

/** A JSON Schema document (draft 2020-12), kept as data. */
export type JsonSchema = JsonObject;

/**
 * A CEL expression as text. It sees `input` (the instance's input), `value` (what the node before passed on) and
 * `steps` (the outputs of nodes that certainly ran before, by name).
 */
export type Expression = string;

/**
 * How a node's input is made. A mapping is a JSON template: an object whose only key is `$` holds an expression and
 * becomes its value; one whose only key is `$?` does the same but is left out when the path does not exist; everything
 * else stands for itself.
 */
export type Mapping = Json;

/** How the delay between two attempts grows: the same, plus one `delayMs` each time, or doubled each time. */
export type RetryStrategy = "fixed" | "linear" | "exponential";

/** When and how often a handler is called again. Every field has a default, see {@link defaultRetry}. */
export interface RetryPolicy {
  /** How many handler calls in total, the first included. An integer ≥ 1. */
  readonly maxAttempts?: number;
  readonly strategy?: RetryStrategy;
  /** The wait before the second attempt, in milliseconds. */
  readonly delayMs?: number;
  /** The longest wait before any attempt, in milliseconds, jitter included. */
  readonly maxDelayMs?: number;
  /** How much of each delay is random, 0 to 1: the delay is taken from [d × (1 − jitter), d]. */
  readonly jitter?: number;
}

/** The retry policy of a step that names none: three attempts, a second and two seconds apart, a fifth of it random. */
export const defaultRetry: Required<RetryPolicy> = {
  maxAttempts: 3,
  strategy: "exponential",
  delayMs: 1_000,
  maxDelayMs: 60_000,
  jitter: 0.2,
};

/** The retry policy of a compensation that names none: more patient, because what it leaves undone a person must do. */
export const defaultCompensationRetry: Required<RetryPolicy> = { ...defaultRetry, maxAttempts: 10 };

/** The longest that one attempt may take when its step names no timeout: five minutes. */
export const defaultTimeoutMs = 300_000;

/** The compensation of a task: the handler that undoes it, called on rollback. */
export interface CompensationJson {
  readonly handler: string;
  /** Made like a node's input; by default the compensated step's own input. */
  readonly input?: Mapping;
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
}

/** Calls a handler. */
export interface TaskJson {
  readonly kind: "task";
  readonly name: string;
  readonly handler: string;
  /** By default the value of the node before it. */
  readonly input?: Mapping;
  readonly retry?: RetryPolicy;
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** How long to wait before the first attempt, in milliseconds. */
  readonly delayMs?: number;
  /** 0 to 100; by default the instance's. */
  readonly priority?: number;
  /** `false`: at most one handler call, ever. */
  readonly idempotent?: boolean;
  readonly metadata?: JsonObject;
  readonly compensation?: CompensationJson;
  /** When the compensation is called on rollback: whenever the step was started, or only if it completed. */
  readonly compensateOn?: "started" | "completed";
  /** What the handler takes; a person who gives the step another input is held to it. */
  readonly inputSchema?: JsonSchema;
}

/** One branch of a fork. */
export interface BranchJson {
  readonly name: string;
  readonly nodes: readonly NodeJson[];
}

/** How many branches must arrive before a join fires: all of them, the first, or so many. */
export type JoinRule = "all" | "any" | { readonly atLeast: number };

/**
 * What becomes of branches that had not arrived when the join fired. `cancel`: what waits is skipped, what runs is told to
 * stop, what completed stays. `compensate`: also undone at once. `wait`: the join waits for them to end, one way or the
 * other.
 */
export type Losers = "cancel" | "compensate" | "wait";

/** Runs branches beside each other and joins them; passes on `{ branch: value }` of those that arrived. */
export interface ForkJson {
  readonly kind: "fork";
  readonly name: string;
  readonly branches: readonly BranchJson[];
  /** By default `all`. */
  readonly join?: JoinRule;
  /** By default `cancel`. Not with `join: "all"`, which has no losers. */
  readonly losers?: Losers;
}

/** Takes one of two sides, either of which may be empty; passes on the value of the side taken. */
export interface ConditionJson {
  readonly kind: "condition";
  readonly name: string;
  readonly when: Expression;
  readonly then: readonly NodeJson[];
  readonly else: readonly NodeJson[];
}

/** A boundary at which rollback stops; passes its input on. Only in the outermost sequence or a condition there. */
export interface SavepointJson {
  readonly kind: "savepoint";
  readonly name: string;
  /** How often the way from here is gone again by itself after a rollback to here; `maxAttempts` counts all of them. */
  readonly retry?: RetryPolicy;
}

/**
 * Waits for people to decide. Passes on its input with a field `decision`; an input that is no object becomes the field
 * `value` beside it.
 */
export interface HumanJson {
  readonly kind: "human";
  readonly name: string;
  /** What the people see; by default the value of the node before it. */
  readonly input?: Mapping;
  readonly description?: string;
  /** Who may decide; by default anyone. */
  readonly deciders?: readonly string[];
  /** How many different people must confirm, default 1. A single rejection rejects. */
  readonly approvals?: number;
  /** What the form that comes with a confirmation must look like. */
  readonly formSchema?: JsonSchema;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** What happens then, by default `reject`. `escalate`: `escalateTo` may decide from then on, for as long again. */
  readonly onTimeout?: "confirm" | "reject" | "escalate";
  readonly escalateTo?: readonly string[];
  /** What a rejection leads to, by default `rollback`. `continue`: the flow goes on, and a condition can ask. */
  readonly onReject?: "rollback" | "abort" | "continue";
  readonly metadata?: JsonObject;
}

/** Waits, durably: for a duration, or until a time that an expression yields. Passes its input on. */
export interface SleepJson {
  readonly kind: "sleep";
  readonly name: string;
  /** Either this, in milliseconds … */
  readonly durationMs?: number;
  /** … or this: an expression that yields a time, as text in ISO 8601 with a zone, or milliseconds since 1970. */
  readonly until?: Expression;
}

/** Waits for a signal; passes its payload on. One that arrived before is taken. */
export interface SignalJson {
  readonly kind: "signal";
  readonly name: string;
  /** The name of the signal; by default the node's. */
  readonly signal?: string;
  /** How long to wait before the step fails, in milliseconds; by default for as long as it takes. */
  readonly timeoutMs?: number;
}

/**
 * Ends a sequence early. `complete`: the branch has arrived, or the instance is completed, with the value that was passed
 * to this node. `fail`: the step fails for good. `rollbackTo`: it fails, and the rollback stops at `savepoint`.
 */
export interface EndJson {
  readonly kind: "end";
  readonly name: string;
  readonly how: "complete" | "fail" | "rollbackTo";
  /** Why it fails, for people. */
  readonly message?: string;
  /** A savepoint that was certainly passed, for `rollbackTo`. */
  readonly savepoint?: string;
}

/** A node of the graph. */
export type NodeJson =
  | TaskJson
  | ForkJson
  | ConditionJson
  | SavepointJson
  | HumanJson
  | SleepJson
  | SignalJson
  | EndJson;

/** A definition as it is stored. */
export interface DefinitionJson {
  /** The version of this form. */
  readonly format: 1;
  readonly name: string;
  /** An integer ≥ 1. */
  readonly version: number;
  readonly description?: string;
  /** What the instance's input must look like; checked at start. */
  readonly inputSchema?: JsonSchema;
  /** 0 to 100; the priority of an instance that is started without one. Default 50. */
  readonly priority?: number;
  /**
   * What a step that failed for good leads to, by default `rollback`. `dlq`: a dead letter and a pause; a person decides.
   * A rejection and an `end` that fails are decisions and not failures: they always lead to a rollback.
   */
  readonly onFailure?: "rollback" | "dlq";
  /** The order of compensations, by default `causal`. `sequential`: one after another, the last to complete first. */
  readonly compensate?: "causal" | "sequential";
  /** How long an instance may take, in milliseconds; then it is cancelled, with rollback. */
  readonly deadlineMs?: number;
  readonly metadata?: JsonObject;
  readonly nodes: readonly NodeJson[];
}

/** The priority of an instance when neither its start nor its definition names one. */
export const defaultPriority = 50;
