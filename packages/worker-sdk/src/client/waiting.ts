/** Waiting for the end of an instance, and reading what it ended with. */
import type { Executor, InstanceStatus, InstanceSummary } from "@floxy/shared";
import { FloxyError, getInstances, instanceNotFound, summarise } from "@floxy/shared";
import { createBatcher, fulfilled, rejected } from "../calls/batcher.ts";
import { pause, retryTransient } from "../calls/retry.ts";
import type { EndWatcher } from "./end-watcher.ts";
import { timerLimitMs } from "./options.ts";

/** How long to wait. */
export interface WaitOptions {
  /** After this long the wait ends with `WAIT_TIMEOUT`, in milliseconds. Without it there is no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Waits for the end of an instance, and says what it ended with. */
export type WaitForEnd = (instanceId: string, options?: WaitOptions) => Promise<InstanceSummary>;

/** The most instances that are read in one statement; each may have two payloads. */
const readLimit = 20;

/** How long the last look may take once the time is up, in milliseconds. */
const lastLookMs = 1_000;

/** Makes the waiting of a client. */
export const createWaiting = (db: Executor, watcher: EndWatcher, random: () => number): WaitForEnd => {
  const reader = createBatcher<string, InstanceSummary>({
    maxItems: readLimit,
    run: async (ids) => {
      const rows = new Map((await getInstances(db, ids)).map((row) => [row.instanceId, row]));
      return ids.map((id) => {
        const row = rows.get(id);
        return row === undefined ? rejected(instanceNotFound(id)) : fulfilled(summarise(row));
      });
    },
  });
  return async (instanceId, { timeoutMs, signal } = {}) => {
    assertTimeout(timeoutMs);
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    let end: InstanceStatus | undefined;
    const giveUp = async () => {
      await lastLook(watcher, instanceId, controller.signal);
      // It did end in time; then reading what it ended with may take a moment more.
      if (end !== undefined) await pause(lastLookMs, controller.signal).catch(() => {});
      controller.abort(waitTimeout(instanceId, timeoutMs, end ?? watcher.statusOf(instanceId)));
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => void giveUp(), timeoutMs);
    try {
      await watcher.ended(instanceId, controller.signal).then((status) => {
        end = status;
      });
      return await retryTransient(() => reader.add(instanceId), { signal: controller.signal, random });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      controller.abort();
    }
  };
};

// Without notifications the end may be seconds old, and the status in the error should be today's.
const lastLook = async (watcher: EndWatcher, instanceId: string, signal: AbortSignal): Promise<void> => {
  await Promise.race([watcher.look([instanceId]), pause(lastLookMs, signal).catch(() => {})]);
};

const assertTimeout = (timeoutMs: number | undefined): void => {
  if (timeoutMs === undefined || (timeoutMs >= 0 && timeoutMs <= timerLimitMs)) return;
  const message = `timeoutMs must be a number from 0 to ${timerLimitMs}, not ${String(timeoutMs)}; leave it out to wait without limit.`;
  throw new FloxyError("OPTION_INVALID", message);
};

const waitTimeout = (instanceId: string, timeoutMs: number | undefined, status = "unknown"): FloxyError => {
  const message = `Instance ${instanceId} did not end within ${timeoutMs} ms; its status is '${status}'. It goes on all the same.`;
  return new FloxyError("WAIT_TIMEOUT", message, { data: { instanceId, status, timeoutMs } });
};
