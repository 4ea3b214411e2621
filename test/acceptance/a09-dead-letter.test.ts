import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster, statusesOf, stepOf, untilStatus } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

interface Parcel {
  readonly weight: number;
}

const by = { requestedBy: "olga" } as const;

const deadLetters = (cluster: Cluster, instanceId: string) =>
  cluster.sql<object>(
    `SELECT node, kind, attempt, error ->> 'message' AS message FROM dead_letter WHERE instance_id = $1`,
    [instanceId],
  );

/** Three steps in DLQ mode, of which the second fails as long as the parcel is too heavy. */
const post = (calls: Recorder) => {
  const weigh = calls.step("weigh", { run: (parcel: Parcel) => parcel, undo: true });
  const send = calls.step("send", {
    retry: { maxAttempts: 2, delayMs: 0 },
    undo: true,
    run: ({ weight }: Parcel) => {
      if (weight > 30) throw new Error(`too heavy: ${weight} kg`);
      return { tracking: weight };
    },
  });
  const tell = calls.step("tell");
  const definition = workflow<Parcel>({ name: "post", version: 1, onFailure: "dlq" })
    .step(weigh)
    .step(send)
    .step(tell)
    .build();
  return { definition, services: { scales: [weigh], post: [send], mail: [tell] } };
};

test("A9 in DLQ mode a step that fails is paused with a dead letter, and the instance waits for a person", async () => {
  const calls = new Recorder();
  const { definition, services } = post(calls);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { weight: 40 });
  const view = await untilStatus(cluster, instanceId, "dlq");
  expect(statusesOf(view)).toEqual({ weigh: "completed", send: "paused", tell: "pending" });
  expect(stepOf(view, "send")).toMatchObject({ attempt: 2, error: { message: "too heavy: 40 kg" } });
  expect(await deadLetters(cluster, instanceId)).toEqual([
    { node: "send", kind: "forward", attempt: 2, message: "too heavy: 40 kg" },
  ]);
  expect(calls.labels()).toEqual(["weigh", "send", "send"]);
});

test("A10 after a requeue the step runs again, the rest follows, and the instance completes", async () => {
  const calls = new Recorder();
  let isRepaired = false;
  const mend = calls.step("mend", {
    run: () => {
      if (!isRepaired) throw new Error("no spare part");
      return "mended";
    },
  });
  const deliver = calls.step("deliver");
  const definition = workflow<object>({ name: "repair", version: 1, onFailure: "dlq" })
    .step(mend)
    .step(deliver)
    .build();
  const cluster = await startCluster({ services: { workshop: [mend], shop: [deliver] } });
  const { instanceId } = await cluster.start(definition, {});
  await untilStatus(cluster, instanceId, "dlq");
  isRepaired = true;
  await cluster.client.requeue(instanceId, "mend", { ...by, reason: "the part has come" });
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(await deadLetters(cluster, instanceId)).toEqual([]);
  expect(calls.labels()).toEqual(["mend", "mend", "deliver"]);
  expect(calls.calls.map(({ context }) => context.attempt)).toEqual([1, 1, 1]);
});

test("A11 a requeue with another input is what the handler sees", async () => {
  const calls = new Recorder();
  const { definition, services } = post(calls);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, { weight: 40 });
  await untilStatus(cluster, instanceId, "dlq");
  await cluster.client.requeue(instanceId, "send", { ...by, input: { weight: 20 } });
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(stepOf(view, "send").output).toEqual({ tracking: 20 });
  expect(calls.of("send").at(-1)?.input).toEqual({ weight: 20 });
});

/** A saga whose middle step cannot be undone until the bank answers again. */
const stuck = (calls: Recorder, bank: { isOpen: boolean }) => {
  const reserve = calls.step("reserve", { undo: true });
  const charge = calls.step("charge", {
    undoRetry: { maxAttempts: 2 },
    undo: () => {
      if (!bank.isOpen) throw new Error("the bank does not answer");
    },
  });
  const note = calls.step("note", { undo: true });
  const ship = calls.step("ship", { run: failing("no truck"), undo: true });
  const definition = workflow<object>({ name: "stuck", version: 1 })
    .step(reserve)
    .fork("both", { pay: (b) => b.step(charge), note: (b) => b.step(note) })
    .step(ship)
    .build();
  return { definition, services: { stock: [reserve, note], bank: [charge], freight: [ship] } };
};

test("A12 a compensation that always fails stops at its attempts; a person's retry finishes the instance", async () => {
  const calls = new Recorder();
  const bank = { isOpen: false };
  const { definition, services } = stuck(calls, bank);
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  const waiting = await untilStatus(cluster, instanceId, "dlq");
  expect(statusesOf(waiting)).toMatchObject({ reserve: "completed", charge: "paused", note: "rolled_back" });
  expect(calls.of("undo charge")).toHaveLength(2);
  expect(await deadLetters(cluster, instanceId)).toMatchObject([{ node: "charge", kind: "compensation", attempt: 2 }]);
  bank.isOpen = true;
  await cluster.client.retryCompensation(instanceId, "charge", by);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(calls.labels().slice(-2)).toEqual(["undo charge", "undo reserve"]);
});

test("A12 or a person skips it with a reason, which finishes the instance as well", async () => {
  const calls = new Recorder();
  const { definition, services } = stuck(calls, { isOpen: false });
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  await untilStatus(cluster, instanceId, "dlq");
  await cluster.client.skipCompensation(instanceId, "charge", { ...by, reason: "refunded by hand" });
  const view = await cluster.ended(instanceId);
  expect(statusesOf(view)).toMatchObject({ reserve: "rolled_back", charge: "skipped", note: "rolled_back" });
  expect(view.status).toBe("failed");
});

test("A13, S07, S28 in DLQ mode the branches beside run on to the join, and all completes after the requeue", async () => {
  const calls = new Recorder();
  let isMended = false;
  const steps = Object.fromEntries(["a1", "a2", "b2", "c1", "c2"].map((name) => [name, calls.step(name)])) as Record<
    string,
    ReturnType<typeof calls.step>
  >;
  const b1 = calls.step("b1", {
    run: () => {
      if (!isMended) throw new Error("broken");
      return "mended";
    },
  });
  const after = calls.step("after");
  const step = (name: string) => steps[name] as ReturnType<typeof calls.step>;
  const definition = workflow<object>({ name: "three-branches", version: 1, onFailure: "dlq" })
    .fork("f", {
      a: (branch) => branch.step(step("a1")).step(step("a2")),
      b: (branch) => branch.step(b1).step(step("b2")),
      c: (branch) => branch.step(step("c1")).step(step("c2")),
    })
    .step(after)
    .build();
  const cluster = await startCluster({ services: { one: [...Object.values(steps), b1], two: [after] } });
  const { instanceId } = await cluster.start(definition, {});
  const waiting = await untilStatus(cluster, instanceId, "dlq");
  expect(statusesOf(waiting)).toMatchObject({ f: "paused", a2: "completed", b1: "paused", c2: "completed" });
  isMended = true;
  await cluster.client.requeue(instanceId, "b1", by);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(stepOf(view, "f").output).toEqual({ a: { by: "a2" }, b: { by: "b2" }, c: { by: "c2" } });
});
