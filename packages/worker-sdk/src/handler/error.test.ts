import { expect, test } from "vitest";
import { NonRetryableError, RetryAfterError } from "./error.ts";

test("a NonRetryableError keeps its cause", () => {
  const cause = new Error("card stolen");
  const error = new NonRetryableError("no use trying again", { cause });
  expect(error).toMatchObject({ name: "NonRetryableError", message: "no use trying again", cause });
});

test("a RetryAfterError says how long to wait, also in its message", () => {
  expect(new RetryAfterError(1_500)).toMatchObject({ retryAfterMs: 1_500, message: "try again in 1500 ms" });
  expect(new RetryAfterError(0, "busy").message).toBe("busy");
});

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])("a RetryAfterError refuses %s milliseconds", (ms) => {
  expect(() => new RetryAfterError(ms)).toThrow(RangeError);
});
