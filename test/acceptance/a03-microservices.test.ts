import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

test("A3 microservices: each step runs on the worker that has it", async () => {
  const calls = new Recorder();
  const validate = calls.step("validate-user");
  const payment = calls.step("payment", { undo: true });
  const inventory = calls.step("inventory", { undo: true });
  const analytics = calls.step("analytics");
  const audit = calls.step("audit");
  const finalize = calls.step("finalize");
  const definition = workflow<{ readonly user: number }>({ name: "microservices", version: 1 })
    .step(validate)
    .fork("work", { payment: (branch) => branch.step(payment), inventory: (branch) => branch.step(inventory) })
    .fork("records", { analytics: (branch) => branch.step(analytics), audit: (branch) => branch.step(audit) })
    .step(finalize)
    .build();
  const services = {
    users: [validate],
    payments: [payment],
    stock: [inventory],
    analytics: [analytics],
    audit: [audit],
    orders: [finalize],
  };
  const cluster = await startCluster({ services });
  const count = 20;
  const views = await Promise.all(Array.from({ length: count }, (_, user) => cluster.run(definition, { user })));
  expect(views.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => "completed"));

  // The history of the whole database: a lease by a worker that lacks the handler would stand in it.
  const leases = await cluster.sql<{ handler: string; worker_id: string }>(
    "SELECT handler, worker_id FROM event WHERE type = 'step.completed' AND handler IS NOT NULL",
  );
  expect(leases).toHaveLength(count * 6);
  for (const { handler, worker_id } of leases) {
    expect(cluster.handlersOf.get(worker_id)?.has(handler), `${worker_id} leased ${handler}`).toBe(true);
  }
  const workersOf = new Map<string, Set<string>>();
  for (const { handler, worker_id } of leases)
    workersOf.set(handler, (workersOf.get(handler) ?? new Set()).add(worker_id));
  expect(Object.fromEntries([...workersOf].map(([handler, workers]) => [handler, [...workers]]))).toEqual({
    "validate-user": [cluster.worker("users").workerId],
    payment: [cluster.worker("payments").workerId],
    inventory: [cluster.worker("stock").workerId],
    analytics: [cluster.worker("analytics").workerId],
    audit: [cluster.worker("audit").workerId],
    finalize: [cluster.worker("orders").workerId],
  });
});

test("A3 microservices: a step whose handler no worker has stays in the queue and is leased by nobody", async () => {
  const calls = new Recorder();
  const here = calls.step("here");
  const elsewhere = calls.step("elsewhere");
  const definition = workflow<object>({ name: "half", version: 1 }).step(here).step(elsewhere).build();
  const cluster = await startCluster({ services: { here: [here] } });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("here");
  // Another instance goes the whole way to the same point meanwhile: the worker has looked at the queue since.
  await cluster.start(definition, {});
  await calls.begun("here", 2);
  const leased = (await cluster.events(instanceId)).filter(({ type }) => type === "step.leased");
  expect(leased.map(({ node }) => node)).toEqual(["here"]);

  await cluster.addWorker("elsewhere", [elsewhere]);
  expect((await cluster.ended(instanceId)).status).toBe("completed");
});
