import { isFloxyError } from "@floxy/shared";
import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { layCable } from "../support/cable.ts";
import { startCluster, stepOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { gate } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

test.each([
  {
    what: "throws an error",
    run: (): never => {
      throw new Error("poison");
    },
  },
  {
    what: "throws no error but a text",
    run: (): never => {
      throw "poison";
    },
  },
  { what: "rejects", run: () => Promise.reject(new Error("poison")) },
  { what: "returns what cannot be stored", run: () => ({ when: Number.NaN, big: 1n }) },
])("S13 a handler that always $what is called maxAttempts times at most, and does not spin", async ({ run }) => {
  const calls = new Recorder();
  const step = calls.step("step", { run, retry: { maxAttempts: 4, delayMs: 1, jitter: 0 } });
  const definition = workflow<object>({ name: "poison", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.of("step").length).toBeLessThanOrEqual(4);
  expect(calls.of("step").length).toBe(stepOf(view, "step").attempt);
});

test("S13 a handler that kills its worker each time is leased maxAttempts times and no more", async () => {
  const calls = new Recorder();
  const step = calls.step("step", { run: () => new Promise(() => {}), retry: { maxAttempts: 3 }, timeoutMs: 60_000 });
  const definition = workflow<object>({ name: "killer", version: 1 }).step(step).build();
  const cluster = await startCluster();
  const { instanceId } = await cluster.start(definition, {});
  for (const life of [1, 2, 3]) {
    const cable = await layCable(cluster.url);
    const options = { connectionString: cable.url, leaseMs: 1_000, drainMs: 0, graceMs: 0 };
    await cluster.addWorker(`life-${life}`, [step], options);
    await calls.begun("step", life);
    await cable.close();
  }
  await cluster.addWorker("survivor", [step]);
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  expect(view.error?.code).toBe("LEASE_LOST");
  expect(calls.of("step").map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
});

test("S13 a condition that fails counts as a failure, ends the instance, and is not tried again", async () => {
  const calls = new Recorder();
  const step = calls.step("step", { run: () => ({ amount: "much" }), undo: true });
  const never = calls.step("never");
  const definition = workflow<object>({ name: "bad-condition", version: 1 })
    .step(step)
    .condition("is-large", { when: "value.total > 100", then: (side) => side.step(never) })
    .build();
  const cluster = await startCluster({ services: { service: [step, never] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(view.error?.code).toBe("EXPRESSION_FAILED");
  expect(view.error?.message).toContain("is-large");
  expect(view.error?.message).toContain("total");
  expect(calls.labels()).toEqual(["step", "undo step"]);
  const failures = (await cluster.events(view.instanceId)).filter(({ type }) => type === "step.failed");
  expect(failures.map(({ node }) => node)).toEqual(["is-large"]);
});

test("S13 a changed definition under the same version is DEFINITION_CONFLICT, and nothing changes", async () => {
  const calls = new Recorder();
  const [first, second] = [calls.step("first", { run: () => "old" }), calls.step("second", { run: () => "new" })];
  const old = workflow<object>({ name: "changing", version: 1 }).step(first).build();
  const changed = workflow<object>({ name: "changing", version: 1 }).step(first).step(second).build();
  const cluster = await startCluster({ services: { service: [first, second] } });
  await cluster.client.register(old);
  await cluster.client.register(old);
  const refused = await cluster.client.register(changed).catch((error: unknown) => error);
  expect(isFloxyError(refused, "DEFINITION_CONFLICT")).toBe(true);
  expect(String(refused)).toContain("version 2 or higher");
  const started = await cluster.start(changed, {}).catch((error: unknown) => error);
  expect(isFloxyError(started, "DEFINITION_CONFLICT")).toBe(true);
  const rows = await cluster.sql("SELECT fingerprint FROM definition");
  expect(rows).toEqual([{ fingerprint: old.fingerprint }]);
  expect((await cluster.run(old, {})).output).toBe("old");
});

test("S13 an instance keeps its definition's version for life; a start without a version takes the highest", async () => {
  const calls = new Recorder();
  const open = gate();
  const [hold, first, second] = [
    calls.step("hold", { run: () => open.passed }),
    calls.step("first", { run: () => "old" }),
    calls.step("second", { run: () => "new" }),
  ];
  const one = workflow<object>({ name: "versioned", version: 1 }).step(hold).step(first).build();
  const two = workflow<object>({ name: "versioned", version: 2 }).step(second).build();
  const cluster = await startCluster({ services: { service: [hold, first, second] } });
  const { instanceId } = await cluster.start(one, {});
  await calls.begun("hold");
  await cluster.client.register(two);
  const later = await cluster.client.start("versioned", {});
  expect(await later.result({ timeoutMs: 20_000 })).toBe("new");
  open.open();
  const view = await cluster.ended(instanceId);
  expect(view).toMatchObject({ output: "old", definition: { version: 1 } });
});

test("S13 an instance that cannot be reviewed is put off and logged; the others go on, and it goes on once it can", async () => {
  const calls = new Recorder();
  const open = gate();
  const [left, right] = [
    calls.step("left", { run: () => open.passed }),
    calls.step("right", { run: () => open.passed }),
  ];
  const definition = workflow<object>({ name: "joined", version: 1 }).parallel("both", [left, right]).build();
  const cluster = await startCluster({ services: { service: [left, right] } });
  const broken = await cluster.start(definition, {});
  const others = await Promise.all(Array.from({ length: 5 }, () => cluster.start(definition, {})));
  await calls.begun("right", 6);
  const repoint = (version: number) =>
    cluster.sql("UPDATE instance SET definition_version = $2 WHERE instance_id = $1", [broken.instanceId, version]);
  await repoint(99);
  open.open();
  for (const { instanceId } of others) expect((await cluster.ended(instanceId)).status).toBe("completed");
  const note = await eventually(async () => {
    const [row] = await cluster.sql<{ attempt: number; error: string }>(
      "SELECT max(attempt)::int AS attempt, max(error) AS error FROM inbox WHERE instance_id = $1",
      [broken.instanceId],
    );
    return row !== undefined && row.attempt > 0 ? row : undefined;
  });
  expect(note.error).toContain("joined");
  expect(cluster.log.lines.some((line) => line.includes(broken.instanceId))).toBe(true);
  await repoint(1);
  expect((await cluster.ended(broken.instanceId)).status).toBe("completed");
});
