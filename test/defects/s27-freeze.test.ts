import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, stepOf, untilEvent } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { gate, stopped } from "../support/gate.ts";
import { failing, Recorder } from "../support/recorder.ts";

test("S27 once the instance is frozen no step of it begins: what was queued is skipped", async () => {
  const calls = new Recorder();
  const broken = calls.step("broken", { run: failing("broken"), undo: true });
  const queued = calls.step("queued", { undo: true });
  const definition = workflow<object>({ name: "queued", version: 1 })
    .fork("both", { broken: (branch) => branch.step(broken), queued: (branch) => branch.step(queued) })
    .build();
  // Nobody has the handler of the queued step until the instance is at its end.
  const cluster = await startCluster({ services: { broken: [broken] } });
  const { instanceId } = await cluster.start(definition, {});
  const view = await cluster.ended(instanceId);
  await cluster.addWorker("late", [queued]);
  expect(view.status).toBe("failed");
  expect(statusesOf(view)).toEqual({ both: "skipped", broken: "rolled_back", queued: "skipped" });
  expect(stepOf(view, "queued")).toMatchObject({ outcome: "absent", attempt: 0 });
  const other = workflow<object>({ name: "other", version: 1 }).step(queued).build();
  await cluster.run(other, {});
  expect(calls.labels(instanceId)).toEqual(["broken", "undo broken"]);
});

test("S28 a running sibling's result is kept: it is adopted and then undone", async () => {
  const calls = new Recorder();
  const finish = gate<string>();
  const broken = calls.step("broken", {
    undo: true,
    run: async () => {
      await calls.begun("slow");
      throw new Error("broken");
    },
  });
  const slow = calls.step("slow", { undo: true, run: () => finish.passed });
  const next = calls.step("next", { undo: true });
  const definition = workflow<object>({ name: "adopted", version: 1 })
    .fork("both", { broken: (branch) => branch.step(broken), slow: (branch) => branch.step(slow).step(next) })
    .build();
  const cluster = await startCluster({ services: { broken: [broken], slow: [slow, next] } });
  const { instanceId } = await cluster.start(definition, {});
  await untilEvent(cluster, instanceId, "instance.rolling_back");
  expect((await cluster.client.get(instanceId)).status).toBe("rolling_back");
  finish.open("done all the same");
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(view.error?.message).toBe("broken");
  expect(stepOf(view, "slow")).toMatchObject({
    status: "rolled_back",
    output: "done all the same",
    outcome: "happened",
  });
  expect(calls.first("undo slow").undoes).toMatchObject({ outcome: "happened", output: "done all the same" });
  expect(calls.labels()).not.toContain("next");
  expect((await cluster.events(instanceId)).filter(({ type }) => type === "step.adopted")).toHaveLength(1);
});

test("S29 a sibling that completes during the stop is not skipped: its effect is undone", async () => {
  const calls = new Recorder();
  const broken = calls.step("broken", {
    undo: true,
    run: async () => {
      await calls.begun("sibling");
      throw new Error("broken");
    },
  });
  // It completes because it was told to stop: as late as can be.
  const sibling = calls.step("sibling", {
    undo: true,
    run: (_: unknown, { signal }: { readonly signal: AbortSignal }) => stopped(signal).catch(() => "done"),
  });
  const definition = workflow<object>({ name: "during-stop", version: 1 })
    .fork("both", { broken: (branch) => branch.step(broken), sibling: (branch) => branch.step(sibling) })
    .build();
  const cluster = await startCluster({ services: { broken: [broken], sibling: [sibling] } });
  const view = await cluster.run(definition, {});
  expect(stepOf(view, "sibling")).toMatchObject({ status: "rolled_back", outcome: "happened", output: "done" });
  expect(calls.of("undo sibling")).toHaveLength(1);
});

