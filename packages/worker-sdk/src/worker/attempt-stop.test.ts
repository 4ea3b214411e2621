import { FloxyError } from "@floxy/shared";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { HandlerFunction } from "../handler/contract.ts";
import { defineHandler } from "../handler/contract.ts";
import { NonRetryableError } from "../handler/error.ts";
import { attemptOf, turns } from "./testing/steps.ts";

const contract = defineHandler<unknown, unknown>({ name: "work" });
const handler = (run: HandlerFunction<unknown, unknown>) => contract.implement(run);
const shutdown = new FloxyError("SHUTDOWN", "the worker is shutting down");
const never = () => new Promise<never>(() => {});

describe("shutdown", () => {
  const obedient = (error?: Error) =>
    handler(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(error ?? signal.reason));
        }),
    );

  it.each([undefined, new Error("aborted")])(
    "lets the next worker try at once when the handler obeys with %s",
    async (error) => {
      const attempt = attemptOf(obedient(error));
      const result = attempt.run();
      await turns(1);
      attempt.abort(shutdown);
      expect(await result).toMatchObject({
        retryable: true,
        retryAfterMs: 0,
        called: true,
        error: { code: "SHUTDOWN" },
      });
    },
  );

  it("does not make a decision of the handler undone", async () => {
    const attempt = attemptOf(obedient(new NonRetryableError("declined")));
    const result = attempt.run();
    await turns(1);
    attempt.abort(shutdown);
    expect(await result).toMatchObject({ retryable: false, error: { message: "declined" } });
  });

  it("takes the result of a handler that completes all the same", async () => {
    let finish = (_: string): void => {};
    const attempt = attemptOf(
      handler(
        () =>
          new Promise((resolve) => {
            finish = resolve;
          }),
      ),
    );
    const result = attempt.run();
    await turns(1);
    attempt.abort(shutdown);
    finish("done");
    expect(await result).toEqual({ kind: "completed", output: '"done"' });
  });

  it("gives up a handler that never settles", async () => {
    const attempt = attemptOf(handler(never));
    const result = attempt.run();
    await turns(1);
    attempt.giveUp(shutdown);
    expect(await result).toMatchObject({ retryable: true, retryAfterMs: 0, called: true, error: { code: "SHUTDOWN" } });
  });

  it("does not call a handler that was told to stop while its input was checked", async () => {
    const run = vi.fn();
    const slow = z.unknown().refine(async () => true);
    const attempt = attemptOf(defineHandler({ name: "work", input: slow }).implement(run));
    const result = attempt.run();
    attempt.abort(shutdown);
    expect(await result).toEqual({ kind: "released" });
    expect(run).not.toHaveBeenCalled();
  });

  it("gives a step back, without a call, that was told to stop before it began", async () => {
    const run = vi.fn();
    const attempt = attemptOf(handler(run));
    attempt.giveUp(shutdown);
    expect(await attempt.run()).toEqual({ kind: "released" });
    expect(run).not.toHaveBeenCalled();
  });
});

it("the first reason to stop stands, and a handler that has ended is told nothing", async () => {
  const signals: AbortSignal[] = [];
  const running = attemptOf(
    handler((_, { signal }) => {
      signals.push(signal);
      return never();
    }),
  );
  void running.run();
  await turns(1);
  running.abort(new FloxyError("LEASE_LOST", "lost"));
  running.abort(shutdown);
  const over = attemptOf(handler((_, { signal }) => void signals.push(signal)));
  await over.run();
  over.abort(shutdown);
  expect(signals.map(({ aborted, reason }) => aborted && reason.code)).toEqual(["LEASE_LOST", false]);
});
