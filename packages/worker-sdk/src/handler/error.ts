/** The errors by which a handler tells the engine what to do next. Any other error is simply a failed attempt. */

/** Thrown by a handler: the step has failed for good, whatever attempts are left. */
export class NonRetryableError extends Error {
  override readonly name = "NonRetryableError";
}

/** Thrown by a handler: the attempt failed, and the next one should not come before `retryAfterMs` have passed. */
export class RetryAfterError extends Error {
  override readonly name = "RetryAfterError";

  /** @param retryAfterMs The least wait before the next attempt, in milliseconds; finite and ≥ 0. */
  constructor(
    readonly retryAfterMs: number,
    message = `try again in ${retryAfterMs} ms`,
    options?: ErrorOptions,
  ) {
    super(message, options);
    if (!Number.isFinite(retryAfterMs) || retryAfterMs < 0) {
      throw new RangeError(`RetryAfterError needs a finite number of milliseconds ≥ 0, got ${retryAfterMs}`);
    }
  }
}
