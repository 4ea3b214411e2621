import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, stepOf, untilEvent } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { stopped } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

interface Loan {
  readonly amount: number;
}

const loan = (calls: Recorder, onReject: "rollback" | "abort") => {
  const check = calls.step("check", { run: (input: Loan) => input, undo: true });
  const pay = calls.step("pay", { undo: true });
  const definition = workflow<Loan>({ name: `loan-${onReject}`, version: 1 })
    .step(check)
    .human("approve", { deciders: ["ann", "bob"], onReject })
    .step(pay)
    .build();
  return { definition, services: { risk: [check], bank: [pay] } };
};

test("A20, S10 a decision by a person goes on within a second, and is kept", async () => {
  const calls = new Recorder();
  const { definition, services } = loan(calls, "rollback");
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { amount: 100 });
  await untilEvent(cluster, instanceId, "step.waiting", "approve");
  expect(calls.labels()).toEqual(["check"]);
  const decidedAt = performance.now();
  await cluster.client.decide(instanceId, "approve", { kind: "confirm", by: "ann", comment: "a good customer" });
  const { input } = await calls.begun("pay");
  expect(performance.now() - decidedAt).toBeLessThan(1_000);
  expect(input).toMatchObject({ amount: 100, decision: { kind: "confirm", by: "ann", comment: "a good customer" } });
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(stepOf(view, "approve")).toMatchObject({ status: "confirmed" });
  expect(await cluster.sql("SELECT act, node, requested_by, reason FROM audit")).toEqual([
    { act: "decide", node: "approve", requested_by: "ann", reason: "a good customer" },
  ]);
});

test("A21 a rejection rolls back by default", async () => {
  const calls = new Recorder();
  const { definition, services } = loan(calls, "rollback");
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { amount: 100 });
  await untilEvent(cluster, instanceId, "step.waiting", "approve");
  await cluster.client.decide(instanceId, "approve", { kind: "reject", by: "bob", comment: "too risky" });
  const view = await cluster.ended(instanceId);
  expect(view).toMatchObject({
    status: "failed",
    error: { code: "DECISION_REJECTED", message: "'approve' was rejected by bob: too risky" },
  });
  expect(calls.labels()).toEqual(["check", "undo check"]);
});

test("A21 a rejection aborts without compensation when the node says so", async () => {
  const calls = new Recorder();
  const { definition, services } = loan(calls, "abort");
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { amount: 100 });
  await untilEvent(cluster, instanceId, "step.waiting", "approve");
  await cluster.client.decide(instanceId, "approve", { kind: "reject", by: "bob" });
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("aborted");
  expect(statusesOf(view)).toEqual({ check: "completed", approve: "rejected", pay: "skipped" });
  expect(calls.labels()).toEqual(["check"]);
});

test("S05 an instance does not complete around a human node in a branch: it waits for the decision", async () => {
  const calls = new Recorder();
  const count = calls.step("count", { run: () => 1 });
  const after = calls.step("after");
  const definition = workflow<object>({ name: "four-eyes", version: 1 })
    .fork("f", { person: (branch) => branch.human("look"), machine: (branch) => branch.step(count) })
    .step(after)
    .build();
  const cluster = await startCluster({ services: { one: [count, after] } });
  const { instanceId } = await cluster.start(definition, { id: 7 });
  await untilEvent(cluster, instanceId, "step.completed", "count");
  await eventually(async () => (await cluster.sql("SELECT FROM inbox")).length === 0);
  const waiting = await cluster.client.get(instanceId);
  expect(waiting.status).toBe("running");
  expect(statusesOf(waiting)).toEqual({ f: "waiting", look: "waiting_decision", count: "completed", after: "pending" });
  await cluster.client.decide(instanceId, "look", { kind: "confirm", by: "ann" });
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(calls.first("after").input).toMatchObject({ machine: 1, person: { id: 7, decision: { by: "ann" } } });
});

test("S12 the first branch to arrive wins an any-join; a branch that failed does not fail it, a straggler does not replace it", async () => {
  const calls = new Recorder();
  const broken = calls.step("broken", {
    run: () => {
      throw new Error("no answer");
    },
  });
  let round = 0;
  const fast = calls.step("fast", {
    run: async () => {
      await calls.begun("straggler", round);
      return "fast";
    },
  });
  // It runs when the other arrives, is told to stop, and answers all the same.
  const straggler = calls.step("straggler", { run: (_: unknown, { signal }) => stopped(signal).catch(() => "late") });
  const use = calls.step("use", { run: (input) => input });
  const definition = workflow<object>({ name: "hedge", version: 1 })
    .parallel("ask", [broken, fast, straggler], { join: "any" })
    .step(use)
    .build();
  const cluster = await startCluster({ services: { one: [broken, fast], two: [straggler, use] } });
  for (round = 1; round <= 5; round++) {
    const view = await cluster.run(definition, { round });
    expect(view).toMatchObject({ status: "completed", output: { fast: "fast" } });
    expect(statusesOf(view)).toMatchObject({ broken: "failed", fast: "completed", straggler: "completed" });
  }
});
