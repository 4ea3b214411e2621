import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDeadlines } from "./deadline.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});

describe("createDeadlines", () => {
  it("passes on what comes in time", async () => {
    const call = createDeadlines(100).begin();
    expect(await call.await(Promise.resolve(1))).toBe(1);
    await expect(call.await(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(call.isLate).toBe(false);
  });

  it("ends each call when its own time is over, with one timer for all", async () => {
    const deadlines = createDeadlines(100);
    const first = deadlines.begin();
    const late = expect(first.await(never())).rejects.toThrow("time is over");
    await vi.advanceTimersByTimeAsync(60);
    const second = deadlines.begin();
    const later = expect(second.await(never())).rejects.toThrow("time is over");
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(41);
    await late;
    expect([first.isLate, second.isLate]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(60);
    await later;
    expect(second.isLate).toBe(true);
  });

  it("leaves alone a call that has ended, and ends at once what is awaited too late", async () => {
    const deadlines = createDeadlines(100);
    const [ended, late] = [deadlines.begin(), deadlines.begin()];
    ended.end();
    await vi.advanceTimersByTimeAsync(101);
    expect([ended.isLate, late.isLate]).toEqual([false, true]);
    await expect(late.await(never())).rejects.toThrow("time is over");
    expect(vi.getTimerCount()).toBe(0);
  });
});
