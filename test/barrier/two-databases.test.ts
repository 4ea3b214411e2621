import type { InstanceView } from "@floxy/shared";
import type { StepContext } from "@floxy/worker-sdk";
import { NonRetryableError, workflow } from "@floxy/worker-sdk";
import { expect, onTestFailed, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { gate as makeGate } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";
import type { Cut } from "./commit-cutter.ts";
import { startService } from "./service.ts";

/** What becomes of an order: all is well, its last step fails before it commits, or after. */
type Fate = "completes" | "fails before" | "fails after";

interface Order {
  readonly fate: Fate;
}

const fates: readonly Fate[] = ["completes", "completes", "fails before", "fails after"];

/** Random numbers from a seed: mulberry32. */
const randomOf = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

test("a service with its own database, its connection cut at COMMIT at random: each effect stands exactly once", async () => {
  const seed = Number(process.env.FLOXY_SEED ?? Math.floor(Math.random() * 2 ** 31));
  onTestFailed(() => console.log(`to cut at the same places: FLOXY_SEED=${seed}`));
  const random = randomOf(seed);
  const places: readonly Cut[] = ["before", "after", "meanwhile"];
  const service = await startService(() => (random() < 0.3 ? places[Math.floor(random() * places.length)] : undefined));
  const calls = new Recorder();
  // A call may be lost with its connection, again and again.
  const retry = { maxAttempts: 60, delayMs: 5, jitter: 0 };
  const undo = async (_: unknown, context: StepContext) => void (await service.call(context));
  const many = { retry, undoRetry: retry, undo };
  const step = <Name extends string>(name: Name) =>
    calls.step(name, {
      ...many,
      run: async (_: unknown, context) => (await service.call(context)).value ?? expect.unreachable(),
    });
  const [charge, reserve] = [step("charge"), step("reserve")];
  const ship = calls.step("ship", {
    ...many,
    run: async ({ fate }: Order, context) => {
      const fail = (): never => {
        throw new NonRetryableError("no carrier");
      };
      const result = await service.call(context, fate === "fails before" ? { beforeCommit: fail } : {});
      return fate === "fails after" ? fail() : (result.value ?? expect.unreachable());
    },
  });
  const definition = workflow<Order>({ name: "shop", version: 1 })
    .step(charge)
    .step(reserve)
    .step(ship, { input: ({ input }) => input })
    .build();
  const cluster = await startCluster({
    services: { shop: [charge, reserve, ship] },
    worker: { concurrency: 20 },
  });

  const orders = Array.from(
    { length: 204 },
    (_, index): Order => ({ fate: fates[index % fates.length] ?? "completes" }),
  );
  const started = await Promise.all(orders.map((order) => cluster.start(definition, order)));
  const views: InstanceView[] = [];
  for (const { instanceId } of started) views.push(await cluster.ended(instanceId));

  const expected = views.flatMap((view, index) => amountsOf(view, orders[index]?.fate ?? "completes"));
  const ledger = await service.ledger();
  expect(views.map(({ status }) => status)).toEqual(
    orders.map(({ fate }) => (fate === "completes" ? "completed" : "failed")),
  );
  expect(Object.fromEntries(ledger)).toEqual(Object.fromEntries(expected));

  // An attempt that found the effect there answered what the one that made it would have.
  const notes = await service.notes();
  for (const { instanceId, steps } of views) {
    for (const { step, status, output } of steps) {
      if (status === "completed") expect(output).toBe(notes.get(`${instanceId}/${step}`));
    }
  }

  // Otherwise it would have proved nothing.
  for (const place of places) expect(service.cuts[place], place).toBeGreaterThan(30);
  const count = (lane: string, reason: string | undefined): number =>
    service.results.filter((one) => one.lane === lane && one.reason === reason).length;
  expect(count("forward", "repeated")).toBeGreaterThan(30);
  expect(count("compensation", "repeated")).toBeGreaterThan(10);
  expect(count("compensation", "empty")).toBeGreaterThan(10);
}, 180_000);

/** What must stand in the ledger, by `instance/step`. */
const amountsOf = (view: InstanceView, fate: Fate): [string, number[]][] =>
  Object.entries(statusesOf(view)).flatMap(([step, status]): [string, number[]][] => {
    const key = `${view.instanceId}/${step}`;
    if (status === "completed") return [[key, [1]]];
    expect(status, key).toBe("rolled_back");
    return step === "ship" && fate === "fails before" ? [] : [[key, [1, -1]]];
  });

/** One step that is given up after 300 ms while its handler goes on. */
const oneStep = async (hold: "before the barrier" | "before its COMMIT") => {
  const service = await startService();
  const calls = new Recorder();
  const gate = makeGate();
  const pay = calls.step("pay", {
    timeoutMs: 300,
    run: async (_: unknown, context) => {
      if (hold === "before the barrier") await gate.passed;
      await service.call(context, hold === "before its COMMIT" ? { beforeCommit: () => gate.passed } : {});
    },
    undo: async (_, context) => void (await service.call(context)),
    undoTimeoutMs: 20_000,
  });
  const definition = workflow({ name: "pay", version: 1 }).step(pay).build();
  const cluster = await startCluster({ services: { shop: [pay] } });
  const { instanceId } = await cluster.start(definition, {});
  return { service, calls, gate, cluster, instanceId };
};

test("an action that comes after its compensation changes nothing: it was cut off, undone, and only then went on", async () => {
  const { service, calls, gate, cluster, instanceId } = await oneStep("before the barrier");
  const view = await cluster.ended(instanceId);
  expect(statusesOf(view)).toEqual({ pay: "rolled_back" });
  expect(service.results).toMatchObject([{ lane: "compensation", reason: "empty" }]);
  gate.open();
  await eventually(() => calls.first("pay").ended === "returned");
  expect(service.results).toMatchObject([{ reason: "empty" }, { lane: "forward", reason: "hanging" }]);
  expect(await service.ledger()).toEqual(new Map());
});

test("a compensation that meets its action in an open transaction waits for it, and undoes what it did", async () => {
  const { service, gate, cluster, instanceId } = await oneStep("before its COMMIT");
  await eventually(() => service.hasWaiting());
  gate.open();
  const view = await cluster.ended(instanceId);
  expect(statusesOf(view)).toEqual({ pay: "rolled_back" });
  expect(service.results.map(({ lane, applied }) => [lane, applied])).toEqual([
    ["forward", true],
    ["compensation", true],
  ]);
  expect(await service.ledger()).toEqual(new Map([[`${instanceId}/pay`, [1, -1]]]));
});
