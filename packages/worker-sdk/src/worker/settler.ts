/**
 * Settling: results are written as soon as a connection is free, and all that came in meanwhile go together. So batches
 * are of one when the worker is idle, and grow by themselves under load; no timer is involved.
 */
import {
  type Database,
  type FinishedAttempt,
  type Hints,
  isTransient,
  noHints,
  type SettleResult,
  settleAttempts,
} from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { Backoff } from "./backoff.ts";

/** What settling needs of its worker. */
export interface SettlerOptions {
  readonly db: Database;
  readonly workerId: string;
  readonly logger: Logger;
  readonly backoff: Backoff;
  /** Told after each commit what it has made possible. */
  readonly onHints: (hints: Hints) => void;
}

/** The most results that are written in one statement. */
const batchLimit = 500;

interface Pending {
  readonly attempt: FinishedAttempt;
  readonly resolve: (result: SettleResult) => void;
}

/** Writes the results of attempts. The same results are sent again until their answer arrives. */
export class Settler {
  readonly #options: SettlerOptions;
  #pending: Pending[] = [];
  #loop: Promise<void> | undefined;
  #given = false;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Writes a result; resolves when it is written, or refused because the lease was lost. */
  settle(attempt: FinishedAttempt): Promise<SettleResult> {
    return new Promise((resolve) => {
      this.#pending.push({ attempt, resolve });
      this.#loop ??= this.#run();
    });
  }

  /** Resolves when everything is written. */
  async flushed(): Promise<void> {
    await this.#loop;
  }

  /** Stops sending again what could not be written: the leases will expire, and others take over. */
  giveUp(): void {
    this.#given = true;
    this.#options.backoff.stop();
  }

  async #run(): Promise<void> {
    // Results that come in during this tick go into the first batch too.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, batchLimit);
      const results = await this.#write(batch.map(({ attempt }) => attempt));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] ?? "lost");
    }
    this.#loop = undefined;
  }

  async #write(attempts: readonly FinishedAttempt[]): Promise<SettleResult[]> {
    const { db, workerId, logger, backoff, onHints } = this.#options;
    for (;;) {
      const hints = noHints();
      try {
        const results = await settleAttempts(db, { attempts, workerId, hints, random: Math.random });
        backoff.reset();
        onHints(hints);
        return results;
      } catch (error) {
        if (!isTransient(error) || this.#given) {
          logger.error({ error, count: attempts.length }, "results could not be written; their leases will expire");
          return attempts.map((): SettleResult => "lost");
        }
        logger.warn({ error, count: attempts.length }, "results could not be written; trying again");
        await backoff.wait();
      }
    }
  }
}
