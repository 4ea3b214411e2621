import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { ClusterOptions } from "../support/cluster.ts";
import { startCluster, statusesOf, untilEvent } from "../support/cluster.ts";
import { gate, stopped } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

const by = { requestedBy: "olga", reason: "the customer called" } as const;

/** A step before a slow one, and one after it. The slow one stops when it is told to. */
const slow = (calls: Recorder) => {
  const first = calls.step("first", { undo: true });
  const second = calls.step("second", { run: (_: unknown, { signal }) => stopped(signal), undo: true });
  const third = calls.step("third", { undo: true });
  const definition = workflow<object>({ name: "slow", version: 1 })
    .step(first)
    .savepoint("sp")
    .step(second)
    .step(third)
    .build();
  return { definition, services: { one: [first, third], two: [second] } };
};

test("A14, A17 a cancel during a slow step tells it to stop, undoes all, and says cancelled when that is done", async () => {
  const calls = new Recorder();
  const { definition, services } = slow(calls);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  const { context } = await calls.begun("second");
  await cluster.client.cancel(instanceId, by);
  const view = await cluster.ended(instanceId);
  expect(context.signal.aborted).toBe(true);
  expect(view).toMatchObject({ status: "cancelled", savepoint: null, error: { code: "INSTANCE_CANCELLED" } });
  expect(statusesOf(view)).toEqual({
    first: "rolled_back",
    sp: "rolled_back",
    second: "rolled_back",
    third: "skipped",
  });
  expect(calls.labels()).toEqual(["first", "second", "undo second", "undo first"]);
});

test("A15 cancelling or aborting an instance that has ended is refused, and changes nothing", async () => {
  const calls = new Recorder();
  const only = calls.step("only", { undo: true });
  const definition = workflow<object>({ name: "short", version: 1 }).step(only).build();
  const cluster = await startCluster({ services: { one: [only] } });
  const before = await cluster.run(definition, {});
  for (const verb of ["cancel", "abort"] as const) {
    await expect(cluster.client[verb](before.instanceId, by)).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
  }
  expect(await cluster.client.get(before.instanceId)).toEqual(before);
  expect(await cluster.sql("SELECT * FROM audit")).toEqual([]);
});

test("A16 an aborted instance stays as it stands, and nothing of it runs afterwards", async () => {
  const calls = new Recorder();
  const { definition, services } = slow(calls);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  const { context } = await calls.begun("second");
  await cluster.client.abort(instanceId, by);
  const view = await cluster.ended(instanceId);
  expect(view).toMatchObject({ status: "aborted", error: { code: "INSTANCE_ABORTED" } });
  expect(statusesOf(view)).toEqual({ first: "completed", sp: "completed", second: "failed", third: "skipped" });
  await untilEvent(cluster, instanceId, "step.refused", "second");
  expect(context.signal.aborted).toBe(true);
  expect(calls.labels()).toEqual(["first", "second"]);
  expect(await cluster.client.get(instanceId)).toEqual(view);
});

/** Two branches that run until they are told to stop, or until the test lets them go. */
const branches = (calls: Recorder, obey: boolean) => {
  const go = gate();
  const run = (_: unknown, { signal }: { readonly signal: AbortSignal }): Promise<unknown> =>
    obey ? stopped(signal) : go.passed;
  const prepare = calls.step("prepare", { undo: true });
  const left = calls.step("left", { run, undo: true });
  const right = calls.step("right", { run, undo: true });
  const after = calls.step("after", { undo: true });
  const definition = workflow<object>({ name: "branches", version: 1 })
    .step(prepare)
    .fork("f", { left: (b) => b.step(left), right: (b) => b.step(right) })
    .step(after)
    .build();
  const services: ClusterOptions["services"] = { one: [prepare, left], two: [right, after] };
  return { definition, services, go };
};

test("A18 a cancel while both branches run stops both, skips the join and the rest, and undoes what was done", async () => {
  const calls = new Recorder();
  const { definition, services } = branches(calls, true);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  const running = await Promise.all([calls.begun("left"), calls.begun("right")]);
  await cluster.client.cancel(instanceId, by);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("cancelled");
  for (const { context } of running) expect(context.signal.aborted).toBe(true);
  expect(statusesOf(view)).toEqual({
    prepare: "rolled_back",
    f: "skipped",
    left: "rolled_back",
    right: "rolled_back",
    after: "skipped",
  });
  expect(calls.labels().at(-1)).toBe("undo prepare");
});

test("A19, S09 an abort while both branches run: their late results change nothing", async () => {
  const calls = new Recorder();
  const { definition, services, go } = branches(calls, false);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  await Promise.all([calls.begun("left"), calls.begun("right")]);
  await cluster.client.abort(instanceId, by);
  const before = await cluster.client.get(instanceId);
  go.open();
  await untilEvent(cluster, instanceId, "step.refused", "left");
  await untilEvent(cluster, instanceId, "step.refused", "right");
  expect(await cluster.client.get(instanceId)).toEqual(before);
  expect(before.status).toBe("aborted");
  expect(calls.labels().filter((label) => label.startsWith("undo"))).toEqual([]);
});

test("S08, S33 a cancel takes effect at once on an instance that is delayed or waits, and twice is once", async () => {
  const calls = new Recorder();
  const later = calls.step("later", { delayMs: 3_600_000 });
  const cluster = await startCluster({ services: { one: [later] } });
  const delayed = workflow<object>({ name: "delayed", version: 1 }).step(later).build();
  const asking = workflow<object>({ name: "asking", version: 1 }).human("approve").build();
  const sleeping = workflow<object>({ name: "sleeping", version: 1 }).sleep("night", { durationMs: 3_600_000 }).build();
  for (const definition of [delayed, asking, sleeping]) {
    const { instanceId } = await cluster.start(definition, {});
    const startedAt = performance.now();
    await Promise.all([cluster.client.cancel(instanceId, by), cluster.client.cancel(instanceId, by)].map(settled));
    expect((await cluster.client.get(instanceId)).status).toBe("cancelled");
    // No orchestrator and no poll is needed for it; the bound is generous for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  }
  expect(calls.labels()).toEqual([]);
});

// The second comes too late when the first has ended the instance.
const settled = (act: Promise<unknown>): Promise<unknown> =>
  act.catch((error: unknown) => expect(error).toMatchObject({ code: "INSTANCE_TERMINAL" }));
