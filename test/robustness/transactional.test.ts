import { workflow } from "@floxy/worker-sdk";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import type { Order } from "./transactional-service.ts";
import { createService, drawFrom, stepOf } from "./transactional-service.ts";

const instanceCount = 306;

test("transactional steps under cuts at COMMIT, dying workers, take-overs and hangs: each effect once or never", async () => {
  const seed = Number(process.env.FLOXY_SEED ?? Math.floor(Math.random() * 2 ** 31));
  onTestFailed(() => console.log(`to draw the same faults: FLOXY_SEED=${seed}`));
  const service = createService(drawFrom(seed));
  // When the cluster has been stopped: what is asked for last is done first.
  onTestFinished(() => service.close());
  const definition = workflow<Order>({ name: "shop", version: 1 })
    .step(stepOf("charge"))
    .parallel("prepare", [stepOf("reserve"), stepOf("pack")])
    .step(stepOf("ship"), { input: ({ input }) => input })
    .build();
  const cluster = await startCluster({ orchestrators: 2 });
  await service.start(cluster);

  const orders = Array.from({ length: instanceCount }, (_, index): Order => ({ declined: index % 3 === 0 }));
  const started = await Promise.all(orders.map((one) => cluster.start(definition, one)));
  const views = await Promise.all(
    started.map(async ({ instanceId }) => {
      await cluster.client.waitForEnd(instanceId, { timeoutMs: 240_000 }).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await cluster.story(instanceId)}`, { cause: error });
      });
      return cluster.client.get(instanceId);
    }),
  );
  await service.settled();

  expect(views.map(({ status }) => status)).toEqual(orders.map(({ declined }) => (declined ? "failed" : "completed")));
  const expected: Record<string, number[]> = {};
  for (const view of views) {
    for (const [step, status] of Object.entries(statusesOf(view))) {
      if (step === "prepare" || status === "failed") continue;
      expect(status, `${view.instanceId}/${step}`).toBe(view.status === "completed" ? "completed" : "rolled_back");
      expected[`${view.instanceId}/${step}`] = status === "completed" ? [1] : [1, -1];
    }
  }
  expect(await service.effects()).toEqual(expected);
  expect(await service.total()).toBe(2 * 4 * orders.filter(({ declined }) => !declined).length);
  // The one that declined has had no effect, which is known: so it was not undone.
  for (const view of views.filter(({ status }) => status === "failed")) {
    expect(view.steps.find(({ step }) => step === "ship")).toMatchObject({ status: "failed", outcome: "absent" });
  }

  // Otherwise it would have proved nothing.
  for (const [fault, count] of Object.entries(service.faults)) expect(count, fault).toBeGreaterThan(3);
  for (const [place, count] of Object.entries(service.cuts)) expect(count, place).toBeGreaterThan(20);
  expect(service.deaths).toBeGreaterThan(3);
  const [{ lost, refused } = { lost: 0, refused: 0 }] = await cluster.sql<{ lost: number; refused: number }>(
    `SELECT count(*) FILTER (WHERE type = 'lease.expired')::int AS lost,
            count(*) FILTER (WHERE type = 'step.refused')::int AS refused FROM event`,
  );
  expect(lost).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(10);
}, 300_000);
