import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { layCable } from "../support/cable.ts";
import { startCluster, stepOf } from "../support/cluster.ts";
import { gate } from "../support/gate.ts";
import { failing, Recorder } from "../support/recorder.ts";

test("A29 a step that is not idempotent and throws is called once; its outcome is unknown; rollback", async () => {
  const calls = new Recorder();
  const prepare = calls.step("prepare", { undo: true });
  const transfer = calls.step("transfer", { run: failing("the line broke"), undo: true, idempotent: false });
  const definition = workflow<object>({ name: "transfer", version: 1 }).step(prepare).step(transfer).build();
  const cluster = await startCluster({ services: { prepare: [prepare], bank: [transfer] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(stepOf(view, "transfer")).toMatchObject({ outcome: "unknown", attempt: 1, status: "rolled_back" });
  expect(calls.labels()).toEqual(["prepare", "transfer", "undo transfer", "undo prepare"]);
  expect(calls.first("undo transfer").undoes).toMatchObject({ outcome: "unknown", output: undefined });
});

test("A29 a step that is not idempotent and whose worker dies is called once; its outcome is unknown; rollback", async () => {
  const calls = new Recorder();
  const never = gate();
  const prepare = calls.step("prepare", { undo: true });
  const transfer = calls.step("transfer", { run: () => never.passed, undo: true, idempotent: false });
  const definition = workflow<object>({ name: "transfer", version: 1 }).step(prepare).step(transfer).build();
  const cluster = await startCluster({ services: { prepare: [prepare] } });
  const cable = await layCable(cluster.url);
  await cluster.addWorker("dying", [transfer], { connectionString: cable.url, leaseMs: 1_500, drainMs: 0, graceMs: 0 });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("transfer");
  await cable.close();
  await cluster.addWorker("heir", [transfer]);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(view.error?.code).toBe("LEASE_LOST");
  expect(stepOf(view, "transfer")).toMatchObject({ outcome: "unknown", attempt: 1, status: "rolled_back" });
  expect(calls.labels()).toEqual(["prepare", "transfer", "undo transfer", "undo prepare"]);
  never.open();
});
