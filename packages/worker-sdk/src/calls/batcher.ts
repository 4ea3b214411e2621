/**
 * Collecting calls into batches without waiting for them: a call goes out at once when nothing is under way, and what
 * comes while a batch is under way goes out together when it is back.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

/** How a batcher works. */
export interface BatcherOptions<Item, Result> {
  /** Handles a batch: one outcome for each item, in order. When it rejects, so do all calls of the batch. */
  readonly run: (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>;
  /** The most items of a batch. */
  readonly maxItems: number;
  /** The most weight of a batch; one item alone may be heavier. */
  readonly maxWeight?: number;
  readonly weigh?: (item: Item) => number;
  /** Whether all that comes in the turn of the first call goes out with it; else the first goes out alone, at once. */
  readonly gathers?: boolean;
  /**
   * Whether those who had a call in a batch can get their next one into the batch that follows, and not only into the one
   * after it: they have a turn of the event loop for it.
   */
  readonly returns?: boolean;
  /**
   * How many calls must wait for a second batch to be sent beside the one that is under way, so that one is put together
   * while the other is carried out. By default there is never more than one.
   */
  readonly besideAt?: number;
}

/** Collects calls into batches. */
export interface Batcher<Item, Result> {
  /** Hands in an item. When the signal fires before its batch has gone out, it never will; in both cases this rejects. */
  add(item: Item, signal?: AbortSignal): Promise<Result>;
  /** Rejects an item that has not gone out; does nothing for one that has. */
  drop(item: Item, error: unknown): void;
  /** Rejects what has not gone out; resolves when what has gone out is back. */
  close(error: unknown): Promise<void>;
}

interface Entry<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes a batcher. */
export const createBatcher = <Item, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> => {
  const waiting = new Set<Entry<Item, Result>>();
  const { besideAt = Number.POSITIVE_INFINITY } = options;
  let pumping: Promise<void> | undefined;
  let beside: Promise<void> | undefined;

  const take = (): Entry<Item, Result>[] => {
    const batch: Entry<Item, Result>[] = [];
    let weight = 0;
    for (const entry of waiting) {
      weight += options.weigh?.(entry.item) ?? 0;
      const full = batch.length >= options.maxItems || weight > (options.maxWeight ?? Number.POSITIVE_INFINITY);
      if (full && batch.length > 0) break;
      batch.push(entry);
      waiting.delete(entry);
    }
    return batch;
  };

  const pump = async (): Promise<void> => {
    if (options.gathers) await undefined;
    while (waiting.size > 0) {
      const batch = take();
      await runBatch(options.run, batch);
      if (options.returns && batch.length > 1) await nextTurn();
    }
    pumping = undefined;
  };

  const pumpBeside = async (): Promise<void> => {
    while (waiting.size >= besideAt) await runBatch(options.run, take());
    beside = undefined;
  };

  const begin = (): void => {
    if (pumping === undefined) pumping = pump();
    else if (waiting.size >= besideAt) beside ??= pumpBeside();
  };

  return {
    add(item, signal) {
      return new Promise<Result>((resolve, reject) => {
        if (signal === undefined) {
          waiting.add({ item, resolve, reject });
          begin();
          return;
        }
        if (signal.aborted) return reject(signal.reason);
        const drop = () => {
          waiting.delete(entry);
          reject(signal.reason);
        };
        const stay = () => signal.removeEventListener("abort", drop);
        const entry: Entry<Item, Result> = {
          item,
          resolve(result) {
            stay();
            resolve(result);
          },
          reject(error) {
            stay();
            reject(error);
          },
        };
        signal.addEventListener("abort", drop, { once: true });
        waiting.add(entry);
        begin();
      });
    },
    drop(item, error) {
      for (const entry of waiting) {
        if (entry.item !== item) continue;
        waiting.delete(entry);
        return entry.reject(error);
      }
    },
    async close(error) {
      for (const { reject } of waiting) reject(error);
      waiting.clear();
      await Promise.all([pumping, beside]);
    },
  };
};

const runBatch = async <Item, Result>(
  run: BatcherOptions<Item, Result>["run"],
  batch: readonly Entry<Item, Result>[],
): Promise<void> => {
  try {
    const outcomes = await run(batch.map(({ item }) => item));
    for (const [index, entry] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome?.status === "fulfilled") entry.resolve(outcome.value);
      else entry.reject(outcome?.reason);
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
};

/** An outcome that is a result. */
export const fulfilled = <Result>(value: Result): PromiseFulfilledResult<Result> => ({ status: "fulfilled", value });

/** An outcome that is an error. */
export const rejected = (reason: unknown): PromiseRejectedResult => ({ status: "rejected", reason });
