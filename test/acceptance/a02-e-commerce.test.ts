import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { z } from "zod";
import { startCluster, statusesOf, stepOf } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

const Order = z.object({
  orderId: z.string(),
  amount: z.number(),
  failAt: z.string().optional(),
  failures: z.number(),
});
type Order = z.infer<typeof Order>;

/** The order saga of the scenario. A step fails as often as the order says, and then goes well. */
const shop = (calls: Recorder) => {
  const run =
    (step: string) =>
    (order: Order, { attempt }: { readonly attempt: number }): Order => {
      if (order.failAt === step && attempt <= order.failures) throw new Error(`${step} is out of order`);
      return order;
    };
  const retry = (maxAttempts: number) => ({ maxAttempts, delayMs: 5, jitter: 0 });
  const payment = calls.step("process-payment", { run: run("process-payment"), undo: true, retry: retry(3) });
  const inventory = calls.step("reserve-inventory", { run: run("reserve-inventory"), undo: true, retry: retry(2) });
  const shipping = calls.step("ship-order", { run: run("ship-order"), retry: retry(2) });
  const notify = calls.step("notify", { run: run("notify") });
  const definition = workflow({ name: "e-commerce", version: 1, input: Order })
    .step(payment)
    .step(inventory)
    .step(shipping)
    .step(notify)
    .build();
  const services = { payment: [payment], inventory: [inventory], shipping: [shipping], notification: [notify] };
  return { definition, services };
};

const order = (failAt?: string, failures = 0): Order => ({
  orderId: "o-1",
  amount: 20,
  failures,
  ...(failAt && { failAt }),
});

test("A2 e-commerce: the happy path completes", async () => {
  const calls = new Recorder();
  const { definition, services } = shop(calls);
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, order());
  expect(view.status).toBe("completed");
  expect(calls.labels()).toEqual(["process-payment", "reserve-inventory", "ship-order", "notify"]);
});

test("A2 e-commerce: a step that fails fewer times than it has attempts does no harm", async () => {
  const calls = new Recorder();
  const { definition, services } = shop(calls);
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, order("process-payment", 2));
  expect(view.status).toBe("completed");
  expect(stepOf(view, "process-payment").attempt).toBe(3);
  expect(calls.labels().filter((label) => label.startsWith("undo"))).toEqual([]);
});

test.each([
  {
    failAt: "process-payment",
    attempts: 3,
    undone: ["undo process-payment"],
    statuses: ["rolled_back", "skipped", "skipped", "skipped"],
  },
  {
    failAt: "reserve-inventory",
    attempts: 2,
    undone: ["undo reserve-inventory", "undo process-payment"],
    statuses: ["rolled_back", "rolled_back", "skipped", "skipped"],
  },
  {
    failAt: "ship-order",
    attempts: 2,
    undone: ["undo reserve-inventory", "undo process-payment"],
    statuses: ["rolled_back", "rolled_back", "rolled_back", "skipped"],
  },
])(
  "A2 e-commerce: when $failAt fails for good, what ran is rolled back",
  async ({ failAt, attempts, undone, statuses }) => {
    const calls = new Recorder();
    const { definition, services } = shop(calls);
    const cluster = await startCluster({ services });
    const view = await cluster.run(definition, order(failAt, 9));
    expect(view.status).toBe("failed");
    expect(view.error).toMatchObject({ code: "HANDLER_FAILED", message: `${failAt} is out of order` });
    expect(calls.of(failAt)).toHaveLength(attempts);
    expect(calls.labels().filter((label) => label.startsWith("undo"))).toEqual(undone);
    expect(Object.values(statusesOf(view))).toEqual(statuses);
  },
);
