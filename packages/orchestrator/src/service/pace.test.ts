import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";
import { backoffMs, createPace } from "./pace.ts";

test("the backoff is anything up to a limit that doubles to five seconds", () => {
  expect(backoffMs(1, () => 0)).toBe(0);
  expect([1, 2, 5, 6, 1_000].map((failures) => backoffMs(failures, () => 1))).toEqual([200, 400, 3_200, 5_000, 5_000]);
});

test("a pace doubles up to the longest wait, also when that changes, and starts again", () => {
  const pace = createPace(50, () => 1);
  expect([1, 2, 3, 4, 5, 6].map(() => pace.next(1_000))).toEqual([50, 100, 200, 400, 800, 1_000]);
  expect(pace.next(100)).toBe(100);
  pace.reset();
  expect(pace.next(1_000)).toBe(50);
});

test("a tenth of each wait of a pace is random", () => {
  expect(createPace(100, () => 0).next(1_000)).toBe(90);
});

test("the clock of the process calls back, at once or later, unless that is taken back", async () => {
  const called: string[] = [];
  systemClock.after(0, () => called.push("taken back"))();
  systemClock.after(5, () => called.push("taken back"))();
  await new Promise<void>((resolve) => systemClock.after(0, resolve));
  const before = systemClock.now();
  await new Promise<void>((resolve) => systemClock.after(6, resolve));
  expect(systemClock.now() - before).toBeGreaterThan(4);
  expect(called).toEqual([]);
});
