/** History: partitions are made ahead, and what retention lets go is removed; by one orchestrator at a time. */
import type { Database, HistoryKept, HistoryState, Pruned } from "@floxy/shared";
import { analyzeHistory, historyState, lookAfterHistory, prune } from "@floxy/shared";
import type { Random } from "../service/clock.ts";
import type { Duty } from "../service/service.ts";

/** What one tick of the duty came to. */
export interface HistoryReport {
  readonly kept: HistoryKept;
  readonly pruned: Pruned;
  readonly state: HistoryState;
}

/** What the history duty needs. */
export interface HistoryDutyOptions {
  readonly db: Database;
  readonly random: Random;
  /** The mean time between two looks, in milliseconds. */
  readonly intervalMs: number;
  /** The most instances to remove in one tick, and in one transaction. */
  readonly limit: number;
  readonly batchSize: number;
  readonly onHistory: (report: HistoryReport) => void;
}

/** How soon it tries again when somebody has held the tables, in milliseconds, and how often before it waits as ever. */
const retryMs = 1_000;
const mostRetries = 5;

/** How much of the interval is random, so that copies do not come together. */
const jitter = 0.2;

/** Makes the duty. A tick is a few short transactions; while there is more to remove another follows at once. */
export const historyDuty = (options: HistoryDutyOptions): Duty => {
  const { db, random, intervalMs, limit, batchSize, onHistory } = options;
  let retries = 0;

  /** How long to wait after a tick. */
  const waitMs = (isLocked: boolean, isMore: boolean): number => {
    if (isMore) return 0;
    const waited = intervalMs * (1 + jitter * (random() - 0.5));
    retries = isLocked && retries < mostRetries ? retries + 1 : 0;
    return retries > 0 ? Math.min(retryMs, waited) : waited;
  };

  return {
    name: "history",
    longestWaitMs: intervalMs * (1 + jitter / 2),
    async runOnce() {
      const kept = await lookAfterHistory(db);
      const pruned = await prune(db, { limit, batchSize, onlyDue: true });
      const state = await historyState(db);
      if (state.isStale) await analyzeHistory(db);
      onHistory({ kept, pruned, state });
      const isLocked = kept.blocked === "locked" || pruned.blocked === "locked";
      const nextMs = waitMs(isLocked, pruned.instances >= limit);
      return { handled: kept.created + pruned.instances + pruned.partitions + pruned.acts, nextMs };
    },
  };
};
