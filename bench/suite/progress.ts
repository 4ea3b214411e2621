/** Says what is being measured, and how long the rest will take. */

/** Tells of each measurement before and after it. */
export class Progress {
  readonly #startedAt = performance.now();
  readonly #took = new Map<string, number>();
  #done = 0;

  /** The keys of all that will be measured, one for each time. */
  constructor(
    private readonly keys: readonly string[],
    private readonly write: (text: string) => void = (text) => process.stdout.write(text),
  ) {}

  /** Before the next measurement. */
  begin(text: string): void {
    const { length } = this.keys;
    this.write(`[${String(this.#done + 1).padStart(String(length).length)}/${length}] ${text}${this.#remaining()} … `);
  }

  /** After it. */
  end(text: string, tookMs: number): void {
    this.#took.set(this.keys[this.#done] ?? "", tookMs);
    this.#done++;
    this.write(`${text}\n`);
  }

  // What was measured before takes as long again, and everything else as long as the mean of what was measured.
  #remaining(): string {
    if (this.#done === 0) return "";
    const mean = (performance.now() - this.#startedAt) / this.#done;
    const ms = this.keys.slice(this.#done).reduce((sum, key) => sum + (this.#took.get(key) ?? mean), 0);
    return ms < 90_000 ? `, about ${Math.ceil(ms / 1_000)} s left` : `, about ${Math.ceil(ms / 60_000)} min left`;
  }
}
