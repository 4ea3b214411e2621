/** Acts in bulk: asked for by a filter, done by orchestrators item by item, and looked at while they are. */
import type {
  BulkAct,
  BulkDeadLetterFilter,
  BulkFilter,
  BulkItemRow,
  BulkItemState,
  BulkRow,
  Database,
} from "@floxy/shared";
import { FloxyError, getBulk, isId, listBulkItems, startBulk } from "@floxy/shared";
import { pause, retryTransient } from "../calls/retry.ts";
import type { ActOptions, ReasonedOptions } from "./act-options.ts";
import { assertLimit, assertOptions, invalid } from "./act-options.ts";
import type { Acting } from "./acting.ts";
import { Operator } from "./operator.ts";
import { timerLimitMs } from "./options.ts";
import type { WaitOptions } from "./waiting.ts";

/** How to ask for an act in bulk. */
export type BulkOptions<Options extends ActOptions = ActOptions> = Options & {
  /** `true` only counts what it would be about now. */
  readonly dryRun?: boolean | undefined;
};

/** A bulk act that was asked for. */
export interface BulkStarted {
  /** Leads to its progress and results; `null` of a dry run. */
  readonly bulkId: string | null;
  /** How many items it has. */
  readonly count: number;
}

/** A bulk act with its progress. */
export interface Bulk extends Omit<BulkRow, "filter"> {
  /** What its items were chosen by; times are in ISO 8601. */
  readonly filter: unknown;
}

/** An item of a bulk act, and what became of it. */
export interface BulkItem extends Omit<BulkItemRow, "node"> {
  /** The step of the dead letter; `null` when the act is about the whole instance. */
  readonly step: string | null;
}

/** Which items to read. */
export interface BulkItemsOptions {
  /** Only items after this one: the `position` of the last that was read. */
  readonly after?: number | undefined;
  /** Only items of which this became; by default all. */
  readonly states?: readonly BulkItemState[] | undefined;
  /** The most items to answer, 1 to 1,000. Default 100. */
  readonly limit?: number | undefined;
}

/** The most items of one page. */
const itemLimit = 1_000;

/** The shortest and the longest time between two looks of {@link BulkOperator.waitForBulk}, in milliseconds. */
const lookIntervalMs = { first: 50, last: 1_000 } as const;

const states: readonly BulkItemState[] = ["pending", "done", "failed", "skipped"];

/**
 * The verbs for many instances at once. Asking is one transaction: what the filter chooses at that moment is written down,
 * with a row in the audit. Orchestrators then do the items one by one, as the verb for one would; what has changed
 * meanwhile is skipped. It goes on wherever it was left, and no item is done twice.
 */
export abstract class BulkOperator extends Operator {
  readonly #acting: Acting;

  protected constructor(acting: Acting) {
    super(acting);
    this.#acting = acting;
  }

  /** Cancels instances that have not ended. Throws `OPTION_INVALID`, also for a filter that chooses everything. */
  bulkCancel(filter: BulkFilter, options: BulkOptions): Promise<BulkStarted> {
    return this.#ask("cancel", filter, options);
  }

  /** Tries the steps of dead letters again. Throws `OPTION_INVALID`, also for a filter that chooses everything. */
  bulkRequeue(filter: BulkDeadLetterFilter, options: BulkOptions): Promise<BulkStarted> {
    return this.#ask("requeue", filter, options);
  }

  /** Gives up the steps of dead letters: their instances are rolled back. Throws as {@link bulkRequeue}. */
  bulkDiscard(filter: BulkDeadLetterFilter, options: BulkOptions<ReasonedOptions>): Promise<BulkStarted> {
    return this.#ask("discard", filter, options);
  }

  /** Calls the compensations of dead letters again. Throws as {@link bulkRequeue}. */
  bulkRetryCompensations(filter: BulkDeadLetterFilter, options: BulkOptions): Promise<BulkStarted> {
    return this.#ask("retry_compensation", filter, options);
  }

