/** What the semantics promise beside the numbered scenarios, with real workers. */
import { equal, typeOnly, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, stepOf, untilEvent } from "../support/cluster.ts";
import { gate } from "../support/gate.ts";
import { failing, Recorder } from "../support/recorder.ts";

test("with compensate: sequential the last to complete is undone first, one at a time, also across branches", async () => {
  const calls = new Recorder();
  const [b, d] = [gate(), gate()];
  const steps = {
    a: calls.step("a", { undo: true }),
    b: calls.step("b", { run: () => b.passed, undo: true }),
    c: calls.step("c", { undo: true }),
    d: calls.step("d", { run: () => d.passed, undo: true }),
    end: calls.step("end", { run: failing("over") }),
  };
  const definition = workflow<object>({ name: "strict", version: 1, compensate: "sequential" })
    .fork("f", { left: (s) => s.step(steps.a).step(steps.b), right: (s) => s.step(steps.c).step(steps.d) })
    .step(steps.end)
    .build();
  const cluster = await startCluster({ services: { one: [steps.a, steps.d], two: [steps.b, steps.c, steps.end] } });
  const { instanceId } = await cluster.start(definition, {});
  await Promise.all([calls.begun("b"), calls.begun("d")]);
  d.open();
  await untilEvent(cluster, instanceId, "step.completed", "d");
  b.open();
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("failed");
  const completed = (await cluster.events(instanceId))
    .filter(({ type, node }) => type === "step.completed" && node !== "f")
    .map(({ node }) => `undo ${node}`);
  const undone = calls.labels().filter((label) => label.startsWith("undo"));
  expect(undone).toEqual(completed.toReversed());
  for (const [index, label] of undone.slice(1).entries()) expect(calls.isBefore(undone[index] ?? "", label)).toBe(true);
});

test("with compensateOn: completed a step whose outcome is unknown is left alone", async () => {
  const calls = new Recorder();
  const first = calls.step("first", { undo: true });
  const second = calls.step("second", { run: failing("no"), undo: true, compensateOn: "completed" });
  const definition = workflow<object>({ name: "careful", version: 1 }).step(first).step(second).build();
  const cluster = await startCluster({ services: { one: [first, second] } });
  const view = await cluster.run(definition, {});
  expect(statusesOf(view)).toEqual({ first: "rolled_back", second: "failed" });
  expect(calls.labels()).toEqual(["first", "second", "undo first"]);
});

test("a savepoint with retry lets the flow go forward again, with other idempotency keys, until it succeeds", async () => {
  const calls = new Recorder();
  const pay = calls.step("pay", { undo: true });
  const book = calls.step("book", { undo: true });
  let failures = 2;
  const fly = calls.step("fly", {
    undo: true,
    run: () => {
      if (failures-- > 0) throw new Error("overbooked");
      return "flown";
    },
  });
  const definition = workflow<object>({ name: "trip", version: 1 })
    .step(pay)
    .savepoint("paid", { retry: { maxAttempts: 3, delayMs: 20, strategy: "fixed" } })
    .step(book)
    .step(fly)
    .build();
  const cluster = await startCluster({ services: { one: [pay, fly], two: [book] } });
  const view = await cluster.run(definition, {});
  expect(view).toMatchObject({ status: "completed", output: "flown" });
  const round = ["book", "fly", "undo fly", "undo book"];
  expect(calls.labels()).toEqual(["pay", ...round, ...round, "book", "fly"]);
  const keys = calls.of("book").map(({ context }) => context.idempotencyKey);
  expect(new Set(keys).size).toBe(3);
});

test("an instance whose deadline passes is cancelled, with rollback", async () => {
  const calls = new Recorder();
  const first = calls.step("first", { undo: true });
  const definition = workflow<object>({ name: "hurried", version: 1, deadlineMs: 300 })
    .step(first)
    .signal("never")
    .build();
  const cluster = await startCluster({ services: { one: [first] } });
  const view = await cluster.run(definition, {});
  expect(view).toMatchObject({ status: "cancelled", error: { code: "DEADLINE_EXCEEDED" } });
  expect(calls.labels()).toEqual(["first", "undo first"]);
});

test("a switch takes the first case that holds; sleeps and signals, early or late, pass on what they should", async () => {
  const calls = new Recorder();
  const air = calls.step("air", { run: () => "by air" });
  const sea = calls.step("sea", { run: () => "by sea" });
  const land = calls.step("land", { run: () => "by land" });
  const sum = calls.step("sum", { run: (input) => input });
  const definition = workflow<{ readonly way: string }>({ name: "ways", version: 1 })
    .signal("paid", { payload: typeOnly<{ readonly amount: number }>() })
    .sleep("nap", { durationMs: 30 })
    .switch("way", {
      cases: [
        { when: ({ input }) => equal(input.way, "air"), then: (side) => side.step(air) },
        { when: ({ input }) => equal(input.way, "sea"), then: (side) => side.step(sea) },
      ],
      else: (side) => side.step(land),
    })
    .step(sum)
    .build();
  const cluster = await startCluster({ services: { one: [air, sea], two: [land, sum] } });
  for (const [way, output] of [
    ["air", "by air"],
    ["sea", "by sea"],
    ["mule", "by land"],
  ] as const) {
    const { instanceId } = await cluster.start(definition, { way });
    if (way === "sea") await untilEvent(cluster, instanceId, "step.waiting", "paid");
    await cluster.client.signal(instanceId, "paid", { payload: { amount: 3 }, sentBy: "bank" });
    const view = await cluster.ended(instanceId);
    expect(view).toMatchObject({ status: "completed", output });
    expect(stepOf(view, "paid").output).toEqual({ amount: 3 });
  }
});

test("losers of an any-join are undone beside what goes on, and the instance ends when they are", async () => {
  const calls = new Recorder();
  const hold = gate();
  const quick = calls.step("quick", { undo: true, run: () => "quick" });
  const thorough = calls.step("thorough", { undo: () => hold.passed });
  const never = calls.step("never", { undo: true });
  const next = calls.step("next", { undo: true });
  const definition = workflow<object>({ name: "hotels", version: 1 })
    .fork(
      "ask",
      { quick: (s) => s.signal("go").step(quick), thorough: (s) => s.step(thorough).signal("stop").step(never) },
      { join: "any", losers: "compensate" },
    )
    .step(next)
    .build();
  const cluster = await startCluster({ services: { one: [quick, never], two: [thorough, next] } });
  const { instanceId } = await cluster.start(definition, {});
  await untilEvent(cluster, instanceId, "step.completed", "thorough");
  await cluster.client.signal(instanceId, "go", { sentBy: "test" });
  await Promise.all([calls.begun("undo thorough"), untilEvent(cluster, instanceId, "step.completed", "next")]);
  expect((await cluster.client.get(instanceId)).status).toBe("running");
  hold.open();
  const view = await cluster.ended(instanceId);
  expect(view.status).toBe("completed");
  expect(statusesOf(view)).toMatchObject({
    ask: "completed",
    quick: "completed",
    thorough: "rolled_back",
    never: "skipped",
  });
});