test("S30 siblings are told to stop at once, by their signal, and do not go on to the end of their branch", async () => {
  const calls = new Recorder();
  const broken = calls.step("broken", {
    run: async () => {
      await calls.begun("slow");
      throw new Error("broken");
    },
  });
  const slow = calls.step("slow", {
    undo: true,
    retry: { maxAttempts: 5, delayMs: 1 },
    run: (_: unknown, { signal }: { readonly signal: AbortSignal }) => stopped(signal),
  });
  const next = calls.step("next", { undo: true });
  const definition = workflow<object>({ name: "told-to-stop", version: 1 })
    .fork("both", { broken: (branch) => branch.step(broken), slow: (branch) => branch.step(slow).step(next) })
    .build();
  // Leases so long that only the notification can tell it in time.
  const cluster = await startCluster({
    services: { broken: [broken], slow: [slow, next] },
    worker: { leaseMs: 60_000 },
  });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.first("slow").context.signal.reason).toMatchObject({ code: "INSTANCE_STOPPED" });
  // It stopped with an error and has attempts left, but forward work of a frozen instance is over.
  expect(calls.labels().toSorted()).toEqual(["broken", "slow", "undo slow"]);
  expect(stepOf(view, "slow")).toMatchObject({ status: "rolled_back", outcome: "unknown" });
});

test("S30 without notifications a running sibling learns of the stop from the extension of its lease", async () => {
  const calls = new Recorder();
  const broken = calls.step("broken", {
    run: async () => {
      await calls.begun("slow");
      throw new Error("broken");
    },
  });
  const slow = calls.step("slow", {
    undo: true,
    run: (_: unknown, { signal }: { readonly signal: AbortSignal }) => stopped(signal),
  });
  const definition = workflow<object>({ name: "told-by-lease", version: 1 })
    .fork("both", { broken: (branch) => branch.step(broken), slow: (branch) => branch.step(slow) })
    .build();
  const cluster = await startCluster({
    services: { broken: [broken], slow: [slow] },
    worker: { leaseMs: 600, pollIntervalMs: 50 },
    listen: false,
  });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.first("slow").context.signal.reason).toMatchObject({ code: "INSTANCE_STOPPED" });
});

test("S31 a compensation that is retried holds back those that must come after it, and nothing is out of order", async () => {
  const calls = new Recorder();
  const undo = (_: unknown, { attempt }: { readonly attempt: number }) => {
    if (attempt < 3) throw new Error("not yet");
  };
  const first = calls.step("first", { undo: true });
  const second = calls.step("second", { undo, undoRetry: { maxAttempts: 3, delayMs: 20, jitter: 0 } });
  const third = calls.step("third", { undo: true });
  const last = calls.step("last", { run: failing("broken") });
  const definition = workflow<object>({ name: "retried-undo", version: 1 })
    .step(first)
    .step(second)
    .step(third)
    .step(last)
    .build();
  const cluster = await startCluster({ services: { one: [first], two: [second], three: [third, last] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.labels().slice(4)).toEqual(["undo third", "undo second", "undo second", "undo second", "undo first"]);
});

test("S32 compensations of different workers keep the causal order: each waits for the one before to end", async () => {
  const calls = new Recorder();
  const held = gate();
  const [first, second] = [calls.step("first", { undo: true }), calls.step("second", { undo: () => held.passed })];
  const third = calls.step("third", { run: failing("broken"), undo: true });
  const definition = workflow<object>({ name: "across-workers", version: 1 })
    .step(first)
    .step(second)
    .step(third)
    .build();
  const cluster = await startCluster({
    services: { one: [first], two: [second], three: [third] },
    orchestrators: 2,
    worker: { pollIntervalMs: 20 },
  });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("undo second");
  // Every worker looks at the queue again meanwhile, and finds nothing of this instance.
  const looks = [...cluster.workers.values()].map((worker) => worker.health().lastLookAgeMs);
  await eventually(() =>
    [...cluster.workers.values()].some((worker, i) => worker.health().lastLookAgeMs < (looks[i] ?? 0)),
  );
  expect(calls.of("undo first")).toEqual([]);
  held.open();
  expect((await cluster.ended(instanceId)).status).toBe("failed");
  for (const [before, after] of [
    ["third", "second"],
    ["second", "first"],
  ]) {
    expect(calls.isBefore(`undo ${before}`, `undo ${after}`)).toBe(true);
  }
});
