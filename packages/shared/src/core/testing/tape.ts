/** Choices that are read from a list of numbers, so that a run can be repeated and made smaller. */
export class Tape {
  readonly #numbers: ArrayLike<number>;
  #position = 0;

  constructor(numbers: ArrayLike<number>) {
    this.#numbers = numbers;
  }

  /** A number from 0 to below `limit`; 0 when the list has come to its end. */
  below(limit: number): number {
    return (this.#numbers[this.#position++] ?? 0) % limit;
  }

  /** True in about this many of a hundred cases; never when the list has come to its end. */
  chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }

  /** One of a list; the first when the list of numbers has come to its end. */
  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }
}
