import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { HandlerFunction } from "../handler/contract.ts";
import { defineHandler } from "../handler/contract.ts";
import { NonRetryableError, RetryAfterError } from "../handler/error.ts";
import { attemptOf, resolvedStep, task } from "./testing/steps.ts";

const contract = defineHandler<unknown, unknown>({ name: "work" });
const handler = (run: HandlerFunction<unknown, unknown>) => contract.implement(run);
const never = () => new Promise<never>(() => {});

describe("what a handler throws", () => {
  it.each<[string, () => unknown, object]>([
    [
      "synchronously",
      () => {
        throw new Error("no");
      },
      { message: "no", code: "HANDLER_FAILED" },
    ],
    ["as a rejection", () => Promise.reject(new Error("no")), { message: "no", code: "HANDLER_FAILED" }],
    [
      "that is undefined",
      () => {
        throw undefined;
      },
      { message: "undefined" },
    ],
    [
      "that cannot be looked at",
      () => {
        throw hostile();
      },
      { code: "HANDLER_FAILED" },
    ],
  ])("%s is a failed attempt that can be retried", async (_, run, error) => {
    const result = await attemptOf(handler(run)).run();
    expect(result).toMatchObject({ kind: "failed", retryable: true, called: true, error });
  });

  it("ends the step when it is a NonRetryableError", async () => {
    const result = await attemptOf(handler(() => Promise.reject(new NonRetryableError("declined")))).run();
    expect(result).toMatchObject({ retryable: false, error: { code: "HANDLER_NOT_RETRYABLE", message: "declined" } });
  });

  it("asks for the wait itself when it is a RetryAfterError", async () => {
    const result = await attemptOf(handler(() => Promise.reject(new RetryAfterError(1_234)))).run();
    expect(result).toMatchObject({ retryable: true, retryAfterMs: 1_234 });
  });
});

/** Something whose class cannot even be asked for. */
const hostile = (): object =>
  new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error("do not look");
      },
      get: () => {
        throw new Error("do not look");
      },
    },
  );

describe("schemas and limits", () => {
  const strict = defineHandler({ name: "work", input: z.object({ n: z.number() }), output: z.string() });

  it("an input that does not fit fails the step for good, and its handler was never called", async () => {
    const run = vi.fn(() => "x");
    const result = await attemptOf(strict.implement(run), resolvedStep({ input: { value: { n: "1" } } })).run();
    expect(result).toMatchObject({ retryable: false, called: false, error: { code: "INPUT_INVALID" } });
    expect(run).not.toHaveBeenCalled();
  });

  it("an output that does not fit fails the step for good, with effects that nobody knows", async () => {
    const wrong = strict.implement(() => 5 as unknown as string);
    const result = await attemptOf(wrong, resolvedStep({ input: { value: { n: 1 } } })).run();
    expect(result).toMatchObject({ retryable: false, called: true, error: { code: "OUTPUT_INVALID" } });
  });

  it("so does one that is too large, or cannot be stored", async () => {
    const large = await attemptOf(
      handler(() => "x".repeat(200)),
      resolvedStep(),
      { payloadLimit: 100 },
    ).run();
    expect(large).toMatchObject({ retryable: false, called: true, error: { code: "PAYLOAD_TOO_LARGE" } });
    const odd = await attemptOf(handler(() => ({ map: new Map() }))).run();
    expect(odd).toMatchObject({ retryable: false, called: true, error: { code: "JSON_UNSTORABLE" } });
  });

  it("an input that could not be made fails the step without a call", async () => {
    const error = { code: "EXPRESSION_FAILED", message: "no such path" } as const;
    const result = await attemptOf(handler(never), resolvedStep({ input: { error } })).run();
    expect(result).toEqual({ kind: "failed", retryable: false, called: false, error });
  });
});

describe("timeout", () => {
  const step = resolvedStep({ node: task({ timeoutMs: 20 }) });

  it("fires the signal and fails the attempt even if the handler ignores it; what it returns later is nothing", async () => {
    let finish = (_: string): void => {};
    let signal: AbortSignal | undefined;
    const attempt = attemptOf(
      handler((_, context) => {
        ({ signal } = context);
        return new Promise((resolve) => {
          finish = resolve;
        });
      }),
      step,
    );
    const result = await attempt.run();
    expect(result).toMatchObject({ kind: "failed", retryable: true, called: true, error: { code: "STEP_TIMEOUT" } });
    expect(signal?.reason).toMatchObject({ code: "STEP_TIMEOUT" });
    let hasEnded = false;
    const ended = attempt.ended().then(() => {
      hasEnded = true;
    });
    await Promise.resolve();
    expect(hasEnded).toBe(false);
    finish("late");
    await ended;
  });

  it("is the reason even if the handler throws something else when the signal fires", async () => {
    const obedient = handler(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new NonRetryableError("stopped")));
        }),
    );
    expect(await attemptOf(obedient, step).run()).toMatchObject({ retryable: true, error: { code: "STEP_TIMEOUT" } });
  });

  it("also counts for a handler that kept the process busy", async () => {
    const busy = handler(() => {
      const until = performance.now() + 40;
      while (performance.now() < until);
      return "done";
    });
    expect(await attemptOf(busy, step).run()).toMatchObject({ kind: "failed", error: { code: "STEP_TIMEOUT" } });
  });

  it("of a compensation is its own", async () => {
    const node = task({ timeoutMs: 60_000, compensation: { handler: "undo", timeoutMs: 20 } });
    const leased = { ...resolvedStep().leased, lane: "compensation" } as const;
    expect(await attemptOf(handler(never), resolvedStep({ node, leased })).run()).toMatchObject({ kind: "failed" });
  });
});
