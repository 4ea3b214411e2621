/** How long to wait: after a failure, and after a look that found nothing. */
import type { Random } from "./clock.ts";

const firstBackoffMs = 100;
const longestBackoffMs = 5_000;

/**
 * The wait before the next try after `failures` failures in a row: full jitter, which keeps many processes that lost the
 * same database from coming back in step (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export const backoffMs = (failures: number, random: Random): number =>
  Math.round(random() * Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 20)));

/** Waits that grow while nothing is found. */
export interface Pace {
  /** Something was found: the next wait is the shortest again. */
  reset(): void;
  /** The next wait in milliseconds; each is twice the one before, at most `longestMs`. */
  next(longestMs: number): number;
}

/**
 * Makes a pace that starts at `shortestMs`. A tenth of each wait is random, so that copies of a process spread out.
 */
export const createPace = (shortestMs: number, random: Random): Pace => {
  let waitMs = shortestMs;
  return {
    reset() {
      waitMs = shortestMs;
    },
    next(longestMs) {
      const now = Math.min(waitMs, longestMs);
      waitMs = Math.min(waitMs * 2, longestMs);
      return now * (0.9 + 0.1 * random());
    },
  };
};
