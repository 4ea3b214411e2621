import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { ClaimParams, LeasedStep } from "../store/queue.ts";
import { claim } from "../store/queue.ts";
import { sql } from "../store/testing/database.ts";
import { takeOverExpired } from "./takeover.ts";
import { done, failed, fork, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

/** Leases what is ready as a worker whose handlers are transactional. */
const lease = async (more: Partial<ClaimParams> = {}): Promise<Map<string, LeasedStep>> => {
  const handlers = ["h", "undo"].map((handler) => ({ handler, slots: 100, transactional: true }));
  const leased = await claim(stand.db, { workerId: "w", handlers, limit: 100, leaseMs: 60_000, ...more });
  return new Map(leased.map((step) => [step.node, step]));
};

const takeOver = async () => {
  await sql(stand.db, "UPDATE {schema}.queue SET lease_until = now() - interval '1 s' WHERE state = 'leased'");
  const onNotTakenOver = (_: string, error: unknown): never => {
    throw error;
  };
  await takeOverExpired(stand.db, stand.graphs, { limit: 100, workerId: "o", hints: stand.hints, onNotTakenOver });
};

const outcomeOf = async (id: string) => (await stand.view(id)).steps.find(({ step }) => step === "a")?.outcome;

it("no more steps are leased of all transactional handlers together than there are connections, the best first", async () => {
  await stand.start([
    fork("f", { x: [task("low")], y: [task("high", { priority: 100 })], z: [task("plain", { handler: "p" })] }),
  ]);
  const of = (handler: string, transactional: boolean) => ({ handler, slots: 10, transactional });
  const params = { handlers: [of("h", true), of("undo", true), of("p", false)], transactionalLimit: 1 };
  expect([...(await lease(params)).keys()].toSorted()).toEqual(["high", "plain"]);
  expect([...(await lease(params)).keys()]).toEqual(["low"]);
});

it("an attempt that fails in its transaction has had no effect, and its step is not undone", async () => {
  const id = await stand.start([task("a")]);
  await stand.settle([(await lease()).get("a"), failed()]);
  expect(await outcomeOf(id)).toBe("absent");
  await stand.review();
  expect(await stand.view(id)).toMatchObject({ status: "failed", steps: [{ step: "a", status: "failed" }] });
  expect([...(await lease()).values()].filter(({ instanceId }) => instanceId === id)).toEqual([]);
});

it("so has one that is lost", async () => {
  const id = await stand.start([task("a")]);
  await lease();
  await takeOver();
  expect(await outcomeOf(id)).toBe("absent");
});

it("so has one that waits for its retry when the instance is frozen", async () => {
  const retry = { maxAttempts: 2, delayMs: 60_000 };
  const id = await stand.start([fork("f", { x: [task("a", { retry })], y: [task("b")] })]);
  const leased = await lease();
  await stand.settle([leased.get("a"), failed()]);
  await stand.settle([leased.get("b"), failed()]);
  expect(await outcomeOf(id)).toBe("absent");
});

it.each(["first", "last"])("nobody knows what was done when the %s attempt was not transactional", async (which) => {
  const id = await stand.start([task("a", { retry: { maxAttempts: 2, delayMs: 0 } })]);
  const [first, second] = which === "first" ? [() => stand.lease(), lease] : [lease, () => stand.lease()];
  await stand.settle([(await first()).get("a"), failed()]);
  await stand.settle([(await second()).get("a"), failed()]);
  expect(await outcomeOf(id)).toBe("unknown");
});

it("a transactional step that completed is undone like any other", async () => {
  const id = await stand.start([task("a"), task("b")]);
  await stand.settle([(await lease()).get("a"), done]);
  await stand.settle([(await lease()).get("b"), failed()]);
  await stand.review();
  const undone = [...(await lease()).values()].filter(({ instanceId }) => instanceId === id);
  expect(undone).toMatchObject([{ node: "a", lane: "compensation", outcome: "happened" }]);
  expect(await outcomeOf(id)).toBe("happened");
});
