import { greaterThan, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

interface Order {
  readonly amount: number;
}

test.each([
  { amount: 500, taken: ["review"] },
  { amount: 5, taken: [] },
])(
  "S04 a condition before a fork in the main sequence: with $amount the join fires and what follows runs",
  async (given) => {
    const calls = new Recorder();
    const pass = (order: Order): Order => order;
    const review = calls.step("review", { run: pass });
    const [left, right] = [calls.step("left", { run: () => 1 }), calls.step("right", { run: () => 2 })];
    const last = calls.step("last", { run: ({ left, right }: { left: number; right: number }) => left + right });
    const definition = workflow<Order>({ name: "condition-then-fork", version: 1 })
      .condition("is-large", { when: ({ input }) => greaterThan(input.amount, 100), then: (side) => side.step(review) })
      .fork("both", { left: (branch) => branch.step(left), right: (branch) => branch.step(right) })
      .step(last)
      .build();
    const cluster = await startCluster({ services: { review: [review], left: [left], right: [right], last: [last] } });
    const view = await cluster.run(definition, { amount: given.amount });
    expect(view.status).toBe("completed");
    expect(view.output).toBe(3);
    expect(statusesOf(view)).toMatchObject({ "is-large": "completed", both: "completed", last: "completed" });
    expect(calls.labels().slice(0, given.taken.length)).toEqual(given.taken);
    for (const step of ["left", "right"]) expect(calls.isBefore(step, "last"), step).toBe(true);
    const fired = (await cluster.events(view.instanceId)).filter(
      ({ node, type }) => node === "both" && type === "step.completed",
    );
    expect(fired).toHaveLength(1);
  },
);

test("S04 a fork at the end, behind a condition, completes the instance only when all its branches have arrived", async () => {
  const calls = new Recorder();
  const pass = (order: Order): Order => order;
  const review = calls.step("review", { run: pass });
  const slow = calls.step("slow", { run: async () => (await calls.begun("quick")).label });
  const quick = calls.step("quick");
  const definition = workflow<Order>({ name: "condition-then-end", version: 1 })
    .condition("is-large", { when: "input.amount > 100", then: (side) => side.step(review) })
    .fork("both", { slow: (branch) => branch.step(slow), quick: (branch) => branch.step(quick) })
    .build();
  const cluster = await startCluster({ services: { review: [review], slow: [slow], quick: [quick] } });
  const view = await cluster.run(definition, { amount: 500 });
  expect(view.output).toEqual({ slow: "quick", quick: { by: "quick" } });
});
