/** Scripts and spans of time by themselves. */
import { describe, expect, it } from "vitest";
import type { Duration } from "./duration.ts";
import { msOf, sayDuration } from "./duration.ts";
import { createScript } from "./script.ts";

describe("a script", () => {
  it("is used up in the order in which it was written", () => {
    const { script, rules } = createScript("'a'");
    script.crashes({ times: 1 }).takes({ ms: 5 }, { times: 2 });
    const crash = { kind: "crashes", called: false };
    const takes = { kind: "runs", takesMs: 5 };
    expect([1, 2, 3, 4].map(() => rules.next())).toEqual([crash, takes, takes, undefined]);
  });

  it("holds for ever without a number of times, so nothing can follow", () => {
    const { script, rules } = createScript("'a'");
    script.timesOut();
    expect([rules.next(), rules.next()]).toEqual([
      { kind: "times out", called: false },
      { kind: "times out", called: false },
    ]);
    expect(() => script.fails()).toThrow(/said of 'a' before holds for all calls/);
  });

  it.each([0, -1, 1.5, Number.NaN])("cannot hold %s times", (times) => {
    expect(() => createScript("'a'").script.crashes({ times })).toThrow(/times must be an integer/);
  });
});

describe("a span of time", () => {
  it("adds up its fields", () => {
    expect(msOf({ days: 1, hours: 1, minutes: 1, seconds: 1, ms: 1 })).toBe(90_061_001);
    expect(msOf({ hours: 1.5 })).toBe(5_400_000);
    expect(msOf({})).toBe(0);
  });

  it.each<[unknown, RegExp]>([
    [{ day: 1 }, /no unit 'day'; it has days, hours/],
    [{ days: -1 }, /days must be a number ≥ 0, not -1/],
    [{ days: Number.POSITIVE_INFINITY }, /not Infinity/],
    [5, /not 5/],
    [null, /not null/],
  ])("is not %j", (duration, message) => {
    expect(() => msOf(duration as Duration)).toThrow(message);
  });

  it("is said in words", () => {
    expect([0, 250, 61_000, 90_061_001].map(sayDuration)).toEqual(["0ms", "250ms", "1m 1s", "1d 1h 1m 1s 1ms"]);
  });
});
