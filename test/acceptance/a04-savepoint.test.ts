import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

interface Order {
  readonly amount: number;
}

const shop = (calls: Recorder) => {
  const pass = (order: Order): Order => order;
  const payment = calls.step("payment", { run: pass, undo: true });
  const reserve = calls.step("reserve", { run: pass, undo: true });
  const ship = calls.step("ship", {
    undo: true,
    run: (order: Order): Order => {
      if (order.amount > 1_000) throw new Error("too valuable to ship");
      return order;
    },
  });
  const definition = workflow<Order>({ name: "savepoint", version: 1 })
    .step(payment)
    .savepoint("paid")
    .step(reserve)
    .step(ship)
    .build();
  return { definition, services: { payment: [payment], fulfilment: [reserve, ship] } };
};

test("A4 savepoint: an amount of 500 completes", async () => {
  const { definition, services } = shop(new Recorder());
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, { amount: 500 });
  expect(view.status).toBe("completed");
  expect(statusesOf(view)).toEqual({
    payment: "completed",
    paid: "completed",
    reserve: "completed",
    ship: "completed",
  });
});

test("A4 savepoint: with 1500 only the steps after the savepoint are rolled back", async () => {
  const calls = new Recorder();
  const { definition, services } = shop(calls);
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, { amount: 1_500 });
  expect(view.status).toBe("failed");
  expect(view.savepoint).toBe("paid");
  expect(view.error?.message).toBe("too valuable to ship");
  expect(statusesOf(view)).toEqual({
    payment: "completed",
    paid: "completed",
    reserve: "rolled_back",
    ship: "rolled_back",
  });
  expect(calls.labels()).toEqual(["payment", "reserve", "ship", "undo ship", "undo reserve"]);
});
