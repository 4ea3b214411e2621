/** The steps that a worker runs just now: how many more it can take, and which leases they hold. */
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import type { Attempt } from "./attempt.ts";

/** Keeps count of running attempts, over all handlers and for each. */
export class Running {
  readonly #handlers: ReadonlyMap<string, AnyHandlerImplementation>;
  readonly #concurrency: number;
  readonly #attempts = new Set<Attempt>();
  readonly #countOf = new Map<string, number>();
  #emptied: (() => void)[] = [];

  constructor(handlers: ReadonlyMap<string, AnyHandlerImplementation>, concurrency: number) {
    this.#handlers = handlers;
    this.#concurrency = concurrency;
  }

  /** The attempts that hold a slot. */
  get attempts(): ReadonlySet<Attempt> {
    return this.#attempts;
  }

  /** How many more steps can be taken over all handlers. */
  get free(): number {
    return Math.max(0, this.#concurrency - this.#attempts.size);
  }

  /** How many more steps of each handler can be taken; handlers without a free slot are left out. */
  slots(): { readonly handler: string; readonly slots: number }[] {
    const free = this.free;
    return [...this.#handlers.values()]
      .map(({ name, options: { concurrency = this.#concurrency } }) => ({
        handler: name,
        slots: Math.min(free, concurrency - (this.#countOf.get(name) ?? 0)),
      }))
      .filter(({ slots }) => slots > 0);
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
