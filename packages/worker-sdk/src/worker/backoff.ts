/** Waiting before another try, longer each time and never in step with others. */

/** A wait that grows with each failure in a row. */
export interface Backoff {
  /** Waits; resolves early when stopped. */
  wait(): Promise<void>;
  /** The next wait is short again. */
  reset(): void;
  /** Ends the current wait and makes all later ones return at once. */
  stop(): void;
}

/** Makes a backoff with full jitter: each wait is random between 0 and a bound that doubles from `firstMs` to `capMs`. */
export const createBackoff = (firstMs = 50, capMs = 5_000): Backoff => {
  let failures = 0;
  let stopped = false;
  let wake: (() => void) | undefined;
  return {
    wait() {
      if (stopped) return Promise.resolve();
      const delay = Math.random() * Math.min(firstMs * 2 ** failures++, capMs);
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, delay);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    reset() {
      failures = 0;
    },
    stop() {
      stopped = true;
      wake?.();
    },
  };
};
