import { expect, it } from "vitest";
import { jsonOf } from "./results.ts";

it("writes lists of numbers on one line, rounds them, and leaves out what was not measured", () => {
  expect(jsonOf({ rounds: [1.23456789, 2], none: [], median: Number.NaN })).toBe(
    `{\n  "rounds": [1.23457, 2],\n  "none": [],\n  "median": null\n}\n`,
  );
});

it("keeps long lists and lists of objects apart", () => {
  const long = ["x".repeat(70), "y".repeat(70)];
  expect(jsonOf({ long, rows: [{ a: 1 }] }).split("\n")).toHaveLength(12);
  expect(JSON.parse(jsonOf({ long }))).toEqual({ long });
});
