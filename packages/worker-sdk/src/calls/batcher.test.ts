import { describe, expect, it } from "vitest";
import { createBatcher, fulfilled, rejected } from "./batcher.ts";

/** A batcher whose batches come back when the test says so. */
const controlled = (options: { maxItems?: number; maxWeight?: number; besideAt?: number } = {}) => {
  const batches: { items: readonly number[]; back: () => void; fail: (error: unknown) => void }[] = [];
  const batcher = createBatcher<number, number>({
    maxItems: options.maxItems ?? 100,
    ...(options.maxWeight !== undefined && { maxWeight: options.maxWeight }),
    ...(options.besideAt !== undefined && { besideAt: options.besideAt }),
    weigh: (item) => item,
    run: (items) =>
      new Promise((resolve, reject) => {
        const outcomes = items.map((item) => (item < 0 ? rejected(new Error(`bad ${item}`)) : fulfilled(item * 10)));
        batches.push({ items, back: () => resolve(outcomes), fail: reject });
      }),
  });
  return { batcher, batches };
};

describe("createBatcher", () => {
  it("sends the first call at once and what comes meanwhile together", async () => {
    const { batcher, batches } = controlled();
    const results = [1, 2, 3].map((item) => batcher.add(item));
    expect(batches.map(({ items }) => items)).toEqual([[1]]);
    batches[0]?.back();
    expect(await results[0]).toBe(10);
    await Promise.resolve();
    expect(batches.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    batches[1]?.back();
    expect(await Promise.all(results)).toEqual([10, 20, 30]);
  });

  it("sends a second batch beside the first when enough calls wait for it, and no third", async () => {
    const { batcher, batches } = controlled({ besideAt: 3, maxItems: 3 });
    const results = [1, 2, 3, 4, 5, 6, 7, 8].map((item) => batcher.add(item));
    expect(batches.map(({ items }) => items)).toEqual([[1], [2, 3, 4]]);
    batches[1]?.back();
    await results[3];
    await Promise.resolve();
    expect(batches.map(({ items }) => items)).toEqual([[1], [2, 3, 4], [5, 6, 7]]);
    const closed = batcher.close(new Error("closed"));
    await expect(results[7]).rejects.toThrow("closed");
    for (const batch of [batches[0], batches[2]]) batch?.back();
    await closed;
    expect(await Promise.all(results.slice(0, 7))).toEqual([10, 20, 30, 40, 50, 60, 70]);
  });

  it("sends all calls of a turn together when it gathers", async () => {
    const seen: number[][] = [];
    const run = async (items: readonly number[]) => {
      seen.push([...items]);
      return items.map((item) => fulfilled(item));
    };
    const batcher = createBatcher<number, number>({ maxItems: 100, gathers: true, run });
    await Promise.all([1, 2, 3].map((item) => batcher.add(item)));
    await batcher.add(4);
    expect(seen).toEqual([[1, 2, 3], [4]]);
  });

  it("gives each call its own outcome", async () => {
    const { batcher, batches } = controlled();
    const first = batcher.add(1);
    const [bad, good] = [batcher.add(-2), batcher.add(3)];
    batches[0]?.back();
    await first;
    await Promise.resolve();
    batches[1]?.back();
    await expect(bad).rejects.toThrow("bad -2");
    expect(await good).toBe(30);
  });

  it("bounds a batch by number and by weight, and sends one that is too heavy alone", async () => {
    const run = async (items: readonly number[]) => items.map((item) => fulfilled(item));
    const seen: number[][] = [];
    const batcher = createBatcher<number, number>({
      maxItems: 3,
      maxWeight: 10,
      weigh: (item) => item,
      run: (items) => {
        seen.push([...items]);
        return run(items);
      },
    });
    await Promise.all([1, 4, 5, 2, 50, 1, 1, 1, 1].map((item) => batcher.add(item)));
    expect(seen).toEqual([[1], [4, 5], [2], [50], [1, 1, 1], [1]]);
  });

  it("rejects the calls of a batch that fails and goes on", async () => {
    const { batcher, batches } = controlled();
    const first = batcher.add(1);
    const second = batcher.add(2);
    batches[0]?.fail(new Error("lost"));
    await expect(first).rejects.toThrow("lost");
    await Promise.resolve();
    batches[1]?.back();
    expect(await second).toBe(20);
  });

  it("never sends a call whose signal fired before its batch went out", async () => {
    const { batcher, batches } = controlled();
    const controller = new AbortController();
    const first = batcher.add(1);
    const dropped = batcher.add(2, controller.signal);
    controller.abort(new Error("too late"));
    await expect(dropped).rejects.toThrow("too late");
    batches[0]?.back();
    await first;
    await batcher.close(new Error("closed"));
    expect(batches).toHaveLength(1);
  });

  it("never sends an item that was dropped before its batch went out, and leaves the others", async () => {
    const { batcher, batches } = controlled();
    const first = batcher.add(1);
    const [dropped, kept] = [batcher.add(2), batcher.add(3)];
    batcher.drop(2, new Error("not needed"));
    batcher.drop(1, new Error("it has gone out"));
    await expect(dropped).rejects.toThrow("not needed");
    batches[0]?.back();
    expect(await first).toBe(10);
    await Promise.resolve();
    batches[1]?.back();
    expect(await kept).toBe(30);
    expect(batches.map(({ items }) => items)).toEqual([[1], [3]]);
  });

  it("lets those of a batch come back before the next goes out, if it is told to", async () => {
    const seen: number[][] = [];
    const run = async (items: readonly number[]) => {
      seen.push([...items]);
      return items.map((item) => fulfilled(item));
    };
    const batcher = createBatcher<number, number>({ maxItems: 100, returns: true, run });
    const caller = async (first: number) => {
      for (let round = 0; round < 3; round += 1) await batcher.add(first + round);
    };
    await Promise.all([10, 20, 30].map(caller));
    expect(seen).toEqual([[10], [20, 30, 11], [21, 31, 12], [22, 32]]);
  });

  it("on close rejects what has not gone out and waits for what has", async () => {
    const { batcher, batches } = controlled();
    const first = batcher.add(1);
    const second = batcher.add(2);
    const closing = batcher.close(new Error("closed"));
    await expect(second).rejects.toThrow("closed");
    batches[0]?.back();
    await closing;
    expect(await first).toBe(10);
  });
});
