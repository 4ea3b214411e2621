import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { layCable } from "../support/cable.ts";
import { startCluster, stepOf, untilEvent } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { gate, stopped } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

const oneStep = (calls: Recorder, run: (input: unknown, context: { readonly signal: AbortSignal }) => unknown) => {
  const work = calls.step("work", { run, retry: { maxAttempts: 3, delayMs: 0 } });
  const next = calls.step("next");
  return { work, next, definition: workflow<object>({ name: "drain", version: 1 }).step(work).step(next).build() };
};

test("stop() lets a running handler finish and writes its result; what is queued stays for others", async () => {
  const calls = new Recorder();
  const finish = gate<string>();
  const { work, next, definition } = oneStep(calls, () => finish.passed);
  const cluster = await startCluster();
  const first = await cluster.addWorker("first", [work, next], { drainMs: 20_000, concurrency: 1 });
  const running = await cluster.start(definition, {});
  await calls.begun("work");
  const waiting = await cluster.start(definition, {});
  const stopping = first.stop();
  finish.open("done");
  await stopping;
  expect(await cluster.sql("SELECT node, state FROM queue ORDER BY node")).toEqual([
    { node: "next", state: "ready" },
    { node: "work", state: "ready" },
  ]);
  await cluster.addWorker("second", [work, next]);
  for (const { instanceId } of [running, waiting]) {
    const view = await cluster.ended(instanceId);
    expect(view.status).toBe("completed");
    expect(stepOf(view, "work").attempt).toBe(1);
  }
  expect(calls.of("work")).toHaveLength(2);
});

test("stop() tells handlers to stop when the drain is over; one that obeys is called again elsewhere at once", async () => {
  const calls = new Recorder();
  const { work, next, definition } = oneStep(calls, (_, { signal }) =>
    calls.of("work").length === 1 ? stopped(signal) : "done",
  );
  const cluster = await startCluster();
  // Its lease would hold the step for longer than the test may take: it must be given back.
  const first = await cluster.addWorker("first", [work, next], { drainMs: 10, graceMs: 5_000, leaseMs: 60_000 });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  await first.stop();
  expect(calls.first("work").context.signal.reason).toMatchObject({ code: "SHUTDOWN" });
  const second = await cluster.addWorker("second", [work, next]);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(stepOf(view, "work")).toMatchObject({ attempt: 2, workerId: second.workerId });
});

test("stop() does not wait for a handler that ignores its signal; its step is given back, its late result refused", async () => {
  const calls = new Recorder();
  const finish = gate<string>();
  const { work, next, definition } = oneStep(calls, () => (calls.of("work").length === 1 ? finish.passed : "in time"));
  const cluster = await startCluster();
  const first = await cluster.addWorker("first", [work, next], { drainMs: 10, graceMs: 50, leaseMs: 60_000 });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  await first.stop();
  const second = await cluster.addWorker("second", [work, next]);
  const view = await cluster.ended(instanceId);
  expect(stepOf(view, "work")).toMatchObject({ attempt: 2, workerId: second.workerId, output: "in time" });
  finish.open("too late");
  await eventually(() => calls.first("work").ended === "returned");
  expect(stepOf(await cluster.client.get(instanceId), "work").output).toBe("in time");
});

test("a worker that is killed holds its steps no longer than its leases; another takes all of them over", async () => {
  const calls = new Recorder();
  const never = gate();
  const { work, next, definition } = oneStep(calls, () => (calls.of("work").length <= 10 ? never.passed : "done"));
  const cluster = await startCluster();
  const cable = await layCable(cluster.url);
  const options = { connectionString: cable.url, leaseMs: 1_000, drainMs: 0, graceMs: 0, concurrency: 10 };
  const killed = await cluster.addWorker("killed", [work, next], options);
  const starts = await Promise.all(Array.from({ length: 15 }, () => cluster.start(definition, {})));
  await calls.begun("work", 10);
  await cable.close();
  const heir = await cluster.addWorker("heir", [work, next]);
  const views = await Promise.all(starts.map(({ instanceId }) => cluster.ended(instanceId)));
  expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(new Set(views.map((view) => stepOf(view, "work").workerId))).toEqual(new Set([heir.workerId]));
  expect(views.map((view) => stepOf(view, "work").attempt).filter((attempt) => attempt === 2)).toHaveLength(10);
  const expired = await cluster.sql("SELECT worker_id FROM event WHERE type = 'lease.expired'");
  expect(expired).toEqual(Array.from({ length: 10 }, () => ({ worker_id: killed.workerId })));
  never.open();
});

test("a zombie's late completion changes nothing and is recorded as step.refused, also after the instance has ended", async () => {
  const calls = new Recorder();
  const late = gate<string>();
  const { work, next, definition } = oneStep(calls, () =>
    calls.of("work").length === 1 ? late.passed : "by the heir",
  );
  const cluster = await startCluster();
  const cable = await layCable(cluster.url);
  const options = { connectionString: cable.url, leaseMs: 1_000, drainMs: 0, graceMs: 0 };
  const zombie = await cluster.addWorker("zombie", [work], options);
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  cable.cut();
  await cluster.addWorker("heir", [work, next]);
  const before = await cluster.ended(instanceId);
  cable.mend();
  late.open("by the zombie");
  const refused = await untilEvent(cluster, instanceId, "step.refused");
  expect(refused).toMatchObject({ node: "work", workerId: zombie.workerId, data: { verdict: "completed" } });
  expect(await cluster.client.get(instanceId)).toEqual(before);
  expect(calls.of("next")).toHaveLength(1);
  await zombie.stop();
  await cable.close();
});

test("a handler that outlives its timeout is told to stop, and the attempt has failed even if it goes on", async () => {
  const calls = new Recorder();
  const finish = gate<string>();
  const work = calls.step("work", {
    run: () => (calls.of("work").length === 1 ? finish.passed : "second"),
    retry: { maxAttempts: 2, delayMs: 0 },
    timeoutMs: 80,
  });
  const definition = workflow<object>({ name: "timeout", version: 1 }).step(work).build();
  const cluster = await startCluster({ services: { service: [work] } });
  const view = await cluster.run(definition, {});
  expect(view.output).toBe("second");
  expect(calls.first("work").context.signal.reason).toMatchObject({ code: "STEP_TIMEOUT" });
  const retried = (await cluster.events(view.instanceId)).find(({ type }) => type === "step.retried");
  expect(retried?.data).toMatchObject({ error: { code: "STEP_TIMEOUT" } });
  finish.open("first");
});
