import type { LeasedStep } from "@floxy/shared";
import { createGraphCache } from "@floxy/shared";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import { Claimer } from "./claimer.ts";
import { Horizon } from "./horizon.ts";
import { Running } from "./running.ts";
import { attemptOf, createLog, fakeDatabase, leasedStep, resolvedStep, task, turns } from "./testing/steps.ts";

const definition = { format: 1, name: "test", version: 1, nodes: [task()] };
const work = defineHandler<unknown, unknown>({ name: "work" }).implement(() => null);
const single = defineHandler<unknown, unknown>({ name: "single" }).implement(() => null, { concurrency: 1 });

/** A claimer before a queue that the test fills. */
const setUp = (concurrency = 4, isListening = false) => {
  const queue: LeasedStep[] = [];
  let failure: Error | undefined;
  const { db, asked } = fakeDatabase({
    claim: ([, handlers, slots, , , limit]) => {
      if (failure !== undefined) throw failure;
      const left = new Map((handlers as string[]).map((name, index) => [name, (slots as number[])[index] ?? 0]));
      const taken: LeasedStep[] = [];
      for (const step of [...queue]) {
        const free = left.get(step.handler) ?? 0;
        if (free === 0 || taken.length >= (limit as number)) continue;
        left.set(step.handler, free - 1);
        taken.push(...queue.splice(queue.indexOf(step), 1));
      }
      return taken;
    },
    get_definition: () => [{ name: "test", version: 1, fingerprint: "", body: JSON.stringify(definition) }],
  });
  const running = new Running(new Map([work, single].map((one) => [one.name, one])), concurrency);
  const log = createLog();
  const returned: string[] = [];
  const attempts: ReturnType<typeof attemptOf>[] = [];
  const claimer = new Claimer({
    db,
    running,
    logger: log.logger,
    graphs: createGraphCache(),
    random: () => 0,
    workerId: "test",
    leaseMs: 30_000,
    pollIntervalMs: 1_000,
    horizon: new Horizon(),
    isListening: () => isListening,
    onLeased(resolved) {
      for (const step of resolved.steps) {
        const attempt = attemptOf(work, resolvedStep({ leased: step.leased }));
        attempts.push(attempt);
        running.add(attempt);
      }
      returned.push(...resolved.returned.map(({ result }) => result.kind));
    },
  });
  const free = (count: number) => {
    for (const attempt of attempts.splice(0, count)) {
      running.remove(attempt);
      claimer.slotFreed();
    }
  };
  const limits = () => asked.filter(({ name }) => name === "claim").map(({ values }) => values[5]);
  const claims = () => asked.filter(({ name }) => name === "claim").length;
  const fill = (count: number, handler = "work") =>
    queue.push(...Array.from({ length: count }, () => leasedStep({ handler })));
  return {
    claimer,
    claims,
    limits,
    queue,
    fill,
    free,
    attempts,
    running,
    returned,
    log,
    fail: (error?: Error) => {
      failure = error;
    },
  };
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

it("an idle worker looks once a second at most", async () => {
  const { claimer, claims } = setUp();
  claimer.start();
  for (let second = 0; second < 60; second++) {
    await turns();
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(claims()).toBeGreaterThanOrEqual(55);
  expect(claims()).toBeLessThanOrEqual(61);
  await claimer.stop();
});

it("an idle worker that hears of work looks half as often", async () => {
  const { claimer, claims } = setUp(4, true);
  claimer.start();
  for (let second = 0; second < 60; second++) {
    await turns();
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(claims()).toBeGreaterThanOrEqual(29);
  expect(claims()).toBeLessThanOrEqual(31);
  await claimer.stop();
});

it("looks again soon where there was work, and less and less often when no more comes", async () => {
  const { claimer, claims, fill } = setUp();
  fill(1);
  claimer.start();
  await turns();
  expect(claims()).toBe(1);
  for (const [ms, expected] of [
    [5, 2],
    [10, 3],
    [20, 4],
    [40, 5],
  ] as const) {
    await vi.advanceTimersByTimeAsync(ms);
    await turns();
    expect(claims()).toBe(expected);
  }
  await claimer.stop();
});

it("looks at once when it is told of work, and does not look again when slots were left", async () => {
  const { claimer, claims, fill, attempts } = setUp();
  claimer.start();
  await turns();
  fill(2);
  claimer.workArrived();
  claimer.workArrived();
  await turns();
  expect(attempts).toHaveLength(2);
  expect(claims()).toBe(2);
  await claimer.stop();
});

it("asks once for all slots that become free in one turn", async () => {
  const { claimer, claims, fill, free, queue } = setUp(4);
  fill(8);
  claimer.start();
  await turns();
  expect(claims()).toBe(1);
  free(3);
  await turns();
  expect(claims()).toBe(2);
  expect(queue).toHaveLength(1);
  await claimer.stop();
});

it("a handler that has reached its own concurrency gets its next step as soon as it has a slot", async () => {
  const { claimer, fill, free, queue } = setUp();
  fill(3, "single");
  claimer.start();
  await turns(10);
  expect(queue).toHaveLength(2);
  free(1);
  await turns(10);
  expect(queue).toHaveLength(1);
  await claimer.stop();
});

it("asks nothing while all slots are taken", async () => {
  const { claimer, claims, fill } = setUp(2);
  fill(5);
  claimer.start();
  await turns();
  await vi.advanceTimersByTimeAsync(10_000);
  claimer.workArrived();
  await turns();
  expect(claims()).toBe(1);
  await claimer.stop();
});

it("takes fewer steps at a time when their payloads are large", async () => {
  const { claimer, queue, running, free, limits } = setUp(500);
  queue.push(...Array.from({ length: 500 }, () => leasedStep({ value: "x".repeat(1_048_576) })).slice(0, 20));
  claimer.start();
  await turns();
  free(running.attempts.size);
  claimer.workArrived();
  await turns();
  expect(limits()).toEqual([500, 16]);
  await claimer.stop();
});

it("goes on after any error", async () => {
  const { claimer, fill, attempts, fail, log } = setUp();
  fail(new Error("what nobody thought of"));
  fill(1);
  claimer.start();
  await turns();
  expect(log.lines.at(-1)).toMatchObject({ level: "error", message: "claiming failed; trying again" });
  fail();
  // It rests for a moment of real time.
  const deadline = Date.now() + 5_000;
  while (attempts.length === 0 && Date.now() < deadline) await turns(1);
  expect(attempts).toHaveLength(1);
  await claimer.stop();
});

it("hands over what a claim that is under way leases while it stops, so that it is given back", async () => {
  const { claimer, fill, returned, attempts } = setUp();
  fill(2);
  claimer.start();
  await new Promise<void>((resolve) => setImmediate(resolve));
  await claimer.stop();
  expect([...returned, ...attempts.map(() => "leased")]).toHaveLength(2);
});

it("stops before it was started, and does not start after that", async () => {
  const { claimer, claims } = setUp();
  await claimer.stop();
  claimer.start();
  await turns();
  expect(claims()).toBe(0);
});
