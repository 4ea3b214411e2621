import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, untilEvent } from "../support/cluster.ts";
import { gate } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

interface Order {
  readonly failAt?: string;
}

const shop = (calls: Recorder, beforeFailing: () => Promise<void> = async () => {}) => {
  const step = <const Name extends string>(name: Name) =>
    calls.step(name, {
      undo: true,
      run: async (order: Order): Promise<Order> => {
        if (order.failAt !== name) return order;
        await beforeFailing();
        throw new Error(`${name} failed`);
      },
    });
  const validate = step("validate");
  const payment = step("payment");
  const first = { reserve: step("reserve-1"), ship: step("ship-1") };
  const second = { reserve: step("reserve-2"), ship: step("ship-2") };
  const notify = calls.step("notify");
  const definition = workflow<Order>({ name: "savepoint-and-fork", version: 1 })
    .step(validate)
    .step(payment)
    .savepoint("paid")
    .fork("parcels", {
      first: (branch) => branch.step(first.reserve).step(first.ship),
      second: (branch) => branch.step(second.reserve).step(second.ship),
    })
    .step(notify)
    .build();
  const services = {
    orders: [validate, notify],
    payment: [payment],
    stock: [first.reserve, second.reserve],
    shipping: [first.ship, second.ship],
  };
  return { definition, services };
};

test("A26 savepoint before a fork of two chains: completed", async () => {
  const calls = new Recorder();
  const { definition, services } = shop(calls);
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("completed");
  expect(new Set(Object.values(statusesOf(view)))).toEqual(new Set(["completed"]));
  expect(calls.labels().at(-1)).toBe("notify");
  for (const ship of ["ship-1", "ship-2"]) expect(calls.isBefore(ship, "notify"), ship).toBe(true);
});

test("A27 shipping fails after the other branch has ended: before the savepoint completed, after it rolled back", async () => {
  const calls = new Recorder();
  const otherShipped = gate();
  const { definition, services } = shop(calls, () => otherShipped.passed);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { failAt: "ship-2" });
  await calls.begun("ship-2");
  await untilEvent(cluster, instanceId, "step.completed", "ship-1");
  otherShipped.open();
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(view.savepoint).toBe("paid");
  expect(statusesOf(view)).toEqual({
    validate: "completed",
    payment: "completed",
    paid: "completed",
    parcels: "skipped",
    "reserve-1": "rolled_back",
    "ship-1": "rolled_back",
    "reserve-2": "rolled_back",
    "ship-2": "rolled_back",
    notify: "skipped",
  });
  const undone = calls.labels().filter((label) => label.startsWith("undo"));
  expect(undone.toSorted()).toEqual(["undo reserve-1", "undo reserve-2", "undo ship-1", "undo ship-2"]);
  expect(calls.isBefore("undo ship-1", "undo reserve-1")).toBe(true);
  expect(calls.isBefore("undo ship-2", "undo reserve-2")).toBe(true);
});

test("A27 shipping fails while the other branch is on its way: what it has not begun is skipped", async () => {
  const calls = new Recorder();
  const reserving = gate();
  const reserve = calls.step("reserve", { undo: true, run: () => reserving.passed.then(() => "reserved") });
  const pack = calls.step("pack", { undo: true });
  const ship = calls.step("ship", {
    undo: true,
    run: () => {
      throw new Error("no carrier");
    },
  });
  const payment = calls.step("payment", { undo: true });
  const definition = workflow<object>({ name: "halfway", version: 1 })
    .step(payment)
    .savepoint("paid")
    .fork("parcels", { slow: (branch) => branch.step(reserve).step(pack), quick: (branch) => branch.step(ship) })
    .build();
  const cluster = await startCluster({ services: { payment: [payment], stock: [reserve, pack], shipping: [ship] } });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("reserve");
  await calls.begun("undo ship");
  reserving.open();
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(statusesOf(view)).toEqual({
    payment: "completed",
    paid: "completed",
    parcels: "skipped",
    reserve: "rolled_back",
    pack: "skipped",
    ship: "rolled_back",
  });
  expect(calls.labels()).not.toContain("pack");
});

test("A28 an instance that was rolled back never says completed, wherever it failed", async () => {
  const calls = new Recorder();
  const { definition, services } = shop(calls);
  const cluster = await startCluster({ services, orchestrators: 2 });
  const failAt = ["validate", "payment", "reserve-1", "ship-1", "reserve-2", "ship-2"];
  const views = await Promise.all(
    Array.from({ length: 30 }, (_, index) => cluster.run(definition, { failAt: failAt[index % failAt.length] ?? "" })),
  );
  expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["failed"]));
  const contradictions = await cluster.sql(
    `SELECT instance_id FROM event WHERE type = 'instance.rolling_back'
     INTERSECT SELECT instance_id FROM event WHERE type = 'instance.completed'`,
  );
  expect(contradictions).toEqual([]);
});
