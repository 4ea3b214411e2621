/**
 * What is worth telling other processes after a commit. Hints only save waiting: whoever misses one finds the same by
 * polling.
 */

import type { Executor } from "../store/executor.ts";
import type { Notifier } from "../store/notifier.ts";
import { createNotifier } from "../store/notifier.ts";

/** What a commit has made possible. */
export interface Hints {
  /** Handlers for which steps have become ready. */
  readonly ready: Set<string>;
  /** Whether an orchestrator has something to look at. */
  review: boolean;
  /** Whether something was delayed, or waits for a time, so that the next due time may have moved. */
  delayed: boolean;
  /** Instances that have finished. */
  readonly finished: Set<string>;
  /** Instances whose running handlers should stop. */
  readonly abort: Set<string>;
  /** Whether a bulk act was asked for. */
  bulk?: boolean;
}

/** Hints that say nothing. */
export const noHints = (): Hints => ({
  ready: new Set(),
  review: false,
  delayed: false,
  finished: new Set(),
  abort: new Set(),
});

/** Adds what an advance has made possible for an instance. */
export const hintAdvance = (
  hints: Hints,
  instanceId: string,
  advance: {
    readonly enqueue: readonly { readonly handler: string; readonly delayMs: number }[];
    readonly records?: readonly { readonly due: object | null }[];
    readonly review: boolean;
    readonly finished: object | null;
  },
): void => {
  if (advance.records?.some(({ due }) => due !== null)) hints.delayed = true;
  for (const { handler, delayMs } of advance.enqueue) {
    if (delayMs > 0) hints.delayed = true;
    else hints.ready.add(handler);
  }
  if (advance.review) hints.review = true;
  if (advance.finished !== null) hints.finished.add(instanceId);
};

/** The item on the `review` channel that says that something was delayed. */
export const delayedItem = "delayed";

/** The item on the `review` channel that says that a bulk act was asked for. */
export const bulkItem = "bulk";

/** Tells other processes; returns at once. */
export const publishHints = (notifier: Notifier, hints: Hints): void => {
  if (hints.ready.size > 0) notifier.notify("ready", hints.ready);
  if (hints.review) notifier.notify("review", ["inbox"]);
  if (hints.delayed) notifier.notify("review", [delayedItem]);
  if (hints.bulk) notifier.notify("review", [bulkItem]);
  if (hints.finished.size > 0) notifier.notify("finished", hints.finished);
  if (hints.abort.size > 0) notifier.notify("abort", hints.abort);
};

/**
 * Tells other processes from within a transaction: PostgreSQL does so when it commits, and not at all if it is rolled
 * back. Only for the transactions of callers, of which we do not learn when they end.
 */
export const publishHintsWithin = async (tx: Executor, hints: Hints): Promise<void> => {
  let failure: { readonly error: unknown } | undefined;
  const onError = (error: unknown): void => {
    failure = { error };
  };
  const notifier = createNotifier({ db: tx, onError });
  publishHints(notifier, hints);
  await notifier.close();
  if (failure !== undefined) throw failure.error;
};
