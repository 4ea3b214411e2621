import { describe, expect, it } from "vitest";
import { latencyOf, median, quantile, spread, summarize } from "./statistics.ts";

describe("quantile", () => {
  it("is a value that was measured, whatever the order they came in", () => {
    expect(quantile([30, 10, 20, 40], 0.5)).toBe(20);
    expect(quantile([30, 10, 20, 40], 0.51)).toBe(30);
  });

  it("of a hundred values leaves one above p99", () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(quantile(values, 0.99)).toBe(99);
    expect(quantile(values, 1)).toBe(100);
    expect(quantile(values, 0)).toBe(1);
  });

  it("of nothing is not a number", () => {
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("sorts as numbers, not as text", () => {
    expect(quantile([9, 100, 20], 1)).toBe(100);
  });
});

describe("median and spread", () => {
  it("take the middle, and the mean of two middles", () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("say how far the rounds lie apart in shares of the median", () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2);
    expect(spread([7])).toBe(0);
    expect(spread([])).toBeNaN();
  });

  it("leave out rounds in which a figure could not be measured", () => {
    expect(summarize([1, Number.NaN, 3])).toEqual({ median: 2, spread: 1, rounds: [1, 3] });
  });
});

describe("latencyOf", () => {
  it("counts, and keeps the slowest", () => {
    expect(latencyOf([3, 1, 2])).toEqual({ count: 3, p50: 2, p99: 3, max: 3 });
  });
});
