import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, stepOf, untilStatus } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

const quick = { delayMs: 1, jitter: 0 };

test("S03 a compensation that always fails is called maxAttempts times, becomes a dead letter, and stops nothing else", async () => {
  const calls = new Recorder();
  const before = calls.step("before", { undo: true });
  const stuck = calls.step("stuck", { undo: failing("refused"), undoRetry: { ...quick, maxAttempts: 3 } });
  const beside = calls.step("beside", { undo: true });
  const last = calls.step("last", { run: failing("broken"), undo: true });
  const definition = workflow<object>({ name: "stuck", version: 1 })
    .step(before)
    .fork("both", { stuck: (branch) => branch.step(stuck), beside: (branch) => branch.step(beside) })
    .step(last)
    .build();
  const cluster = await startCluster({ services: { service: [before, stuck, beside, last] } });
  const { instanceId } = await cluster.start(definition, {});
  const view = await untilStatus(cluster, instanceId, "dlq");
  expect(calls.of("undo stuck").map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
  expect(statusesOf(view)).toMatchObject({
    last: "rolled_back",
    beside: "rolled_back",
    stuck: "paused",
    before: "completed",
  });
  expect(stepOf(view, "stuck")).toMatchObject({ compensationAttempt: 3, compensationError: { message: "refused" } });
  const letters = await cluster.sql("SELECT node, kind, attempt, error ->> 'message' AS message FROM dead_letter");
  expect(letters).toEqual([{ node: "stuck", kind: "compensation", attempt: 3, message: "refused" }]);
  // What comes before it depends on it, and waits with it.
  expect(calls.of("undo before")).toEqual([]);
});

test("S16 a compensation with a single attempt is called once", async () => {
  const calls = new Recorder();
  const step = calls.step("step", { run: failing("broken"), undo: true, undoRetry: { maxAttempts: 1 } });
  const definition = workflow<object>({ name: "single", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.of("undo step")).toHaveLength(1);
});

test("S11 the tasks of a parallel are compensated", async () => {
  const calls = new Recorder();
  const [left, right] = [calls.step("left", { undo: true }), calls.step("right", { undo: true })];
  const last = calls.step("last", { run: failing("broken") });
  const definition = workflow<object>({ name: "parallel", version: 1 })
    .parallel("both", [left, right])
    .step(last)
    .build();
  const cluster = await startCluster({ services: { left: [left], right: [right], last: [last] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(statusesOf(view)).toEqual({
    both: "rolled_back",
    left: "rolled_back",
    right: "rolled_back",
    last: "rolled_back",
  });
  expect(calls.labels().slice(-2).toSorted()).toEqual(["undo left", "undo right"]);
});

test("S11 when a task of a parallel fails, the others and the failed one are compensated", async () => {
  const calls = new Recorder();
  const left = calls.step("left", { undo: true });
  const right = calls.step("right", {
    undo: true,
    run: async () => {
      await calls.begun("left");
      throw new Error("broken");
    },
  });
  const definition = workflow<object>({ name: "parallel-failing", version: 1 }).parallel("both", [left, right]).build();
  const cluster = await startCluster({ services: { left: [left], right: [right] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.labels().slice(-2).toSorted()).toEqual(["undo left", "undo right"]);
});

test("S17 a compensation gets the step's input and its output, and the output stays with the step", async () => {
  const calls = new Recorder();
  const charge = calls.step("charge", {
    run: ({ amount }: { readonly amount: number }) => ({ paymentId: `p-${amount}` }),
    undo: () => "what a compensation returns is not kept",
  });
  const ship = calls.step("ship", { run: failing("no carrier") });
  const definition = workflow<{ readonly amount: number }>({ name: "output", version: 1 })
    .step(charge)
    .step(ship)
    .build();
  const cluster = await startCluster({ services: { service: [charge, ship] } });
  const view = await cluster.run(definition, { amount: 7 }, { metadata: { shop: "north" } });
  const { input, undoes, context } = calls.first("undo charge");
  expect(input).toEqual({ amount: 7 });
  expect(undoes).toMatchObject({
    outcome: "happened",
    output: { paymentId: "p-7" },
    cause: { code: "HANDLER_FAILED", message: "no carrier" },
  });
  expect(context).toMatchObject({ lane: "compensation", attempt: 1, metadata: { shop: "north" } });
  expect(stepOf(view, "charge")).toMatchObject({ status: "rolled_back", output: { paymentId: "p-7" } });
});

test("S17 a compensation with a mapping of its own gets what the mapping makes, and the output besides", async () => {
  const calls = new Recorder();
  const quote = calls.step("quote", { run: () => ({ price: 12 }) });
  const charge = calls.step("charge", { run: () => ({ paymentId: "p-1" }), undo: true });
  const ship = calls.step("ship", { run: failing("no carrier") });
  const definition = workflow<{ readonly orderId: string }>({ name: "mapping", version: 1 })
    .step(quote)
    .step(charge, {
      input: ({ input }) => ({ order: input.orderId }),
      compensationInput: ({ input, outputOf }) => ({ refund: outputOf(quote).price, of: input.orderId }),
    })
    .step(ship)
    .build();
  const cluster = await startCluster({ services: { service: [quote, charge, ship] } });
  await cluster.run(definition, { orderId: "o-1" });
  expect(calls.first("charge").input).toEqual({ order: "o-1" });
  expect(calls.first("undo charge").input).toEqual({ refund: 12, of: "o-1" });
  expect(calls.first("undo charge").undoes?.output).toEqual({ paymentId: "p-1" });
});
