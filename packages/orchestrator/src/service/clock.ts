/** Time and chance, the two things of the outside that a service's loop depends on. Handed in, so that tests own them. */

/** A clock that only goes forward. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Calls `run` once after `delayMs`; the answer takes it back. */
  after(delayMs: number, run: () => void): () => void;
}

/** The clock of the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    // A timer of 0 ms takes one; a loop that has more to do only has to let others have their turn.
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Numbers from 0 to below 1. */
export type Random = () => number;
