import { describe, expect, it } from "vitest";
import { FloxyError } from "../vocabulary/error.ts";
import { errorMessageLimit, errorStackLimit } from "../vocabulary/limit.ts";
import { toStepError } from "./step-error.ts";

const circular: Record<string, unknown> = {};
circular.self = circular;

const hostile = new Error("never seen");
Object.defineProperty(hostile, "message", {
  get: () => {
    throw new Error("no");
  },
});

describe("the error kept of what was thrown", () => {
  it("keeps the code and message of Floxy's own, and says where it happened", () => {
    const error = new FloxyError("EXPRESSION_FAILED", "there is no total");
    expect(toStepError(error, "condition 'big': ")).toEqual({
      code: "EXPRESSION_FAILED",
      message: "condition 'big': there is no total",
    });
  });

  it("keeps name and stack of any other, under the code that the caller gives", () => {
    const error = new RangeError("too far");
    expect(toStepError(error)).toEqual({
      code: "HANDLER_FAILED",
      message: "too far",
      name: "RangeError",
      stack: error.stack,
    });
    expect(toStepError(error, "", "STEP_TIMEOUT").code).toBe("STEP_TIMEOUT");
  });

  it("does without a stack where there is none", () => {
    const error = new Error("bare");
    Reflect.deleteProperty(error, "stack");
    expect(toStepError(error)).toEqual({ code: "HANDLER_FAILED", message: "bare", name: "Error" });
  });

  it.each([
    ["text", "no stock", "no stock"],
    ["an object", { status: 503 }, '{"status":503}'],
    ["nothing", undefined, "undefined"],
    ["an object in a circle", circular, "[object Object]"],
    ["a bigint", 1n, "1"],
    ["an error whose message throws", hostile, "something was thrown that cannot be shown as text"],
    [
      "an object without a prototype, in a circle",
      Object.assign(Object.create(null), { circular }),
      "something was thrown that cannot be shown as text",
    ],
  ])("says what was thrown when it was %s", (_what, thrown, message) => {
    expect(toStepError(thrown)).toEqual({ code: "HANDLER_FAILED", message });
  });

  it("is never longer than the limits", () => {
    const error = new Error("m".repeat(errorMessageLimit + 1));
    error.name = "n".repeat(300);
    error.stack = "s".repeat(errorStackLimit + 1);
    const kept = toStepError(error);
    expect(kept.message).toBe(`${"m".repeat(errorMessageLimit - 1)}…`);
    expect(kept.stack).toHaveLength(errorStackLimit);
    expect(kept.name).toHaveLength(200);
    expect(toStepError("m".repeat(errorMessageLimit)).message).toBe("m".repeat(errorMessageLimit));
  });

  it("holds nothing that PostgreSQL refuses: no NUL, and no half of a character", () => {
    expect(toStepError("a\0b\ud83d").message).toBe("a␀b\ufffd");
    const halved = toStepError(`${"m".repeat(errorMessageLimit - 2)}😀😀`).message;
    expect(halved.isWellFormed()).toBe(true);
  });
});
