/** Bulk acts: their items are done one by one, in small batches, so that nothing else has to wait long for a connection. */
import type { Database, GraphCache, Hints } from "@floxy/shared";
import { hasOpenBulk, noHints, runBulk } from "@floxy/shared";
import type { Pace } from "../service/pace.ts";
import type { Duty } from "../service/service.ts";

/** What the bulk duty needs. */
export interface BulkDutyOptions {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly pace: Pace;
  /** The most items of one batch. */
  readonly batchSize: number;
  /** The wait between two looks when there is no bulk act, in milliseconds. */
  readonly pollMs: number;
  readonly publish: (hints: Hints) => void;
}

/** Makes the duty. A batch a tick; while batches come back full there is no wait between them. */
export const bulkDuty = ({ db, graphs, pace, batchSize, pollMs, publish }: BulkDutyOptions): Duty => {
  const runBatch = async () => {
    const hints = noHints();
    try {
      return await runBulk(db, graphs, { limit: batchSize, hints });
    } finally {
      // Also after a failure: items before it have been committed.
      publish(hints);
    }
  };
  return {
    name: "bulk",
    longestWaitMs: pollMs,
    async runOnce() {
      if (!(await hasOpenBulk(db))) {
        pace.reset();
        return { handled: 0, nextMs: pollMs };
      }
      const { found, handled } = await runBatch();
      if (handled > 0) pace.reset();
      // What is left is just being done by others, who may die over it.
      return { handled, nextMs: found === batchSize ? 0 : pace.next(pollMs) };
    },
  };
};
