/**
 * Choices. A run takes all its choices from one tape: made from a seed, and recorded, so that the run can be repeated and
 * made smaller. Zero is always the simplest choice, and a tape that has come to its end goes on with zeros.
 */

/** A source of choices that remembers what it has given. */
export class Tape {
  /** What was chosen so far. */
  readonly taken: number[] = [];
  readonly #next: (limit: number) => number;

  private constructor(next: (limit: number) => number) {
    this.#next = next;
  }

  /** Choices that a seed makes; the same seed makes the same. */
  static ofSeed(seed: number): Tape {
    const random = randomOf(seed);
    return new Tape((limit) => Math.floor(random() * limit));
  }

  /** Choices that were recorded, or made smaller. */
  static of(recorded: readonly number[]): Tape {
    let position = 0;
    return new Tape((limit) => (recorded[position++] ?? 0) % limit);
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    const chosen = this.#next(limit);
    this.taken.push(chosen);
    return chosen;
  }

  /** True in about so many of a hundred cases. */
  chance(percent: number): boolean {
    return percent > 0 && this.below(100) >= 100 - percent;
  }

  /** One of a list, the first of which is the simplest. */
  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  /** One of a list that may be empty. */
  pickAny<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.below(list.length)];
  }

  /** One of a list in which each has a weight, the first the simplest. */
  weigh<T>(list: readonly (readonly [weight: number, value: T])[]): T | undefined {
    const sum = list.reduce((total, [weight]) => total + weight, 0);
    if (sum === 0) return undefined;
    let left = this.below(sum);
    for (const [weight, value] of list) {
      if (left < weight) return value;
      left -= weight;
    }
    return undefined;
  }
}

// Mulberry32: small, fast, and good enough to choose by.
const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
