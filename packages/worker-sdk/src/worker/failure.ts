/** What follows from what a handler threw. */
import type { AttemptResult, ErrorCode, StepError } from "@floxy/shared";
import { isFloxyError, toStepError } from "@floxy/shared";
import { NonRetryableError, RetryAfterError } from "../handler/error.ts";

/** A failed attempt. */
export type Failure = Extract<AttemptResult, { kind: "failed" }>;

/** What is known of an attempt whose handler threw. */
export interface Thrown {
  readonly error: unknown;
  /** Why the handler was told to stop; `undefined` when it was not. */
  readonly abortReason: unknown;
  /** Whether the handler's own code had begun. */
  readonly called: boolean;
}

/** Makes a failure of what was thrown. Never throws, whatever that is. */
export const failureOf = (thrown: Thrown): Failure => {
  try {
    return judge(thrown);
  } catch {
    // Even asking what class it is of may throw.
    return failure(toStepError(thrown.error), true, { called: thrown.called });
  }
};

/** A failure of Floxy's own making, of an attempt whose handler did not end. */
export const interrupted = (reason: unknown, called: boolean): Failure =>
  failure(toStepError(reason), true, { called, ...(isNobodysFault(reason) && { retryAfterMs: 0 }) });

const judge = ({ error, abortReason, called }: Thrown): Failure => {
  if (error instanceof NonRetryableError) return failure(toStepError(error, "", notRetryable), false, { called });
  if (error instanceof RetryAfterError) {
    return failure(toStepError(error), true, { called, retryAfterMs: error.retryAfterMs });
  }
  // A terminal error of Floxy's own stays wrong however often it is tried.
  const isTerminal = isFloxyError(error) && error.kind !== "retryable";
  // Whatever else comes after the signal fired comes from stopping.
  if (isNobodysFault(abortReason) && (!isTerminal || error === abortReason)) return interrupted(abortReason, called);
  return failure(toStepError(error), !isTerminal, { called });
};

// The step has done nothing to be put off for: the next worker may try at once.
const isNobodysFault = (reason: unknown): boolean =>
  isFloxyError(reason, "SHUTDOWN") || isFloxyError(reason, "LEASE_LOST");

const notRetryable: ErrorCode = "HANDLER_NOT_RETRYABLE";

const failure = (error: StepError, retryable: boolean, more: Pick<Failure, "called" | "retryAfterMs">): Failure => ({
  kind: "failed",
  error,
  retryable,
  ...more,
});
