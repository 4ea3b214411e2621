import { describe, expect, it } from "vitest";
import { durationLimitMs } from "../definition/limit.ts";
import type { RetryPolicy } from "../definition/model.ts";
import { decideRetry, retryPolicyOf } from "./retry.ts";
import { task, undoable } from "./testing/definitions.ts";

const policy: Required<RetryPolicy> = {
  maxAttempts: 5,
  strategy: "fixed",
  delayMs: 100,
  maxDelayMs: 1_000,
  jitter: 0,
};

const waits = (changes: RetryPolicy, attempts: readonly number[], random = 0) =>
  attempts.map((attempt) => decideRetry({ policy: { ...policy, ...changes }, attempt, retryable: true, random }));

describe("the retry policy of a step", () => {
  it("is the default where the step says nothing, and more patient for compensations", () => {
    const json = { kind: "task", name: "pay", handler: "pay", compensation: { handler: "refund" } } as const;
    expect(retryPolicyOf(json, "forward")).toMatchObject({ maxAttempts: 3, strategy: "exponential", delayMs: 1_000 });
    expect(retryPolicyOf(json, "compensation")).toMatchObject({ maxAttempts: 10, strategy: "exponential" });
  });

  it("takes from the step what the step says, for each lane apart", () => {
    const json = undoable("pay", {
      retry: { maxAttempts: 7 },
      compensation: { handler: "refund", retry: { delayMs: 5 } },
    });
    expect(retryPolicyOf(json, "forward")).toMatchObject({ maxAttempts: 7, delayMs: 1_000 });
    expect(retryPolicyOf(json, "compensation")).toMatchObject({ maxAttempts: 10, delayMs: 5 });
  });

  it("allows one call of a step that is not idempotent, and does not limit its compensation (A29)", () => {
    const json = task("pay", { idempotent: false, retry: { maxAttempts: 4 }, compensation: { handler: "refund" } });
    expect(retryPolicyOf(json, "forward").maxAttempts).toBe(1);
    expect(retryPolicyOf(json, "compensation").maxAttempts).toBe(10);
  });
});

describe("a failed attempt", () => {
  it("is followed by others until maxAttempts calls were made in all (S01)", () => {
    expect(waits({ maxAttempts: 3 }, [1, 2, 3, 4])).toEqual([100, 100, null, null]);
    expect(waits({ maxAttempts: 1 }, [1])).toEqual([null]);
  });

  it.each([
    ["fixed", [100, 100, 100, 100]],
    ["linear", [100, 200, 300, 400]],
    ["exponential", [100, 200, 400, 800]],
  ] as const)("is followed by waits that grow as the strategy %s says (S02)", (strategy, expected) => {
    expect(waits({ strategy }, [1, 2, 3, 4])).toEqual(expected);
  });

  it("never waits longer than maxDelayMs, however many attempts there were", () => {
    expect(waits({ strategy: "exponential", maxAttempts: 2_000 }, [5, 64, 1_999])).toEqual([1_000, 1_000, 1_000]);
  });

  it("takes a part of the wait away by chance, as much as the jitter says", () => {
    expect(waits({ jitter: 0.5 }, [1], 0)).toEqual([100]);
    expect(waits({ jitter: 0.5 }, [1], 0.5)).toEqual([75]);
    expect(waits({ jitter: 1 }, [1], 0.999)).toEqual([0]);
  });

  it("is not followed by another when that could not help", () => {
    expect(decideRetry({ policy, attempt: 1, retryable: false, retryAfterMs: 5, random: 0 })).toBeNull();
  });

  it.each([
    ["0", 0, 0],
    ["a fraction", 0.2, 1],
    ["more than the policy's longest wait", 5_000, 5_000],
    ["more than the database can hold", Number.POSITIVE_INFINITY, durationLimitMs],
    ["no number", Number.NaN, 100],
    ["less than nothing", -1, 100],
  ])("waits as its handler asked for: %s", (_what, retryAfterMs, expected) => {
    expect(decideRetry({ policy, attempt: 1, retryable: true, retryAfterMs, random: 0 })).toBe(expected);
  });

  it("is not followed by more attempts because its handler asked for a wait", () => {
    expect(decideRetry({ policy, attempt: 5, retryable: true, retryAfterMs: 1, random: 0 })).toBeNull();
  });
});
