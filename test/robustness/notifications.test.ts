import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

const shop = (calls: Recorder) => {
  const pass = <T>(value: T): T => value;
  const charge = calls.step("charge", { run: pass, undo: true });
  const [reserve, pack] = [calls.step("reserve", { undo: true }), calls.step("pack", { undo: true, delayMs: 30 })];
  const ship = calls.step("ship", { retry: { maxAttempts: 2, delayMs: 20 }, run: failing("no carrier") });
  const base = workflow<object>({ name: "shop", version: 1 }).step(charge).parallel("prepare", [reserve, pack]);
  const good = base.build();
  const bad = workflow<object>({ name: "bad-shop", version: 1 })
    .step(charge)
    .parallel("prepare", [reserve, pack])
    .step(ship)
    .build();
  return { good, bad, services: { payment: [charge], stock: [reserve, pack], shipping: [ship] } };
};

test("without notifications everything completes by polling: steps, joins, delays, retries, rollback, waiting", async () => {
  const calls = new Recorder();
  const { good, bad, services } = shop(calls);
  const cluster = await startCluster({ services, listen: false, worker: { pollIntervalMs: 50 } });
  const views = await Promise.all([
    ...Array.from({ length: 5 }, () => cluster.run(good, {})),
    ...Array.from({ length: 5 }, () => cluster.run(bad, {})),
  ]);
  expect(views.map(({ status }) => status)).toEqual([
    ...Array.from({ length: 5 }, () => "completed"),
    ...Array.from({ length: 5 }, () => "failed"),
  ]);
  expect([...cluster.workers.values()].map((worker) => worker.health().listening)).toEqual([false, false, false]);
});

test("with notifications nobody waits for a poll: a whole saga with a rollback ends though polls are far apart", async () => {
  const calls = new Recorder();
  const { bad, services } = shop(calls);
  const cluster = await startCluster({
    services,
    worker: { pollIntervalMs: 60_000 },
    orchestrator: { pollIntervalMs: 60_000 },
  });
  // The deadline of run() is a third of one poll interval.
  expect((await cluster.run(bad, {})).status).toBe("failed");
});

test("several orchestrators at once share the work: every instance ends, every join fires once", async () => {
  const calls = new Recorder();
  const { good, bad, services } = shop(calls);
  const cluster = await startCluster({ services, orchestrators: 3 });
  const definitions = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? bad : good));
  const views = await Promise.all(definitions.map((definition) => cluster.run(definition, {})));
  expect(views.map(({ status }) => status)).toEqual(
    definitions.map((definition) => (definition === bad ? "failed" : "completed")),
  );
  expect(cluster.log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
});

test("an orchestrator that is stopped hands over: another one finishes what was begun", async () => {
  const calls = new Recorder();
  const { good, services } = shop(calls);
  const cluster = await startCluster({ services });
  const starts = await Promise.all(Array.from({ length: 20 }, () => cluster.start(good, {})));
  await calls.begun("reserve", 3);
  await cluster.orchestrators[0]?.stop();
  await calls.begun("charge", 20);
  await cluster.addOrchestrator();
  for (const { instanceId } of starts) expect((await cluster.ended(instanceId)).status).toBe("completed");
});
