/**
 * Where a look at the queue begins. The entries of leased steps stay in the index until PostgreSQL may remove them, and
 * while a long transaction is open elsewhere that is never: each look would walk through all that was leased since. So
 * when looks become slow, they begin at the key of the last step that was leased, and only now and then at the start, for
 * steps that have come with a better key meanwhile.
 */
import type { LeasedStep } from "@floxy/shared";

/** A look that takes longer than this is slow, in milliseconds. */
const slowMs = 10;

/** How long the looks after a slow one are short, in milliseconds: so long a step with a better key may be passed over. */
const shortForMs = 500;

/** Remembers, for each handler, before which key nothing was left. */
export class Horizon {
  readonly #now: () => number;
  readonly #lows = new Map<string, number>();
  #shortUntil = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a look that begins now is short. */
  get isShort(): boolean {
    return this.#now() < this.#shortUntil;
  }

  /** The key at which a look for a handler's steps begins; `undefined` for the start. */
  low(handler: string): number | undefined {
    return this.isShort ? this.#lows.get(handler) : undefined;
  }

  /** Notes what a look has leased, how long it took, and whether it was short. */
  looked(leased: readonly LeasedStep[], tookMs: number, wasShort: boolean): void {
    // A full look begins anew: what it has found first is the first that there was.
    if (!wasShort) this.#lows.clear();
    for (const { handler, key } of leased) this.#lows.set(handler, Math.max(key, this.#lows.get(handler) ?? key));
    if (wasShort && leased.length === 0) this.#shortUntil = Number.NEGATIVE_INFINITY;
    if (!wasShort && tookMs > slowMs) this.#shortUntil = this.#now() + shortForMs;
  }
}
