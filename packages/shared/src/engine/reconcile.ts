/**
 * Reconciling: now and then the rows are compared with what they should be, and what is missing is put back. In a healthy
 * database there is nothing to do; it is for rows that were lost by hands, restores and defects.
 */
import type { Database } from "../store/executor.ts";
import { holdPaused, releaseHeld } from "../store/operator.ts";
import { countStuck, noteStuck, restoreTimers, takeReconciling } from "../store/reconcile.ts";
import type { Hints } from "./hints.ts";

/** The parameters of {@link reconcile}. */
export interface ReconcileParams {
  /** How old an instance must be before it can count as stuck, in milliseconds. */
  readonly graceMs: number;
  /** The most of each kind to repair in one round. */
  readonly limit: number;
  readonly hints: Hints;
}

/** What one round came to. */
export interface Reconciled {
  /** Timers that were set anew. */
  readonly timers: number;
  /** Instances that nothing moved, and that are noted to be looked at. */
  readonly noted: number;
  /** Steps that were held back though their definition is not paused. */
  readonly released: number;
  /** Ready steps of paused definitions that were put aside. */
  readonly held: number;
  /** Instances that were noted in an earlier round, and looked at, without help: a person is needed. */
  readonly stuck: readonly string[];
  /** How many there are of these, whoever found them. */
  readonly stuckCount: number;
}

/**
 * Reconciles, unless another orchestrator is just doing so. Repairing is putting back the row that makes somebody look: a
 * review asks what is the case, so one too many does no harm.
 */
export const reconcile = async (db: Database, params: ReconcileParams): Promise<Reconciled> => {
  const { limit, hints } = params;
  const found = await db.transaction(async (tx) => {
    if (!(await takeReconciling(tx))) return null;
    return { timers: await restoreTimers(tx, limit), stuck: await noteStuck(tx, params) };
  });
  // These lock rows of the queue without their instances, so they stand outside of the transaction.
  const { released, handlers } = found === null ? nothingReleased : await releaseHeld(db, limit);
  const held = found === null ? 0 : await holdPaused(db, limit);
  const { timers, stuck } = found ?? { timers: 0, stuck: [] };
  hints.delayed ||= timers > 0;
  hints.review ||= stuck.length > 0;
  for (const handler of handlers) hints.ready.add(handler);
  return {
    timers,
    noted: stuck.length,
    released,
    held,
    stuck: stuck.filter(({ rounds }) => rounds > 0).map(({ instanceId }) => instanceId),
    stuckCount: await countStuck(db),
  };
};

const nothingReleased = { released: 0, handlers: [] };
