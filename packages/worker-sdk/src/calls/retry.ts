/** Repeating calls that the database did not answer, until they succeed or their time is over. */
import { setTimeout as delay } from "node:timers/promises";
import { isTransient } from "@floxy/shared";

/** What repeating a call takes. */
export interface RetryOptions {
  /** Ends the repeating; the call then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
  /** Which failures may pass; those of the way to the database unless told. */
  readonly mayPass?: (error: unknown) => boolean;
  /** Told of each failure that is followed by another try. */
  readonly onRetry?: (error: unknown) => void;
}

const firstDelayMs = 50;
const maxDelayMs = 2_000;

/**
 * Repeats a call while it fails for a reason that may pass. It must be harmless to repeat it when only its answer was
 * lost. Between two tries lies a random part of a time that doubles (full jitter), so that the many who lost the same
 * connection do not come back together.
 */
export const retryTransient = async <T>(call: () => Promise<T>, options: RetryOptions): Promise<T> => {
  const { signal, random, mayPass = isTransient, onRetry } = options;
  for (let tries = 0; ; tries += 1) {
    if (signal.aborted) throw signal.reason;
    try {
      return await unlessAborted(call(), signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!mayPass(error)) throw error;
      onRetry?.(error);
      await pause(backoffMs(tries, random), signal);
    }
  }
};

/** How long to wait after so many tries before this one: a random part of a time that doubles. */
export const backoffMs = (tries: number, random: () => number): number =>
  random() * Math.min(maxDelayMs, firstDelayMs * 2 ** tries);

/** Waits, or rejects with the signal's own reason. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await delay(ms, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
};

/** The promise, or a rejection with the signal's reason if that fires first. */
const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
