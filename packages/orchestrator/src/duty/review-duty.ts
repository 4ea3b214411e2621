/** Reviewing: the notes of the inbox become decisions: joins fire, failed instances are rolled back. */
import type { Database, GraphCache, Hints } from "@floxy/shared";
import { noHints, reviewInbox } from "@floxy/shared";
import type { Pace } from "../service/pace.ts";
import type { Duty } from "../service/service.ts";
import type { DueWatch } from "./due-watch.ts";

/** What the review duty needs. */
export interface ReviewDutyOptions {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly due: DueWatch;
  readonly pace: Pace;
  /** The most notes of one batch. */
  readonly batchSize: number;
  /** The longest wait between two looks, in milliseconds; it may change with the state of the listener. */
  readonly pollMs: () => number;
  readonly longestWaitMs: number;
  readonly publish: (hints: Hints) => void;
  readonly onPostponed: (instanceId: string, error: unknown) => void;
}

/** Makes the duty. A batch a tick; while batches come back full there is no wait between them. */
export const reviewDuty = (options: ReviewDutyOptions): Duty => {
  const { db, graphs, due, pace, batchSize, publish, onPostponed } = options;
  let busy = true;

  const reviewBatch = async (): Promise<number> => {
    const hints = noHints();
    try {
      return await reviewInbox(db, graphs, { limit: batchSize, hints, onPostponed });
    } finally {
      // Also after a failure: part of the batch may have been committed, and a hint too many costs one look.
      publish(hints);
    }
  };

  return {
    name: "review",
    longestWaitMs: options.longestWaitMs,
    async runOnce({ woken }) {
      // Taking notes is a transaction; when nobody said that there are any, a look comes first.
      const handled = woken || busy || (await due.look(false)).review ? await reviewBatch() : 0;
      busy = handled > 0;
      if (busy) pace.reset();
      return { handled, nextMs: handled === batchSize ? 0 : pace.next(options.pollMs()) };
    },
  };
};
