import { expect, it } from "vitest";
import { contextOf } from "./attempt-context.ts";
import { createLog, leasedStep, resolvedStep, task } from "./testing/steps.ts";

const { signal } = new AbortController();
const { logger } = createLog();
const of = (leased: Parameters<typeof leasedStep>[0], node = task()) =>
  contextOf(resolvedStep({ leased: leasedStep(leased), node }), () => signal, logger);

it("the idempotency key is the same in every attempt, and another one for the compensation", () => {
  const keys = [of({ attempt: 1 }), of({ attempt: 2, token: 9 }), of({ lane: "compensation" })];
  expect(keys.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
    "instance/work",
    "instance/work",
    "instance/work/compensation",
  ]);
});

it("the effect key is the same in every attempt and for the compensation", () => {
  const keys = [of({ attempt: 1 }), of({ attempt: 2, token: 9 }), of({ lane: "compensation" })];
  expect(keys.map(({ effectKey }) => effectKey)).toEqual(["instance/work", "instance/work", "instance/work"]);
});

it("in a later run of the graph all keys are others, the same in every attempt of it", () => {
  const keys = [of({ run: 2 }), of({ run: 2, attempt: 2 }), of({ run: 2, lane: "compensation" })];
  expect(keys.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
    "instance/work/2",
    "instance/work/2",
    "instance/work/2/compensation",
  ]);
  expect(keys.map(({ effectKey }) => effectKey)).toEqual(Array.from({ length: 3 }, () => "instance/work/2"));
});

it("tells instance, step, definition, attempt and metadata", () => {
  const context = of({ attempt: 2, metadata: { tenant: "a" } }, task({ retry: { maxAttempts: 4 } }));
  expect(context).toMatchObject({
    instanceId: "instance",
    step: "work",
    definition: { name: "test", version: 1 },
    attempt: 2,
    maxAttempts: 4,
    metadata: { tenant: "a" },
    lane: "forward",
  });
  expect(context.signal).toBe(signal);
});

it("tells one that is called at most once that there is one attempt", () => {
  expect(of({}, task({ idempotent: false, retry: { maxAttempts: 4 } })).maxAttempts).toBe(1);
});

it("tells a compensation the outcome, the output if there is one, and the cause", () => {
  const cause = { code: "HANDLER_FAILED", message: "no carrier" } as const;
  const lane = "compensation";
  expect(of({ lane, outcome: "happened", output: '{"id":7}', cause })).toMatchObject({
    outcome: "happened",
    output: { id: 7 },
    cause,
  });
  expect(of({ lane, outcome: "unknown", cause })).toMatchObject({ outcome: "unknown", output: undefined });
});

it("its logger puts instance, step and attempt on every line", () => {
  const log = createLog();
  const context = contextOf(resolvedStep(), () => signal, log.logger);
  context.logger.info("plain");
  context.logger.warn({ amount: 5 }, "with fields");
  expect(log.lines).toEqual([
    { level: "info", fields: { instanceId: "instance", step: "work", attempt: 1 }, message: "plain" },
    { level: "warn", fields: { instanceId: "instance", step: "work", attempt: 1, amount: 5 }, message: "with fields" },
  ]);
});
