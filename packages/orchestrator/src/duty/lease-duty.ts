/** Leases: steps whose worker died, hung or was cut off are taken over as soon as their lease has expired. */
import type { Database, GraphCache, Hints } from "@floxy/shared";
import { noHints, takeOverExpired } from "@floxy/shared";
import type { Pace } from "../service/pace.ts";
import type { Duty } from "../service/service.ts";
import type { DueWatch } from "./due-watch.ts";

/** What the lease duty needs. */
export interface LeaseDutyOptions {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly due: DueWatch;
  readonly pace: Pace;
  /** The most leases to take over in one batch. */
  readonly batchSize: number;
  /** The longest wait between two looks, in milliseconds. Nobody announces a lease, so it bounds how late we can be. */
  readonly pollMs: number;
  /** Who takes over, for events and messages. */
  readonly orchestratorId: string;
  readonly publish: (hints: Hints) => void;
  readonly onNotTakenOver: (instanceId: string, error: unknown) => void;
}

/** The shortest wait for a lease: two copies that wait for the same one do not hammer the database. */
const shortestWaitMs = 10;

/** Makes the duty. It sleeps until the next lease expires; most are extended before, so it looks before it acts. */
export const leaseDuty = (options: LeaseDutyOptions): Duty => {
  const { db, graphs, due, pace, batchSize, pollMs, orchestratorId, publish, onNotTakenOver } = options;
  let fresh = true;
  return {
    name: "lease",
    longestWaitMs: pollMs,
    async runOnce({ woken }) {
      const { leaseMs } = await due.look(fresh || woken);
      fresh = false;
      if (leaseMs === null || leaseMs > 0) {
        pace.reset();
        return { handled: 0, nextMs: Math.max(shortestWaitMs, Math.min(leaseMs ?? pollMs, pollMs)) };
      }
      const hints = noHints();
      const params = { limit: batchSize, workerId: orchestratorId, hints, onNotTakenOver };
      const taken = await takeOverExpired(db, graphs, params);
      publish(hints);
      fresh = true;
      if (taken > 0) pace.reset();
      return { handled: taken, nextMs: taken === batchSize ? 0 : pace.next(pollMs) };
    },
  };
};
