/** One cheap look at what is due, shared by the services, so that an idle orchestrator asks the database once a second. */
import type { Executor, NextDue } from "@floxy/shared";
import { nextDue } from "@floxy/shared";
import type { Clock } from "../service/clock.ts";

/** Looks at when the queue and the inbox next need attention. */
export interface DueWatch {
  /** Answers a look that is at most as old as the watch allows, or a new one if `fresh`. Times are from now. */
  look(fresh: boolean): Promise<NextDue>;
}

interface Seen {
  readonly at: number;
  readonly due: Promise<NextDue>;
}

/** Makes a watch whose looks may be up to `maxAgeMs` old. Looks that are asked for together share one statement. */
export const createDueWatch = (db: Executor, clock: Clock, maxAgeMs: number): DueWatch => {
  let seen: Seen | undefined;
  return {
    async look(fresh) {
      if (fresh || seen === undefined || clock.now() - seen.at > maxAgeMs) {
        const taken = { at: clock.now(), due: nextDue(db) };
        seen = taken;
        // A look that failed is of no use to the next who asks.
        taken.due.catch(() => {
          if (seen === taken) seen = undefined;
        });
      }
      const { at, due } = seen;
      const { delayedMs, leaseMs, review } = await due;
      const ageMs = clock.now() - at;
      return { delayedMs: less(delayedMs, ageMs), leaseMs: less(leaseMs, ageMs), review };
    },
  };
};

const less = (ms: number | null, ageMs: number): number | null => (ms === null ? null : ms - ageMs);
