/**
 * Claiming: as many steps as slots are free, whenever there may be work. It looks when it is told that there is work,
 * when a look found some, when a slot becomes free after that, and otherwise at the poll interval: notifications only
 * save waiting, polling is the truth.
 */
import { claim, type Database, type GraphCache, isTransient, resolveInputs, type ResolvedStep } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { Backoff } from "./backoff.ts";
import type { Running } from "./running.ts";

/** What claiming needs of its worker. */
export interface ClaimerOptions {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly running: Running;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly pollIntervalMs: number;
  readonly logger: Logger;
  readonly backoff: Backoff;
  /** Takes the steps that were leased. `leaseUntil` is on the clock of `performance.now()`. */
  readonly onLeased: (steps: readonly ResolvedStep[], leaseUntil: number) => void;
}

/** The most steps that one statement leases. */
const batchLimit = 500;

/** Leases steps for a worker until it is stopped. */
export class Claimer {
  readonly #options: ClaimerOptions;
  #loop: Promise<void> | undefined;
  #stopped = false;
  #mayHaveWork = true;
  #wake: (() => void) | undefined;
  #lastLookAt = performance.now();

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /** When the queue was last looked at successfully, or was known to need no look, on the clock of `performance.now()`. */
  get lastLookAt(): number {
    return this.#lastLookAt;
  }

  /** Begins to claim. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** There may be work. */
  workArrived(): void {
    this.#mayHaveWork = true;
    this.#wake?.();
  }

  /** A slot has become free. */
  slotFreed(): void {
    if (this.#mayHaveWork) this.#wake?.();
  }

  /** Stops claiming; resolves when the last look is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.backoff.stop();
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { logger, backoff } = this.#options;
    while (!this.#stopped) {
      try {
        await this.#look();
        this.#lastLookAt = performance.now();
        backoff.reset();
        if (!this.#mayHaveWork || this.#options.running.free === 0) await this.#idle();
      } catch (error) {
        logger[isTransient(error) ? "warn" : "error"]({ error }, "claiming failed; trying again");
        this.#mayHaveWork = true;
        await backoff.wait();
      }
    }
  }

  async #look(): Promise<void> {
    const { db, graphs, running, workerId, leaseMs, onLeased } = this.#options;
    const handlers = running.slots();
    if (handlers.length === 0) return;
    this.#mayHaveWork = false;
    // Taken before the statement is sent, so that it can only be earlier than the database's own time.
    const leaseUntil = performance.now() + leaseMs;
    const limit = Math.min(running.free, batchLimit);
    const leased = await claim(db, { handlers, limit, workerId, leaseMs });
    if (leased.length === 0) return;
    this.#mayHaveWork = true;
    onLeased(await resolveInputs(db, graphs, leased), leaseUntil);
  }

  #idle(): Promise<void> {
    // A fifth of the interval is random, so that idle workers do not look all at once.
    const interval = this.#options.pollIntervalMs * (0.8 + 0.2 * Math.random());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.workArrived(), interval);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
