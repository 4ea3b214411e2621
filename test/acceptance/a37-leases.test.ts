import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { layCable } from "../support/cable.ts";
import type { Cluster } from "../support/cluster.ts";
import { startCluster, stepOf, untilEvent } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { gate } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

interface Lease {
  readonly token: string;
  readonly until: number;
  readonly ageMs: number;
}

/** The lease of the one step that is leased, as the database sees it. */
const leaseNow = async (cluster: Cluster): Promise<Lease | undefined> => {
  const [lease] = await cluster.sql<Lease>(
    `SELECT token, extract(epoch FROM lease_until)::float8 * 1000 AS until,
            extract(epoch FROM clock_timestamp() - leased_at)::float8 * 1000 AS "ageMs"
     FROM queue WHERE state = 'leased'`,
  );
  return lease;
};

const oneStep = (calls: Recorder, run: () => unknown) => {
  const work = calls.step("work", { run, retry: { maxAttempts: 3, delayMs: 0 } });
  return { work, definition: workflow<object>({ name: "leases", version: 1 }).step(work).build() };
};

// A lease of 45 ms is lost by right when the machine stands still for as long; then the test has not been put.
test("A37 a lease of 45 ms survives a handler of 120 ms by extension", { retry: 3 }, async () => {
  const calls = new Recorder();
  const finish = gate();
  const { work, definition } = oneStep(calls, () => finish.passed);
  const cluster = await startCluster({ services: { service: [work] }, worker: { leaseMs: 45 } });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  await eventually(async () => ((await leaseNow(cluster))?.ageMs ?? 0) > 120, { intervalMs: 5 });
  finish.open();
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(calls.of("work")).toHaveLength(1);
  expect((await cluster.events(instanceId)).map(({ type }) => type)).not.toContain("lease.expired");
});

test("A37 an extension moves the expiry on and keeps the token", async () => {
  const calls = new Recorder();
  const finish = gate();
  const { work, definition } = oneStep(calls, () => finish.passed);
  // Nobody takes over here, so that nothing but the extension can change the lease.
  const cluster = await startCluster({ services: { service: [work] }, worker: { leaseMs: 300 }, orchestrators: 0 });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  const first = await leaseNow(cluster);
  const later = await eventually(async () => {
    const lease = await leaseNow(cluster);
    return lease !== undefined && first !== undefined && lease.until > first.until + 300 ? lease : undefined;
  });
  expect(later.token).toBe(first?.token);
  finish.open();
  expect(stepOf(await cluster.ended(instanceId), "work").attempt).toBe(1);
});

test("A37 a lease that expired is taken over by another worker", async () => {
  const calls = new Recorder();
  const never = gate();
  const { work, definition } = oneStep(calls, () => (calls.of("work").length === 1 ? never.passed : "done"));
  const cluster = await startCluster();
  const cable = await layCable(cluster.url);
  const options = { connectionString: cable.url, leaseMs: 1_000, drainMs: 0, graceMs: 0 };
  const dying = await cluster.addWorker("dying", [work], options);
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("work");
  await cable.close();
  const heir = await cluster.addWorker("heir", [work]);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(stepOf(view, "work")).toMatchObject({ attempt: 2, workerId: heir.workerId, output: "done" });
  const history = (await cluster.events(instanceId)).map(({ type, workerId }) => [type, workerId]);
  expect(history).toEqual([
    ["instance.started", null],
    ["step.leased", dying.workerId],
    ["lease.expired", dying.workerId],
    ["step.leased", heir.workerId],
    ["step.completed", heir.workerId],
    ["instance.completed", null],
  ]);
  never.open();
});

test("A37 an extension needs the token: who lost the lease learns of it, and its result is refused", async () => {
  const calls = new Recorder();
  const [first, second] = [gate<string>(), gate<string>()];
  const { work, definition } = oneStep(calls, () => (calls.of("work").length === 1 ? first : second).passed);
  const cluster = await startCluster();
  const cable = await layCable(cluster.url);
  const options = { connectionString: cable.url, leaseMs: 1_000, drainMs: 0, graceMs: 0 };
  const zombie = await cluster.addWorker("zombie", [work], options);
  const { instanceId } = await cluster.start(definition, {});
  const lost = await calls.begun("work");
  cable.cut();
  const heir = await cluster.addWorker("heir", [work], { leaseMs: 60_000 });
  await calls.begun("work", 2);
  const lease = await leaseNow(cluster);
  cable.mend();
  await eventually(() => lost.context.signal.aborted);
  expect(lost.context.signal.reason).toMatchObject({ code: "LEASE_LOST" });
  first.open("too late");
  const refused = await untilEvent(cluster, instanceId, "step.refused");
  expect(refused).toMatchObject({ node: "work", workerId: zombie.workerId });
  // An extension by the zombie would have cut the heir's minute down to its own second.
  const still = await leaseNow(cluster);
  expect(still?.token).toBe(lease?.token);
  expect(still?.until).toBeGreaterThanOrEqual(lease?.until ?? Number.NaN);
  second.open("in time");
  const view = await cluster.ended(instanceId);
  expect(stepOf(view, "work")).toMatchObject({ attempt: 2, workerId: heir.workerId, output: "in time" });
  await zombie.stop();
  await cable.close();
});

test("A37 two branches run in parallel", async () => {
  const calls = new Recorder();
  const [left, right] = [
    calls.step("left", { run: async () => (await calls.begun("right")).label }),
    calls.step("right", { run: async () => (await calls.begun("left")).label }),
  ];
  const definition = workflow<object>({ name: "parallel", version: 1 }).parallel("both", [left, right]).build();
  const cluster = await startCluster({ services: { left: [left], right: [right] } });
  // Each waits for the other to begin, so one after the other they would never end.
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("completed");
  expect(view.output).toEqual({ left: "right", right: "left" });
});
