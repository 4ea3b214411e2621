import type { Executor, InstanceState, InstanceStatus } from "@floxy/shared";
import { isFloxyError, newId } from "@floxy/shared";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EndWatcher } from "./end-watcher.ts";

/** A watcher on a database that answers from a map and counts its statements. */
const watching = () => {
  const statuses = new Map<string, InstanceStatus>();
  const asked: string[][] = [];
  let broken: Error | undefined;
  const query = async (_: unknown, values: readonly unknown[] = []): Promise<InstanceState[]> => {
    const ids = values[0] as string[];
    asked.push(ids);
    if (broken !== undefined) throw broken;
    return ids.flatMap((instanceId) => {
      const status = statuses.get(instanceId);
      return status === undefined ? [] : [{ instanceId, status, finished: status !== "running" }];
    });
  };
  const db = { schema: "floxy", query } as unknown as Executor;
  const onFirst = vi.fn();
  const watcher = new EndWatcher({ db, random: () => 1, onFirst, onRetry: () => {} });
  const running = (): string => {
    const instanceId = newId();
    statuses.set(instanceId, "running");
    return instanceId;
  };
  const breakWith = (error: Error | undefined) => {
    broken = error;
  };
  return { watcher, statuses, asked, running, onFirst, breakWith };
};

/** A signal that never fires; each wait has its own. */
const never = (): AbortSignal => new AbortController().signal;

describe("EndWatcher", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("looks at once, and only once, when the instance has ended", async () => {
    const { watcher, statuses, asked } = watching();
    const id = newId();
    statuses.set(id, "completed");
    expect(await watcher.ended(id, never())).toBe("completed");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([[id]]);
  });

  it("looks at a hundred instances in one statement, ever more rarely, at most every second", async () => {
    const { watcher, statuses, asked, running, onFirst } = watching();
    const ids = Array.from({ length: 100 }, running);
    const ends = Promise.all(ids.map((id) => watcher.ended(id, never())));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([ids]);
    await vi.advanceTimersByTimeAsync(60_000);
    // At 1, 2.5, 4.75, 8.1 seconds, and then every five.
    expect(asked).toHaveLength(1 + 4 + 10);
    for (const id of ids) statuses.set(id, "failed");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(new Set(await ends)).toEqual(new Set(["failed"]));
    expect(onFirst).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not kept from looking by new waits that keep coming", async () => {
    const { watcher, statuses, running } = watching();
    const id = running();
    const end = watcher.ended(id, never());
    await vi.advanceTimersByTimeAsync(0);
    statuses.set(id, "completed");
    for (let turn = 0; turn < 11; turn += 1) {
      watcher.ended(running(), never()).catch(() => {});
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(watcher.statusOf(id)).toBeUndefined();
    expect(await end).toBe("completed");
  });

  it("looks at once where a notification points, and nowhere for an instance that nobody waits for", async () => {
    const { watcher, statuses, asked, running } = watching();
    const [id, other] = [running(), running()];
    const end = watcher.ended(id, never());
    watcher.ended(other, never()).catch(() => {});
    await vi.advanceTimersByTimeAsync(0);
    statuses.set(id, "completed");
    await watcher.look([newId()]);
    expect(asked).toHaveLength(1);
    await watcher.look([id]);
    expect(asked[1]).toEqual([id]);
    expect(await end).toBe("completed");
  });

  it("survives the loss of the database", async () => {
    const { watcher, statuses, running, breakWith } = watching();
    const id = running();
    const end = watcher.ended(id, never());
    breakWith(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
    await vi.advanceTimersByTimeAsync(30_000);
    statuses.set(id, "completed");
    breakWith(undefined);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await end).toBe("completed");
  });

  it("gives up for an error that does not pass", async () => {
    const { watcher, running, breakWith } = watching();
    breakWith(Object.assign(new Error("permission denied"), { code: "42501" }));
    await expect(watcher.ended(running(), never())).rejects.toThrow("permission denied");
  });

  it("says so when there is no such instance, or could not be", async () => {
    const { watcher, asked } = watching();
    await expect(watcher.ended(newId(), never())).rejects.toSatisfy((e) => isFloxyError(e, "INSTANCE_NOT_FOUND"));
    await expect(watcher.ended("nonsense", never())).rejects.toThrow("'nonsense' is not the id of an instance");
    expect(asked).toHaveLength(1);
  });

  it("stops looking when the last one has left, and rejects all when it is closed", async () => {
    const { watcher, running } = watching();
    const controller = new AbortController();
    const left = watcher.ended(running(), controller.signal);
    await vi.advanceTimersByTimeAsync(0);
    controller.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    expect(vi.getTimerCount()).toBe(0);
    const end = watcher.ended(running(), never());
    watcher.close(Object.assign(new Error("closed")) as never);
    await expect(end).rejects.toThrow("closed");
    await expect(watcher.ended(running(), never())).rejects.toThrow("closed");
  });
});
