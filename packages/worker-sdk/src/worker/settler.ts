/**
 * Settling: results are written as soon as a connection is free, and all that came in meanwhile go together. So batches
 * are of one when the worker is idle, and grow by themselves under load; no timer is involved.
 */
import type { Database, FinishedAttempt, Hints, LeasedStep, SettleResult } from "@floxy/shared";
import {
  FloxyError,
  isFloxyError,
  isTransient,
  noHints,
  retryPolicyOf,
  settleAttempts,
  settleWithin,
  taskOf,
} from "@floxy/shared";
import type { Batcher } from "../calls/batcher.ts";
import { createBatcher, fulfilled } from "../calls/batcher.ts";
import { retryTransient } from "../calls/retry.ts";
import type { Logger } from "../handler/context.ts";
import type { Wishes } from "./wishes.ts";

/** An attempt with its result, and whom to tell if another attempt can follow at once. */
export interface SettledAttempt extends FinishedAttempt {
  readonly handler: string;
  /** Whether it may have been written already, by a transaction whose COMMIT was not answered and may still be under way. */
  readonly isInDoubt?: boolean;
}

/** What settling needs of its worker. */
export interface SettlerOptions {
  readonly db: Database;
  readonly workerId: string;
  readonly logger: Logger;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
  /** Told after each commit what it has made possible. */
  readonly onHints: (hints: Hints) => void;
  /** How long leases last, in milliseconds. */
  readonly leaseMs: number;
  /** What the worker would run at once of what follows; `undefined` while it takes nothing. */
  readonly wishes: (settled: readonly SettledAttempt[]) => Wishes | undefined;
  /** Takes steps that were leased with the results; never rejects. `leaseUntil` is on the clock of `performance.now()`. */
  readonly onTaken: (leased: readonly LeasedStep[], leaseUntil: number) => Promise<void>;
}

/** The most results that are written in one statement, and the most characters of outputs in it. */
const batchLimit = { maxItems: 1_000, maxWeight: 8 * 1_048_576, besideAt: 500 } as const;

const written = fulfilled<void>(undefined);

/** Writes the results of attempts. The same results are sent again until their answer arrives. */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #batcher: Batcher<SettledAttempt, void>;
  /** What is not over yet, and who waits until all is. */
  #openCount = 0;
  #waiting: (() => void)[] = [];
  readonly #given = new AbortController();

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#batcher = createBatcher({
      ...batchLimit,
      weigh: ({ result }) => (result.kind === "completed" ? result.output.length : 0),
      gathers: true,
      run: async (attempts) => {
        await this.#write(attempts);
        return attempts.map(() => written);
      },
    });
  }

  /**
   * Writes a result. Resolves, and never rejects, when there is nothing more to do: it is written, it was refused because
   * the lease had been lost, or it was given up.
   */
  settle(attempt: SettledAttempt): Promise<void> {
    // One in doubt may have to wait for that transaction, and nobody should have to wait with it.
    const written = attempt.isInDoubt === true ? this.#write([attempt]) : this.#batcher.add(attempt);
    return this.#untilOver(written);
  }

  /** Resolves when everything is written. */
  async flushed(): Promise<void> {
    while (this.#openCount > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Stops sending again what could not be written: the leases will expire, and others take over. */
  giveUp(): void {
    this.#given.abort(new FloxyError("SHUTDOWN", "the worker was stopped before its results could be written"));
  }

  #untilOver(work: Promise<void>): Promise<void> {
    this.#openCount++;
    return work.then(this.#over, this.#over);
  }

  readonly #over = (): void => {
    this.#openCount--;
    if (this.#openCount === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  };

  async #write(attempts: readonly SettledAttempt[], isRepeat = false): Promise<void> {
    const { logger, random } = this.#options;
    const count = attempts.length;
    const onRetry = (error: unknown) => logger.warn({ error, count }, "results could not be written; trying again");
    let isAgain = isRepeat;
    try {
      const write = () => {
        const written = this.#writeOnce(attempts, isAgain);
        isAgain = true;
        return written;
      };
      await retryTransient(write, {
        signal: this.#given.signal,
        random,
        mayPass,
        onRetry,
      });
    } catch (error) {
      if (count > 1 && !this.#given.signal.aborted) {
        // One of them cannot be written. Each for itself, so that the others can.
        for (const attempt of attempts) await this.#write([attempt], true);
        return;
      }
      logger.error({ error, count }, "results could not be written; their leases will expire");
    }
  }

  async #writeOnce(attempts: readonly SettledAttempt[], isRepeat: boolean): Promise<void> {
    const { db, workerId, random, logger, onHints } = this.#options;
    const hints = noHints();
    const { leaseMs, wishes, onTaken } = this.#options;
    const [only] = attempts;
    const taken: LeasedStep[] = [];
    const wished = wishes(attempts);
    const take = wished && { ...wished, leaseMs, taken };
    // Taken before the statement is sent, so that it can only be earlier than the database's own time.
    const leaseUntil = performance.now() + leaseMs;
    const settle = async (): Promise<SettleResult[]> =>
      only?.isInDoubt === true
        ? [await db.transaction((tx) => settleWithin(tx, only, { workerId, hints, random }))]
        : settleAttempts(db, { attempts, workerId, hints, random, isRepeat, take });
    // What was leased with results that are written is ours, also when the others could not be written.
    const results = await settle().finally(() => {
      if (taken.length > 0) void this.#untilOver(onTaken(taken, leaseUntil));
    });
    for (const [index, attempt] of attempts.entries()) {
      if (results[index] === "lost") logger.warn(fieldsOf(attempt), "the lease was lost; the result was refused");
      else if (results[index] === "settled" && isReadyAgain(attempt)) hints.ready.add(attempt.handler);
    }
    onHints(hints);
  }
}

const fieldsOf = ({ instanceId, node, attempt }: SettledAttempt) => ({ instanceId, step: node, attempt });

/** Whether the step waits in the queue again, for anybody, without a delay. */
const isReadyAgain = ({ result, graph, node, lane, attempt }: SettledAttempt): boolean => {
  if (result.kind === "released") return true;
  if (result.kind === "completed" || !result.retryable) return false;
  const { maxAttempts, delayMs } = retryPolicyOf(taskOf(graph, node).json, lane);
  return attempt < maxAttempts && (result.retryAfterMs ?? delayMs) === 0;
};

// A database that is full, that refuses us or that lacks our tables is one that somebody will mend; the results are kept.
const mayPass = (error: unknown): boolean =>
  isTransient(error) ||
  isFloxyError(error, "CONFIGURATION_INVALID") ||
  isFloxyError(error, "SCHEMA_OUTDATED") ||
  (error instanceof Error && "code" in error && /^(53...|42501)$/.test(String(error.code)));
