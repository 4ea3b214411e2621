/** The steps that a worker runs just now: how many more it can take, and which leases they hold. */

import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import type { Attempt } from "./attempt.ts";
import type { Horizon } from "./horizon.ts";
import type { Wishes } from "./wishes.ts";

/** What a look at the queue may take. */
export interface Offer {
  readonly handlers: readonly { readonly handler: string; readonly slots: number; readonly transactional: boolean }[];
  /** The most steps over all handlers. */
  readonly limit: number;
  /** The most steps over all transactional handlers; `undefined` when there are none. */
  readonly transactionalLimit: number | undefined;
  /** Whether handlers without a free slot were left out: the look then says nothing about their steps. */
  readonly isPartial: boolean;
}

interface Wait {
  readonly holds: () => boolean;
  readonly resolve: () => void;
}

/** Keeps count of running attempts, over all handlers and for each. */
export class Running {
  /** The most attempts at a time: the common slots, and a tenth more, at least one, that are kept for compensations. */
  readonly limit: number;
  /** As {@link limit}, of those whose handlers are transactional: how many connections they need. */
  readonly transactionalLimit: number;
  readonly #handlers: ReadonlyMap<string, AnyHandlerImplementation>;
  readonly #concurrency: number;
  readonly #transactionalConcurrency: number;
  readonly #attempts = new Set<Attempt>();
  readonly #countOf = new Map<string, number>();
  #waits: readonly Wait[] = [];

  constructor(
    handlers: ReadonlyMap<string, AnyHandlerImplementation>,
    concurrency: number,
    transactionalConcurrency = concurrency,
  ) {
    const transactional = [...handlers.values()].filter(isTransactional);
    this.#handlers = handlers;
    this.#concurrency = concurrency;
    this.#transactionalConcurrency = transactionalConcurrency;
    this.limit = withReserve(concurrency);
    if (transactional.length === 0) this.transactionalLimit = 0;
    else if (transactional.every(({ kind }) => kind === "handler")) this.transactionalLimit = transactionalConcurrency;
    else this.transactionalLimit = withReserve(transactionalConcurrency);
  }

  /** The attempts that hold a slot. */
  get attempts(): ReadonlySet<Attempt> {
    return this.#attempts;
  }

  /** How many more steps of any kind can be taken, over all handlers. */
  get free(): number {
    return Math.max(0, this.#concurrency - this.#attempts.size);
  }

  /** What the next look at the queue may take. */
  offer(): Offer {
    const { free } = this;
    // Compensations come first in the queue and take common slots too; the reserve is theirs when those are all taken.
    const limit = free > 0 ? free : this.limit - this.#attempts.size;
    const connections = this.#offerConnections(free > 0);
    const handlers = [...this.#handlers.values()]
      .filter(({ kind, ...one }) => {
        if (kind === "compensation") return true;
        return isTransactional(one) ? connections.forAll : free > 0;
      })
      .map(({ name, options }) => ({
        handler: name,
        slots: Math.min(
          isTransactional({ options }) ? Math.min(limit, connections.limit) : limit,
          (options.concurrency ?? Number.POSITIVE_INFINITY) - (this.#countOf.get(name) ?? 0),
        ),
        transactional: isTransactional({ options }),
      }))
      .filter(({ slots }) => slots > 0);
    const transactionalLimit = handlers.some(({ transactional }) => transactional) ? connections.limit : undefined;
    return { handlers, limit, transactionalLimit, isPartial: handlers.length < this.#handlers.size };
  }

  /** How many more transactional steps can be taken, and whether of all kinds or of compensations alone. */
  #offerConnections(isSlotFree: boolean): { readonly limit: number; readonly forAll: boolean } {
    let taken = 0;
    for (const [name, count] of this.#countOf) {
      const handler = this.#handlers.get(name);
      if (handler !== undefined && isTransactional(handler)) taken += count;
    }
    const free = this.#transactionalConcurrency - taken;
    if (isSlotFree && free > 0) return { limit: free, forAll: true };
    return { limit: this.transactionalLimit - taken, forAll: false };
  }

  /** What may be taken in place of attempts whose handlers have ended: as many steps, in their slots. */
  wishes(ended: readonly { readonly handler: string }[], horizon: Pick<Horizon, "low">): Wishes {
    let free = ended.length;
    const freed = new Map<string, number>();
    for (const { handler } of ended) freed.set(handler, (freed.get(handler) ?? 0) + 1);
    const wants = (name: string): boolean => {
      const handler = this.#handlers.get(name);
      // Transactional ones wait for a connection; they are taken from the queue when there is one.
      if (free === 0 || handler === undefined || isTransactional(handler)) return false;
      const slots = (handler.options.concurrency ?? Number.POSITIVE_INFINITY) - (this.#countOf.get(name) ?? 0);
      const left = freed.get(name) ?? 0;
      if (slots + left <= 0) return false;
      free--;
      freed.set(name, left - 1);
      return true;
    };
    const handlers = [...this.#handlers.keys()].map((handler) => ({ handler, low: horizon.low(handler) }));
    return { handlers, wants };
  }

  /** Takes a slot. */
  add(attempt: Attempt): void {
    this.#attempts.add(attempt);
    this.#count(attempt.leased.handler, 1);
  }

  /** Notes that the result of an attempt needs no more care; its handler may go on, and keeps its slot. */
  settle(attempt: Attempt): void {
    attempt.isSettled = true;
    this.#changed();
  }

  /** Gives a slot back. */
  remove(attempt: Attempt): void {
    if (!this.#attempts.delete(attempt)) return;
    this.#count(attempt.leased.handler, -1);
    this.#changed();
  }

  /** Resolves when the result of everything that runs needs no more care. */
  settled(): Promise<void> {
    return this.#until(() => [...this.#attempts].every(({ isSettled }) => isSettled));
  }

  /** Resolves when nothing runs. */
  empty(): Promise<void> {
    return this.#until(() => this.#attempts.size === 0);
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waits = [...this.#waits, { holds, resolve }];
      this.#changed();
    });
  }

  #changed(): void {
    if (this.#waits.length === 0) return;
    const over = this.#waits.filter(({ holds }) => holds());
    this.#waits = this.#waits.filter((wait) => !over.includes(wait));
    for (const { resolve } of over) resolve();
  }

  #count(handler: string, change: number): void {
    this.#countOf.set(handler, (this.#countOf.get(handler) ?? 0) + change);
  }
}

/** A number of slots with those that are kept for compensations besides. */
const withReserve = (slots: number): number => slots + Math.ceil(slots / 10);

const isTransactional = ({ options }: Pick<AnyHandlerImplementation, "options">): boolean =>
  options.transactional === true;
