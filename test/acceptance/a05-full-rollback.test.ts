import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

test("A5 full rollback: compensations run in reverse order, each once, the failed step's too", async () => {
  const calls = new Recorder();
  const payment = calls.step("payment", { run: () => ({ paymentId: "p-1" }), undo: true });
  const inventory = calls.step("inventory", { run: () => ({ reservationId: "r-1" }), undo: true });
  const shipping = calls.step("shipping", { run: failing("no carrier"), undo: true });
  const definition = workflow<object>({ name: "full-rollback", version: 1 })
    .step(payment)
    .step(inventory)
    .step(shipping)
    .build();
  const cluster = await startCluster({
    services: { payment: [payment], inventory: [inventory], shipping: [shipping] },
  });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(view.savepoint).toBeNull();
  expect(statusesOf(view)).toEqual({ payment: "rolled_back", inventory: "rolled_back", shipping: "rolled_back" });
  expect(calls.labels()).toEqual([
    "payment",
    "inventory",
    "shipping",
    "undo shipping",
    "undo inventory",
    "undo payment",
  ]);
  expect(calls.first("undo shipping").undoes).toMatchObject({
    outcome: "unknown",
    output: undefined,
    cause: { message: "no carrier" },
  });
  expect(calls.first("undo payment").undoes).toMatchObject({ outcome: "happened", output: { paymentId: "p-1" } });
});
