/** Starting many instances, for imports: batch by batch, with a result for each, however many there are. */
import type { PreparedStart, Started } from "@floxy/shared";
import { FloxyError, isFloxyError, isTransient } from "@floxy/shared";
import type { StartOptions } from "./start.ts";
import type { Starter } from "./starter.ts";
import { startBatchWeight } from "./starter.ts";

/** An instance to start, as one of many. */
export interface StartItem<Input = unknown>
  extends Pick<StartOptions, "priority" | "deadlineMs" | "metadata" | "idempotencyKey"> {
  readonly input: Input;
}

/** The instances to start: a list, a generator, rows as they come from a file or another database. */
export type StartItems<Input = unknown> = Iterable<StartItem<Input>> | AsyncIterable<StartItem<Input>>;

/** What became of an item. */
export type StartResult =
  | {
      /** The place of the item, counted from 0. */
      readonly index: number;
      readonly instanceId: string;
      /** `false` if the instance existed already under the same idempotency key. */
      readonly created: boolean;
      readonly error?: undefined;
    }
  | {
      readonly index: number;
      readonly instanceId?: undefined;
      readonly created?: undefined;
      /** Why nothing was written for it: an error as `start` throws it. */
      readonly error: FloxyError;
    };

/** How to start many. */
export interface StartManyOptions extends Pick<StartOptions, "version" | "transaction"> {
  /**
   * Gets the results of each batch, in the order of the items. What it answers is waited for before more items are taken.
   * When it throws, so does `startMany`.
   */
  readonly onBatch?: ((results: readonly StartResult[]) => unknown) | undefined;
  /** Ends it with the signal's reason, when what is under way is back. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of many. */
export interface StartedMany {
  /** How many items there were. */
  readonly count: number;
  /** How many instances were started. */
  readonly created: number;
  /** How many items had been started before, under the same idempotency keys. */
  readonly existing: number;
  /** How many items were refused. */
  readonly failed: number;
  /** The first 100 items that were refused, and why; {@link StartManyOptions.onBatch} gets them all. */
  readonly failures: readonly (StartResult & { readonly error: FloxyError })[];
}

/** The most items that go out in one statement. */
export const startManyLimit = 1_000;

/** The most batches that are under way; one more is made ready meanwhile. */
const underwayLimit = 2;

/** The most failures that are kept. */
const failureLimit = 100;

/** What {@link startMany} is made of. */
export interface StartManyParams {
  readonly items: StartItems;
  readonly options: StartManyOptions;
  /** Checks and encodes an item. */
  readonly prepare: (item: StartItem) => Promise<PreparedStart>;
  /** Sends a batch, and answers for each start in order. */
  readonly send: (starts: readonly PreparedStart[]) => Promise<readonly (Started | FloxyError)[]>;
  /** Repeats what reads while the database cannot be reached. */
  readonly reach: Starter["reach"];
}

/** A batch: of each item the start, or why there is none. */
interface Batch {
  readonly first: number;
  readonly entries: (PreparedStart | FloxyError)[];
  weight: number;
}

/** Starts instances batch by batch. See `FloxyClient.startMany`. */
export const startMany = async (params: StartManyParams): Promise<StartedMany> => {
  const { items, options, send } = params;
  const { onBatch, signal, transaction } = options;
  const tally = { count: 0, created: 0, existing: 0, failed: 0 };
  const failures: StartedMany["failures"][number][] = [];
  const underway: Promise<StartResult[]>[] = [];
  // Statements of one transaction cannot be under way together.
  const limit = transaction === undefined ? underwayLimit : 1;
  let batch: Batch = { first: 0, entries: [], weight: 0 };

  /** Waits for the batch that was sent first. */
  const land = async (): Promise<void> => {
    const results = (await underway[0]) ?? [];
    underway.shift();
    for (const result of results) {
      tally.count += 1;
      if (result.error === undefined) tally[result.created ? "created" : "existing"] += 1;
      else {
        tally.failed += 1;
        if (failures.length < failureLimit) failures.push(result);
      }
    }
    await onBatch?.(results);
  };

  const sendBatch = async (): Promise<void> => {
    if (underway.length >= limit) await land();
    const sending = resultsOf(batch, send);
    // It is waited for later; until then a failure must not count as unhandled.
    sending.catch(() => {});
    underway.push(sending);
    batch = { first: batch.first + batch.entries.length, entries: [], weight: 0 };
  };

  const take = async (item: StartItem): Promise<void> => {
    signal?.throwIfAborted();
    const entry = await prepareItem(item, params);
    const weight = entry instanceof FloxyError ? 0 : entry.row.input.length + entry.row.metadata.length;
    if (batch.entries.length > 0 && batch.weight + weight > startBatchWeight) await sendBatch();
    batch.weight += weight;
    if (batch.entries.push(entry) >= startManyLimit) await sendBatch();
  };

  try {
    // Without a wait for each item that is there already.
    if (Symbol.asyncIterator in items) for await (const item of items) await take(item);
    else for (const item of items) await take(item);
    if (batch.entries.length > 0) await sendBatch();
    while (underway.length > 0) await land();
    return { ...tally, failures };
  } catch (error) {
    await Promise.allSettled(underway);
    throw isFloxyError(error, "DATABASE_UNAVAILABLE") ? interrupted(error, tally.count) : error;
  }
};

/** Throws `OPTION_INVALID` for what cannot be walked over. */
export const assertItems = (items: StartItems): void => {
  if (typeof items === "object" && items !== null && (Symbol.asyncIterator in items || Symbol.iterator in items))
    return;
  throw new FloxyError(
    "OPTION_INVALID",
    `items must be a list, an iterable or an async iterable, not ${typeof items}.`,
  );
};

const prepareItem = async (
  item: StartItem,
  { prepare, reach }: StartManyParams,
): Promise<PreparedStart | FloxyError> => {
  try {
    if (typeof item !== "object" || item === null) {
      throw new FloxyError("OPTION_INVALID", "An item must be an object with the input of an instance.");
    }
    return await prepare(item).catch((error: unknown) => {
      if (!isTransient(error)) throw error;
      return reach(() => prepare(item));
    });
  } catch (error) {
    if (isFloxyError(error) && itemCodes.has(error.code)) return error;
    throw error;
  }
};

/** What an item can be refused for. All else, such as a definition that is not there, concerns all of them. */
const itemCodes: ReadonlySet<string> = new Set([
  "INPUT_INVALID",
  "JSON_UNSTORABLE",
  "PAYLOAD_TOO_LARGE",
  "OPTION_INVALID",
]);

const resultsOf = async ({ first, entries }: Batch, send: StartManyParams["send"]): Promise<StartResult[]> => {
  const starts = entries.filter((entry): entry is PreparedStart => !(entry instanceof FloxyError));
  const answers = starts.length === 0 ? [] : await send(starts);
  let next = 0;
  return entries.map((entry, place) => {
    const index = first + place;
    const answer = entry instanceof FloxyError ? entry : answers[next++];
    if (answer instanceof FloxyError) return { index, error: answer };
    if (answer !== undefined) return { index, instanceId: answer.instanceId, created: answer.created };
    throw new FloxyError("INTERNAL", "a start was not answered");
  });
};

const interrupted = (error: FloxyError, count: number): FloxyError =>
  new FloxyError(
    "DATABASE_UNAVAILABLE",
    `${error.message} The first ${count} items have their results; of those behind them it is not known which were started. ` +
      "With idempotency keys, give all items again: what exists is not started again.",
    { cause: error, data: { count } },
  );
