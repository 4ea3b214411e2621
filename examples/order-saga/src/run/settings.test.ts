import { expect, it } from "vitest";
import { readSettings, UsageError } from "./settings.ts";

it("takes the example's own orders, or a file meant from where the command was typed", () => {
  expect(readSettings([], {})).toMatchObject({
    path: expect.stringMatching(/examples.order-saga.orders\.jsonl$/),
    outsideCallMs: 40,
    timeoutMs: 120_000,
  });
  expect(readSettings(["my.jsonl"], { INIT_CWD: "/typed/here" })?.path).toBe("/typed/here/my.jsonl");
});

it("knows when help is asked for", () => {
  expect(readSettings(["file", "--help"], {})).toBeUndefined();
  expect(readSettings(["-h"], {})).toBeUndefined();
});

it("says what was asked wrongly", () => {
  expect(() => readSettings(["one", "two"], {})).toThrow(UsageError);
  expect(() => readSettings([], { OUTSIDE_CALL_MS: "soon" })).toThrow(
    "OUTSIDE_CALL_MS must be a whole number of milliseconds, not 'soon'.",
  );
});