  /** A bulk act and how many of its items are what. Throws `BULK_NOT_FOUND`. */
  async bulk(bulkId: string): Promise<Bulk> {
    return this.#acting.read((db) => readBulk(db, bulkId));
  }

  /** Reads the items of a bulk act in their order, page by page. Throws as {@link bulk}. */
  async bulkItems(bulkId: string, options: BulkItemsOptions = {}): Promise<readonly BulkItem[]> {
    assertOptions("bulkItems", options);
    return this.#acting.read((db) => readItems(db, bulkId, options));
  }

  /**
   * Waits until every item of a bulk act is done, failed or skipped. Throws `WAIT_TIMEOUT`, the reason of the signal,
   * `SHUTDOWN`, and as {@link bulk}. A loss of the database meanwhile is survived.
   */
  async waitForBulk(bulkId: string, options: WaitOptions = {}): Promise<Bulk> {
    assertOptions("waitForBulk", options);
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined && !(timeoutMs >= 0 && timeoutMs <= timerLimitMs)) {
      throw invalid(`timeoutMs must be a number from 0 to ${timerLimitMs}, not ${String(timeoutMs)}.`);
    }
    const end = new AbortController();
    const abort = () => end.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => end.abort(waitTimeout(bulkId, timeoutMs)), timeoutMs);
    try {
      return await this.#untilFinished(bulkId, end.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async #untilFinished(bulkId: string, signal: AbortSignal): Promise<Bulk> {
    for (let waitMs: number = lookIntervalMs.first; ; waitMs = Math.min(waitMs * 1.5, lookIntervalMs.last)) {
      const bulk = await retryTransient(() => this.bulk(bulkId), { signal, random: Math.random });
      if (bulk.finishedAt !== null) return bulk;
      await pause(waitMs, signal);
    }
  }

  async #ask(act: BulkAct, filter: BulkDeadLetterFilter, options: BulkOptions): Promise<BulkStarted> {
    assertOptions("bulk", options);
    const { dryRun = false } = options;
    if (typeof dryRun !== "boolean") throw invalid(`dryRun must be true or false, not ${String(dryRun)}.`);
    // The act's id is the same in each try, so what was asked for once is there once.
    return this.#acting.act(async ({ db, actId, hints }) => {
      const count = await startBulk(db, { ...options, bulkId: actId, act, filter, hints });
      return { bulkId: dryRun ? null : actId, count };
    });
  }
}

const readBulk = async (db: Database, bulkId: string): Promise<Bulk> => {
  const row = isId(bulkId) ? await getBulk(db, bulkId) : undefined;
  if (row === undefined) {
    throw new FloxyError("BULK_NOT_FOUND", `There is no bulk act with the id ${String(bulkId)}.`, { data: { bulkId } });
  }
  return { ...row, filter: JSON.parse(row.filter) as unknown };
};

const readItems = async (db: Database, bulkId: string, options: BulkItemsOptions): Promise<readonly BulkItem[]> => {
  const { after = 0, limit = 100, states: wanted } = options;
  assertLimit(limit, itemLimit);
  if (!Number.isInteger(after) || after < 0 || after > timerLimitMs) {
    throw invalid("after must be the position of an item.");
  }
  if (wanted !== undefined && !(Array.isArray(wanted) && wanted.every((state) => states.includes(state)))) {
    throw invalid(`states must be a list of ${states.join(", ")}.`);
  }
  const rows = isId(bulkId) ? await listBulkItems(db, { bulkId, after, states: wanted ?? null, limit }) : [];
  if (rows.length === 0) await readBulk(db, bulkId);
  return rows.map(({ node, ...row }) => ({ ...row, step: node }));
};

const waitTimeout = (bulkId: string, timeoutMs: number): FloxyError => {
  const message = `Bulk act ${bulkId} was not finished within ${timeoutMs} ms. It goes on all the same.`;
  return new FloxyError("WAIT_TIMEOUT", message, { data: { bulkId, timeoutMs } });
};
