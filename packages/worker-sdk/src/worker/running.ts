/** The steps that a worker runs just now: how many more it can take, and which leases they hold. */
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import type { Attempt } from "./attempt.ts";

/** What a look at the queue may take. */
export interface Offer {
  readonly handlers: readonly { readonly handler: string; readonly slots: number }[];
  /** The most steps over all handlers. */
  readonly limit: number;
  /** Whether handlers without a free slot were left out: the look then says nothing about their steps. */
  readonly isPartial: boolean;
}

/** Keeps count of running attempts, over all handlers and for each. */
export class Running {
  readonly #handlers: ReadonlyMap<string, AnyHandlerImplementation>;
  readonly #concurrency: number;
  readonly #attempts = new Set<Attempt>();
  readonly #countOf = new Map<string, number>();
  #emptied: (() => void)[] = [];

  /** The most attempts at a time: the common slots, and a tenth more, at least one, that are kept for compensations. */
  readonly limit: number;

  constructor(handlers: ReadonlyMap<string, AnyHandlerImplementation>, concurrency: number) {
    this.#handlers = handlers;
    this.#concurrency = concurrency;
    this.limit = concurrency + Math.ceil(concurrency / 10);
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
    const handlers = [...this.#handlers.values()]
      .filter(({ kind }) => free > 0 || kind === "compensation")
      .map(({ name, options: { concurrency = limit } }) => ({
        handler: name,
        slots: Math.min(limit, concurrency - (this.#countOf.get(name) ?? 0)),
      }))
      .filter(({ slots }) => slots > 0);
    return { handlers, limit, isPartial: handlers.length < this.#handlers.size };
  }

  /** Takes a slot. */
  add(attempt: Attempt): void {
    this.#attempts.add(attempt);
    this.#count(attempt.leased.handler, 1);
  }

  /** Gives a slot back. */
  remove(attempt: Attempt): void {
    if (!this.#attempts.delete(attempt)) return;
    this.#count(attempt.leased.handler, -1);
    if (this.#attempts.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Resolves when nothing runs. */
  empty(): Promise<void> {
    if (this.#attempts.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptied.push(resolve));
  }

  #count(handler: string, change: number): void {
    this.#countOf.set(handler, (this.#countOf.get(handler) ?? 0) + change);
  }
}
