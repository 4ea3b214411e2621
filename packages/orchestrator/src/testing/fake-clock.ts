/** A clock that stands still until a test moves it. */
import type { Clock } from "../service/clock.ts";

/** A {@link Clock} for tests. */
export interface FakeClock extends Clock {
  /** Moves time, calling what becomes due in its order, and lets what was called go on in between. */
  advance(ms: number): Promise<void>;
  /** In how many milliseconds the waits that were asked for end, the next first. */
  readonly waits: readonly number[];
}

/** Lets everything run that waits for nothing but its turn. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** Makes a clock that stands at 0. */
export const createFakeClock = (): FakeClock => {
  let now = 0;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  return {
    now: () => now,
    after(delayMs, run) {
      // What is due at once does not wait for the test, as it would not wait for the process's clock.
      if (delayMs <= 0) {
        const immediate = setImmediate(run);
        return () => clearImmediate(immediate);
      }
      const timer = { at: now + delayMs, run };
      timers = [...timers, timer].sort((a, b) => a.at - b.at);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    async advance(ms) {
      const end = now + ms;
      await settled();
      for (let next = timers[0]; next !== undefined && next.at <= end; next = timers[0]) {
        timers = timers.slice(1);
        now = next.at;
        next.run();
        await settled();
      }
      now = end;
    },
    get waits() {
      return timers.map(({ at }) => at - now);
    },
  };
};
