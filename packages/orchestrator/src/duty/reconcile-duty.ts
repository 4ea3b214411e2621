/** Reconciling: now and then one orchestrator looks for what was lost, and puts it back. */
import type { Database, Hints, Reconciled } from "@floxy/shared";
import { noHints, reconcile } from "@floxy/shared";
import type { Random } from "../service/clock.ts";
import type { Duty } from "../service/service.ts";

/** What the reconcile duty needs. */
export interface ReconcileDutyOptions {
  readonly db: Database;
  readonly random: Random;
  /** The mean time between two rounds, in milliseconds. */
  readonly intervalMs: number;
  /** The most of each kind to repair in one round. */
  readonly batchSize: number;
  readonly publish: (hints: Hints) => void;
  readonly onReconciled: (found: Reconciled) => void;
}

/** How old an instance must be before it can count as stuck, in milliseconds. */
const graceMs = 10_000;

/** How much of the interval is random, so that copies do not come together. */
const jitter = 0.2;

/** Makes the duty. */
export const reconcileDuty = (options: ReconcileDutyOptions): Duty => {
  const { db, random, intervalMs, batchSize, publish, onReconciled } = options;
  return {
    name: "reconcile",
    longestWaitMs: intervalMs * (1 + jitter / 2),
    async runOnce() {
      const hints = noHints();
      const found = await reconcile(db, { graceMs, limit: batchSize, hints });
      publish(hints);
      onReconciled(found);
      const { timers, noted, released, held } = found;
      return { handled: timers + noted + released + held, nextMs: intervalMs * (1 + jitter * (random() - 0.5)) };
    },
  };
};
