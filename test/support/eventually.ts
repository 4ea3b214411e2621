/** Waiting for what no promise tells. The only polling of the tests is here. */

/** How long to look, and how often. */
export interface EventuallyOptions {
  /** How long to go on looking, in milliseconds; 10,000 unless told. */
  readonly deadlineMs?: number;
  /** The wait between two looks, in milliseconds; 10 unless told. */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until a look neither throws nor answers `false` or `undefined`, and gives its answer. At the
 * deadline it throws what the last look threw, so an `expect` in it explains itself.
 */
export const eventually = async <T>(
  look: () => T | Promise<T>,
  { deadlineMs = 10_000, intervalMs = 10 }: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> => {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    const last = performance.now() >= endsAt;
    try {
      const answer = await look();
      if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
      if (last) throw new Error(`what was waited for did not happen within ${deadlineMs} ms: ${look.toString()}`);
    } catch (error) {
      if (last) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
};
