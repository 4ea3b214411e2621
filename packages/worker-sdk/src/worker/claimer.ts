/**
 * Claiming: as many steps as slots are free, whenever there may be work. It looks when it is told that there is work,
 * when a look may have left some, when a slot becomes free after that, and otherwise at the poll interval: notifications
 * only save waiting, polling is the truth.
 *
 * When the answer to a claim is lost, what it leased is run by nobody until the leases expire and is then taken over like
 * the steps of a worker that died.
 */
import { setImmediate as macrotask } from "node:timers/promises";
import type { LeasedStep } from "@floxy/shared";
import { claim, FloxyError, isTransient } from "@floxy/shared";
import { retryTransient } from "../calls/retry.ts";
import type { Horizon } from "./horizon.ts";
import type { Resolved, ResolverOptions } from "./resolver.ts";
import { resolveLeased } from "./resolver.ts";
import type { Offer, Running } from "./running.ts";

/** What claiming needs of its worker. */
export interface ClaimerOptions extends ResolverOptions {
  readonly running: Running;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly pollIntervalMs: number;
  /** Whether notifications of work arrive; then it looks half as often. */
  readonly isListening: () => boolean;
  readonly horizon: Horizon;
  /** Takes the steps that were leased. `leaseUntil` is on the clock of `performance.now()`. */
  readonly onLeased: (resolved: Resolved, leaseUntil: number) => void;
}

/** The most steps that one statement leases. */
const batchLimit = 1_000;

/** How long it rests after a look that found something, in milliseconds; after each that finds nothing twice as long. */
const shortestRestMs = 5;

/** About how many bytes of payload one statement should bring: a worker's memory must not depend on what others pass on. */
const batchBytes = 16 * 1_048_576;

