/** Whether and when a failed attempt is followed by another. */
import { durationLimitMs } from "../definition/limit.ts";
import type { RetryPolicy, RetryStrategy, TaskJson } from "../definition/model.ts";
import { defaultCompensationRetry, defaultRetry } from "../definition/model.ts";
import type { Lane } from "../vocabulary/status.ts";

/** The whole retry policy of a step in a lane, with all defaults. At most one call if the step is not idempotent. */
export const retryPolicyOf = (task: TaskJson, lane: Lane): Required<RetryPolicy> => {
  if (lane === "compensation") return { ...defaultCompensationRetry, ...task.compensation?.retry };
  const policy = { ...defaultRetry, ...task.retry };
  return task.idempotent === false ? { ...policy, maxAttempts: 1 } : policy;
};

/** A failed attempt. */
export interface FailedAttempt {
  readonly policy: Required<RetryPolicy>;
  /** Which attempt it was, counted from 1. */
  readonly attempt: number;
  /** Whether another attempt could help at all. */
  readonly retryable: boolean;
  /** The wait that the handler asked for, in milliseconds; it wins over the strategy unless it is no number ≥ 0. */
  readonly retryAfterMs?: number | undefined;
  /** A number from 0 to below 1. */
  readonly random: number;
}

/** Decides on a retry: the wait before it in milliseconds, or `null` when the step has failed for good. */
export const decideRetry = ({ policy, attempt, retryable, retryAfterMs, random }: FailedAttempt): number | null => {
  if (!retryable || attempt >= policy.maxAttempts) return null;
  if (retryAfterMs !== undefined && retryAfterMs >= 0) return Math.min(Math.ceil(retryAfterMs), durationLimitMs);
  const delay = Math.min(policy.delayMs * growth[policy.strategy](attempt), policy.maxDelayMs);
  return Math.round(delay * (1 - policy.jitter * random));
};

const growth: Record<RetryStrategy, (attempt: number) => number> = {
  fixed: () => 1,
  linear: (attempt) => attempt,
  exponential: (attempt) => 2 ** (attempt - 1),
};
