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
}

/** One branch of a fork. */
export interface BranchJson {
  readonly name: string;
  readonly nodes: readonly NodeJson[];
}

/** Runs branches beside each other and joins them; passes on `{ branch: value }`. */
export interface ForkJson {
  readonly kind: "fork";
  readonly name: string;
  readonly branches: readonly BranchJson[];
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
}

/** A node of the graph. */
export type NodeJson = TaskJson | ForkJson | ConditionJson | SavepointJson;

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
  readonly metadata?: JsonObject;
  readonly nodes: readonly NodeJson[];
}

/** The priority of an instance when neither its start nor its definition names one. */
export const defaultPriority = 50;
