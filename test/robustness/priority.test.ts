import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster, Part } from "../support/cluster.ts";
import { startCluster, untilEvent } from "../support/cluster.ts";
import { gate } from "../support/gate.ts";
import { failing, Recorder } from "../support/recorder.ts";

/** A service that makes one call at a time, and is busy until the gate opens: what queues up meanwhile is put in order. */
const busyService = async (calls: Recorder, also: readonly Part[] = []) => {
  const open = gate();
  const busy = calls.step("busy", { run: () => open.passed });
  const work = calls.step("work", { run: (input: unknown) => input });
  const occupied = workflow<object>({ name: "busy", version: 1 }).step(busy).build();
  const definition = workflow<{ readonly name: string }>({ name: "work", version: 1 }).step(work).build();
  const cluster = await startCluster({ services: { service: [busy, work, ...also] }, worker: { concurrency: 1 } });
  await cluster.start(occupied, {});
  await calls.begun("busy");
  return { cluster, definition, open };
};

const setReadyAt = (cluster: Cluster, instanceId: string, secondsAgo: number) =>
  cluster.sql(
    `UPDATE queue SET ready_at = now() - $2 * interval '1 s',
                      key = priority_key(now() - $2 * interval '1 s', priority, lane)
     WHERE instance_id = $1`,
    [instanceId, secondsAgo],
  );

const names = (calls: Recorder): unknown[] => calls.of("work").map(({ input }) => (input as { name: string }).name);

test("priority 100 goes before 50, and 50 before 0, whichever came first", async () => {
  const calls = new Recorder();
  const { cluster, definition, open } = await busyService(calls);
  const starts = [];
  for (const [name, priority] of [
    ["low", 0],
    ["normal", undefined],
    ["high", 100],
  ] as const) {
    starts.push(await cluster.start(definition, { name }, { priority }));
  }
  open.open();
  for (const { instanceId } of starts) await cluster.ended(instanceId);
  expect(names(calls)).toEqual(["high", "normal", "low"]);
});

test("a step's own priority wins over the instance's", async () => {
  const calls = new Recorder();
  const { cluster, definition, open } = await busyService(calls);
  const urgent = calls.step("urgent", { handler: "work", priority: 100 });
  const other = workflow<{ readonly name: string }>({ name: "urgent", version: 1 }).step(urgent).build();
  const normal = await cluster.start(definition, { name: "normal" }, { priority: 60 });
  const first = await cluster.start(other, { name: "urgent" }, { priority: 0 });
  open.open();
  for (const { instanceId } of [normal, first]) await cluster.ended(instanceId);
  const order = calls.calls.slice(1).map(({ context }) => context.instanceId);
  expect(order).toEqual([first.instanceId, normal.instanceId]);
});

test("aging bounds starvation: priority 0 that waited (100 − 0) / 0.5 s goes before a priority 100 that comes now", async () => {
  const calls = new Recorder();
  const { cluster, definition, open } = await busyService(calls);
  const patient = await cluster.start(definition, { name: "patient" }, { priority: 0 });
  const young = await cluster.start(definition, { name: "young" }, { priority: 0 });
  const urgent = await cluster.start(definition, { name: "urgent" }, { priority: 100 });
  // As if one had come a little more than 200 s ago, and the other a little less.
  await setReadyAt(cluster, patient.instanceId, 205);
  await setReadyAt(cluster, young.instanceId, 195);
  open.open();
  for (const { instanceId } of [patient, young, urgent]) await cluster.ended(instanceId);
  expect(names(calls)).toEqual(["patient", "urgent", "young"]);
});

test("the key of any two steps keeps their order for as long as both wait: it is written once, by one rate", async () => {
  const cluster = await startCluster({ orchestrators: 0 });
  const keys = async (at: string) => {
    const rows = await cluster.sql<{ key: string }>(
      `SELECT priority_key($1::timestamptz, priority, 'forward')::text AS key FROM unnest(ARRAY[0, 50, 100]) AS priority`,
      [at],
    );
    return rows.map(({ key }) => Number(key));
  };
  const [low = 0, normal = 0, high = 0] = await keys("2030-01-01T00:00:00Z");
  expect([low - normal, normal - high]).toEqual([100_000, 100_000]);
  const [later = 0] = await keys("2030-01-01T00:03:20Z");
  expect(later - low).toBe(200_000);
});

/** A saga whose one compensation is to be made by the busy service, and all else elsewhere. */
const failingSaga = (calls: Recorder) => {
  const charge = calls.step("charge", { undo: true, priority: 0 });
  const broken = calls.step("broken", { run: failing("broken") });
  const definition = workflow<object>({ name: "failing", version: 1 }).step(charge).step(broken).build();
  const [forward, backward] = charge.implementations;
  if (forward === undefined || backward === undefined) throw new Error("the step has no compensation");
  return { definition, elsewhere: [forward, broken], backward };
};

test("a compensation never waits behind forward work, whatever its priority and age", async () => {
  const calls = new Recorder();
  const saga = failingSaga(calls);
  const { cluster, definition, open } = await busyService(calls, [saga.backward]);
  await cluster.addWorker("elsewhere", saga.elsewhere);
  const backlog = await Promise.all(
    Array.from({ length: 30 }, (_, index) => cluster.start(definition, { name: `${index}` }, { priority: 100 })),
  );
  for (const { instanceId } of backlog) await setReadyAt(cluster, instanceId, 3_600);
  const failed = await cluster.start(saga.definition, {}, { priority: 0 });
  await untilEvent(cluster, failed.instanceId, "compensation.queued");
  open.open();
  expect((await cluster.ended(failed.instanceId)).status).toBe("failed");
  for (const { instanceId } of backlog) await cluster.ended(instanceId);
  const [undo] = calls.of("undo charge");
  expect(undo?.startedAt).toBeLessThan(calls.first("work").startedAt);
});

test("a worker keeps slots for compensations: they run also while forward steps hold all others", async () => {
  const calls = new Recorder();
  const saga = failingSaga(calls);
  const { cluster, open } = await busyService(calls, [saga.backward]);
  await cluster.addWorker("elsewhere", saga.elsewhere);
  // The busy service is not let go before the rollback has ended.
  expect((await cluster.run(saga.definition, {})).status).toBe("failed");
  expect(calls.of("undo charge")).toHaveLength(1);
  open.open();
});