/** Leases steps for a worker until it is stopped. */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #look: Promise<boolean> | undefined;
  /** Whether there may be work that came after the last look began. */
  #arrived = false;
  /** Whether steps may wait for a slot to become free. */
  #awaitsSlot = false;
  #wake: (() => void) | undefined;
  #lastLookAt = performance.now();
  /** How long it rests next. Where there was work more often follows, whether anybody says so or not. */
  #restMs = Number.POSITIVE_INFINITY;
  /** The payload of a step, in characters, as far as it is known. */
  #meanBytes = 1;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /** When the queue was last looked at successfully, or was known to need no look, on the clock of `performance.now()`. */
  get lastLookAt(): number {
    return this.#lastLookAt;
  }

  /** Fires when it stops. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /** Begins to claim. */
  start(): void {
    if (!this.#stop.signal.aborted) this.#loop ??= this.#run();
  }

  /** There may be work. */
  workArrived(): void {
    this.#arrived = true;
    this.#wake?.();
  }

  /** A slot has become free. */
  slotFreed(): void {
    if (this.#awaitsSlot) this.workArrived();
  }

  /** Stops claiming; resolves when the last look is over. What it leases is handed over all the same, to be given back. */
  async stop(): Promise<void> {
    this.#stop.abort(new FloxyError("SHUTDOWN", "the worker is shutting down"));
    this.#wake?.();
    await this.#loop;
    await this.#look?.catch(() => {});
  }

  // Never rejects.
  async #run(): Promise<void> {
    const { logger, random } = this.#options;
    const { signal } = this.#stop;
    const onRetry = (error: unknown) =>
      logger[isTransient(error) ? "warn" : "error"]({ error }, "claiming failed; trying again");
    // Nothing that goes wrong may end it: a worker that lives but no longer claims is the worst of all.
    const retry = { signal, random, mayPass: () => true, onRetry };
    while (!signal.aborted) {
      // The slots that become free in one turn, and the steps that arrive in it, share one look.
      await macrotask();
      const mayBeMore = await retryTransient(() => this.#begin(), retry).catch(() => false);
      if (!signal.aborted && !mayBeMore && !this.#arrived) await this.#idle();
    }
  }

  #begin(): Promise<boolean> {
    this.#look = this.#lookOnce();
    return this.#look;
  }

  /** Leases once; answers whether another look might find more at once. */
  async #lookOnce(): Promise<boolean> {
    const { db, running, workerId, leaseMs, onLeased } = this.#options;
    this.#arrived = false;
    const offer = running.offer();
    const { handlers, transactionalLimit } = offer;
    this.#awaitsSlot = true;
    if (handlers.length === 0) return this.#looked(false);
    // Taken before the statement is sent, so that it can only be earlier than the database's own time.
    const beganAt = performance.now();
    const leaseUntil = beganAt + leaseMs;
    const limit = Math.min(offer.limit, batchLimit, Math.max(1, Math.floor(batchBytes / this.#meanBytes)));
    const { horizon } = this.#options;
    const isShort = horizon.isShort;
    const ranges = isShort ? handlers.map((one) => ({ ...one, low: horizon.low(one.handler) })) : handlers;
    const leased = await claim(db, { handlers: ranges, limit, transactionalLimit, workerId, leaseMs });
    horizon.looked(leased, performance.now() - beganAt, isShort);
    this.#weigh(leased);
    if (leased.length > 0) this.#restMs = shortestRestMs;
    // A short look that found nothing says little; a full one follows at once.
    if (isShort && leased.length === 0) this.#arrived = true;
    const mayBeMore = mayHaveLeft(offer, limit, leased);
    this.#awaitsSlot = mayBeMore || offer.isPartial;
    if (leased.length > 0) {
      onLeased(await resolveLeased(this.#options, leased, { leaseUntil, signal: this.#stop.signal }), leaseUntil);
    }
    // Compensations come first, so when all common slots are taken more of them can wait only behind one of their kind.
    const isEndedByCompensation = leased.at(-1)?.lane === "compensation" && running.offer().handlers.length > 0;
    return this.#looked(mayBeMore && (running.free > 0 || isEndedByCompensation));
  }

  // Payloads are often alike, so what came last says what comes next. It forgets large ones slowly.
  #weigh(leased: readonly LeasedStep[]): void {
    if (leased.length === 0) return;
    const bytes = leased.reduce((sum, { value, output }) => sum + value.length + (output?.length ?? 0), 0);
    this.#meanBytes = Math.max(bytes / leased.length, 0.8 * this.#meanBytes, 1);
  }

  #looked(mayBeMore: boolean): boolean {
    this.#lastLookAt = performance.now();
    return mayBeMore;
  }

  #idle(): Promise<void> {
    const { pollIntervalMs, isListening, random } = this.#options;
    const longest = isListening() ? 2 * pollIntervalMs : pollIntervalMs;
    const rest = Math.min(this.#restMs, longest);
    this.#restMs = 2 * rest;
    // A fifth more of the interval is random, so that idle workers do not look all at once.
    const interval = rest * (1 + 0.2 * random());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), interval);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** A claim that leases so many may have left some: with many handlers it does not look on until it has all that it may take. */
const manySteps = 100;

/** Whether the look took all that it could of anything, so that there may be more. */
const mayHaveLeft = (
  { handlers, transactionalLimit }: Offer,
  limit: number,
  leased: readonly LeasedStep[],
): boolean => {
  if (leased.length >= Math.min(limit, manySteps)) return true;
  const transactional = new Set(handlers.filter((one) => one.transactional).map(({ handler }) => handler));
  const inTransactions = leased.filter(({ handler }) => transactional.has(handler)).length;
  if (transactionalLimit !== undefined && inTransactions >= transactionalLimit) return true;
  const taken = new Map<string, number>();
  for (const { handler } of leased) taken.set(handler, (taken.get(handler) ?? 0) + 1);
  return handlers.some(({ handler, slots }) => (taken.get(handler) ?? 0) >= slots);
};
