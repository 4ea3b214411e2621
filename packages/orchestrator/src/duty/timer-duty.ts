/** Timers: when their time has come, delayed steps are made ready, and instances that wait for it are noted for review. */
import type { Database, Hints } from "@floxy/shared";
import { noHints, ringTimers, wakeDue } from "@floxy/shared";
import type { Pace } from "../service/pace.ts";
import type { Duty } from "../service/service.ts";
import type { DueWatch } from "./due-watch.ts";

/** What the timer duty needs. */
export interface TimerDutyOptions {
  readonly db: Database;
  readonly due: DueWatch;
  readonly pace: Pace;
  /** The most steps to wake, and timers to ring, in one statement. */
  readonly batchSize: number;
  readonly pollMs: () => number;
  readonly longestWaitMs: number;
  readonly publish: (hints: Hints) => void;
}

/** Makes the duty. It sleeps until the next step or timer is due, or is woken because one was delayed. */
export const timerDuty = ({ db, due, pace, batchSize, pollMs, longestWaitMs, publish }: TimerDutyOptions): Duty => {
  let fresh = true;
  return {
    name: "timer",
    longestWaitMs,
    async runOnce({ woken }) {
      const { delayedMs } = await due.look(fresh || woken);
      fresh = false;
      if (delayedMs === null || delayedMs > 0) {
        pace.reset();
        return { handled: 0, nextMs: Math.min(delayedMs ?? Number.POSITIVE_INFINITY, pollMs()) };
      }
      const { woken: steps, handlers } = await wakeDue(db, batchSize);
      const timers = await ringTimers(db, batchSize);
      const handled = steps + timers;
      const hints = noHints();
      hints.review = timers > 0;
      for (const handler of handlers) hints.ready.add(handler);
      publish(hints);
      fresh = true;
      if (handled > 0) pace.reset();
      // Due, but not to be had: another orchestrator is waking it just now.
      return { handled, nextMs: handled > 0 ? 0 : pace.next(pollMs()) };
    },
  };
};
