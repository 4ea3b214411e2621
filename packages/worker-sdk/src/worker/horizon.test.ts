import { expect, it } from "vitest";
import { Horizon } from "./horizon.ts";
import { leasedStep } from "./testing/steps.ts";

const setUp = () => {
  let now = 1_000;
  const horizon = new Horizon(() => now);
  const pass = (ms: number) => {
    now += ms;
  };
  return { horizon, pass };
};
const step = (handler: string, key: number) => leasedStep({ handler, key });

it("looks begin at the start while they are quick", () => {
  const { horizon } = setUp();
  horizon.looked([step("a", 5)], 3, false);
  expect(horizon.isShort).toBe(false);
  expect(horizon.low("a")).toBeUndefined();
});

it("after a slow look they begin at the last key of each handler, for half a second", () => {
  const { horizon, pass } = setUp();
  horizon.looked([step("a", 5), step("b", 9), step("a", 7)], 11, false);
  expect([horizon.low("a"), horizon.low("b"), horizon.low("c")]).toEqual([7, 9, undefined]);
  horizon.looked([step("a", 12)], 50, true);
  expect(horizon.low("a")).toBe(12);
  pass(500);
  expect(horizon.isShort).toBe(false);
  expect(horizon.low("a")).toBeUndefined();
});

it("a short look that found nothing is followed by a full one", () => {
  const { horizon } = setUp();
  horizon.looked([step("a", 5)], 11, false);
  horizon.looked([], 1, true);
  expect(horizon.isShort).toBe(false);
});

it("a full look forgets where those before had ended", () => {
  const { horizon, pass } = setUp();
  horizon.looked([step("a", 90)], 11, false);
  pass(500);
  horizon.looked([step("a", 20)], 11, false);
  expect(horizon.low("a")).toBe(20);
});
