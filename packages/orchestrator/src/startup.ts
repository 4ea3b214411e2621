/** Reaching the database for the first time. Nothing else can be done without it, so it is waited for. */
import { FloxyError, isFloxyError } from "@floxy/shared";
import type { Logger } from "./log.ts";
import { errorField } from "./log.ts";
import type { Clock, Random } from "./service/clock.ts";
import { backoffMs } from "./service/pace.ts";

/** What waiting for the database needs. */
export interface ReachOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Fires when nobody wants to wait any longer. */
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}

/**
 * Runs `work` until the database can be reached, with a growing wait between the tries. Errors that do not pass by
 * themselves, such as a refused password, are thrown; so is `SHUTDOWN` once the signal fires.
 */
export const whenReached = async (work: () => Promise<void>, options: ReachOptions): Promise<void> => {
  const { clock, random, log, signal } = options;
  for (let failures = 1; ; failures++) {
    if (signal.aborted) throw new FloxyError("SHUTDOWN", "the orchestrator was stopped before it reached the database");
    try {
      return await work();
    } catch (error) {
      if (!isFloxyError(error, "DATABASE_UNAVAILABLE")) throw error;
      options.onError(error);
      log.warn({ error: errorField(error), failures }, "the database cannot be reached; trying again");
    }
    await pause(clock, backoffMs(failures, random), signal);
  }
};

const pause = (clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const cancel = clock.after(delayMs, finish);
    function finish(): void {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    }
    signal.addEventListener("abort", finish);
  });
