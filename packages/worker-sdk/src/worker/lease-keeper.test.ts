import { afterEach, expect, it, vi } from "vitest";
import { defineHandler } from "../handler/contract.ts";

import { LeaseKeeper } from "./lease-keeper.ts";
import { Running } from "./running.ts";
import type { Answer } from "./testing/steps.ts";
import { attemptOf, createLog, fakeDatabase, leasedStep, resolvedStep, turns } from "./testing/steps.ts";

const leaseMs = 3_000;

/** A keeper of some leases; `extend` answers each with what it is told, held and not frozen otherwise. */
const setUp = (count: number, extend?: Answer) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  const held: Answer = ([ordinals]) =>
    (ordinals as number[]).map((ordinal) => ({ ordinal, held: true, frozen: false }));
  const { db, asked } = fakeDatabase({ extend: extend ?? held });
  const running = new Running(new Map(), 100);
  const attempts = Array.from({ length: count }, (_, index) => {
    let signal: AbortSignal | undefined;
    const handler = defineHandler<unknown, unknown>({ name: "work" }).implement((_, context) => {
      ({ signal } = context);
      return new Promise(() => {});
    });
    const attempt = attemptOf(handler, resolvedStep({ leased: leasedStep({ node: "work", token: index }) }));
    attempt.leaseUntil = performance.now() + leaseMs;
    running.add(attempt);
    void attempt.run();
    return { attempt, reason: () => (signal?.aborted ? (signal.reason as { code: string }).code : undefined) };
  });
  const keeper = new LeaseKeeper({ db, running, leaseMs, logger: createLog().logger });
  keeper.start();
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await vi.advanceTimersByTimeAsync(500);
      await turns(3);
    }
  };
  return { keeper, running, attempts, asked, pass };
};

afterEach(() => {
  vi.useRealTimers();
});

it("extends all leases in one statement, three times in each lease period, and no settled ones", async () => {
  const { keeper, running, attempts, asked, pass } = setUp(50);
  await pass(3_000);
  expect(asked).toHaveLength(3);
  expect(asked.map(({ values }) => (values[0] as unknown[]).length)).toEqual([50, 50, 50]);
  for (const { attempt } of attempts.slice(1)) running.settle(attempt);
  await pass(1_000);
  expect(asked.at(-1)?.values[0]).toEqual([0]);
  await keeper.stop();
  await pass(3_000);
  expect(asked).toHaveLength(4);
});

it("tells a handler whose lease was lost, and one whose instance was stopped, why", async () => {
  const { keeper, attempts, pass } = setUp(3, () => [
    { ordinal: 0, held: true, frozen: false },
    { ordinal: 1, held: false, frozen: true },
    { ordinal: 2, held: true, frozen: true },
  ]);
  await pass(1_000);
  expect(attempts.map(({ reason }) => reason())).toEqual([undefined, "LEASE_LOST", "INSTANCE_STOPPED"]);
  await keeper.stop();
});

it("when the database is away tells handlers exactly when the lease runs out by our own clock", async () => {
  const { keeper, attempts, pass } = setUp(1, () => {
    throw new Error("away");
  });
  await pass(2_500);
  expect(attempts[0]?.reason()).toBeUndefined();
  await pass(1_000);
  expect(attempts[0]?.reason()).toBe("LEASE_LOST");
  await keeper.stop();
});

it("a process that stood still for longer than its lease asks before it gives up what nobody may have taken", async () => {
  const { keeper, attempts, asked, pass } = setUp(1);
  await pass(1_000);
  // The timers come late, as after a handler that kept the process busy.
  vi.setSystemTime(Date.now() + 10_000);
  const [one] = attempts;
  if (one !== undefined) one.attempt.leaseUntil = performance.now() - 1;
  await pass(1_000);
  expect(asked).toHaveLength(2);
  expect(one?.reason()).toBeUndefined();
  await keeper.stop();
});

it("does not ask again while an answer is awaited, and asks once when it is there", async () => {
  let answer = (): void => {};
  const { keeper, asked, pass } = setUp(
    1,
    () =>
      new Promise((resolve) => {
        answer = () => resolve([{ ordinal: 0, held: true, frozen: false }]);
      }),
  );
  keeper.check();
  keeper.check();
  keeper.check();
  expect(asked).toHaveLength(1);
  answer();
  await turns();
  expect(asked).toHaveLength(2);
  const stopping = keeper.stop();
  answer();
  await stopping;
  await pass(3_000);
  expect(asked).toHaveLength(2);
});
