/** What a handler learns about the call it is in. */
import type { JsonObject, Lane, Outcome, StepError } from "@floxy/shared";

/** Writes one line: fields and a message, or a message alone. */
export interface LogMethod {
  (fields: object, message?: string): void;
  (message: string): void;
}

/** What Floxy asks of a logger. A pino logger fits as it is, and so does `console`. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

/** The definition that an instance belongs to. */
export interface DefinitionRef {
  readonly name: string;
  /** An integer ≥ 1. */
  readonly version: number;
}

/** What every handler gets beside its input. */
export interface StepContext {
  readonly instanceId: string;
  /** The name of the node in its definition, not the name of the handler. */
  readonly step: string;
  readonly definition: DefinitionRef;
  /** Which call this is; the first is 1. */
  readonly attempt: number;
  /** How many calls there will be at most. */
  readonly maxAttempts: number;
  /**
   * The same in every attempt of this step, and another one for its compensation. Hand it to whatever you call, so that
   * a repeated call has one effect.
   */
  readonly idempotencyKey: string;
  /**
   * The same in every attempt of this step and of its compensation: the name of the effect that the one has and the other
   * takes back. For `barrier`, and for services of your own that must tell which undo belongs to which action.
   */
  readonly effectKey: string;
  /** What the caller gave to the instance at its start. */
  readonly metadata: JsonObject;
  /** Fires when the result will not count any more: timeout, lost lease, cancellation or shutdown of the worker. */
  readonly signal: AbortSignal;
  /** A logger whose lines carry the instance and the step. */
  readonly logger: Logger;
  /** Whether this is the action (`forward`) or its compensation. */
  readonly lane: Lane;
}

/** What a compensation gets beside its input. */
export interface CompensationContext<Output = unknown> extends StepContext {
  /**
   * `happened`: the step completed and {@link output} is there. `unknown`: it failed, timed out or was lost, and may have
   * had effects, so the compensation must also do the right thing when there is nothing to undo.
   */
  readonly outcome: Exclude<Outcome, "absent">;
  /** What the step returned; `undefined` when it did not complete. */
  readonly output: Output | undefined;
  /** Why the instance is being rolled back. */
  readonly cause: StepError;
}
