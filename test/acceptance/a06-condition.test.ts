import { greaterThan, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf, stepOf } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

interface Order {
  readonly amount: number;
}

test.each([
  { amount: 150, side: "then", taken: ["review", "approve"], skipped: ["accept"] },
  { amount: 50, side: "else", taken: ["accept"], skipped: ["review", "approve"] },
])("A6 condition: with $amount the side $side runs, the other is skipped, the common step runs", async (given) => {
  const calls = new Recorder();
  const pass = (order: Order): Order => order;
  const [rate, review, approve, accept, file] = [
    calls.step("rate", { run: pass }),
    calls.step("review", { run: pass }),
    calls.step("approve", { run: pass }),
    calls.step("accept", { run: pass }),
    calls.step("file", { run: pass }),
  ];
  const definition = workflow<Order>({ name: "condition", version: 1 })
    .step(rate)
    .condition("is-large", {
      when: ({ value }) => greaterThan(value.amount, 100),
      then: (side) => side.step(review).step(approve),
      else: (side) => side.step(accept),
    })
    .step(file)
    .build();
  const cluster = await startCluster({ services: { rating: [rate, file], approval: [review, approve, accept] } });
  const view = await cluster.run(definition, { amount: given.amount });
  expect(view.status).toBe("completed");
  expect(stepOf(view, "is-large").side).toBe(given.side);
  expect(calls.labels()).toEqual(["rate", ...given.taken, "file"]);
  for (const name of given.skipped) expect(statusesOf(view)[name], name).toBe("skipped");
  expect(calls.first("file").input).toEqual({ amount: given.amount });
});

test.each([
  { amount: 150, side: "then", expected: ["rate", "review", "file"] },
  { amount: 50, side: "else", expected: ["rate", "file"] },
])(
  "A7 condition whose side is empty: with $amount the flow passes through $side",
  async ({ amount, side, expected }) => {
    const calls = new Recorder();
    const pass = (order: Order): Order => order;
    const rate = calls.step("rate", { run: pass });
    const review = calls.step("review", { run: pass });
    const file = calls.step("file", { run: pass });
    const definition = workflow<Order>({ name: "empty-side", version: 1 })
      .step(rate)
      .condition("is-large", {
        when: ({ value }) => greaterThan(value.amount, 100),
        then: (then) => then.step(review),
      })
      .step(file)
      .build();
    const cluster = await startCluster({ services: { rating: [rate, file], approval: [review] } });
    const view = await cluster.run(definition, { amount });
    expect(view.status).toBe("completed");
    expect(stepOf(view, "is-large").side).toBe(side);
    expect(calls.labels()).toEqual(expected);
    expect(calls.first("file").input).toEqual({ amount });
  },
);

test("A7 condition whose side is empty: an empty 'then' at the end of the workflow completes the instance", async () => {
  const calls = new Recorder();
  const rate = calls.step("rate", { run: (order: Order): Order => order });
  const review = calls.step("review", { run: (order: Order): Order => order });
  const definition = workflow<Order>({ name: "empty-end", version: 1 })
    .step(rate)
    .condition("is-large", {
      when: ({ value }) => greaterThan(value.amount, 100),
      then: (then) => then,
      else: (side) => side.step(review),
    })
    .build();
  const cluster = await startCluster({ services: { rating: [rate], approval: [review] } });
  const view = await cluster.run(definition, { amount: 150 });
  expect(view.status).toBe("completed");
  expect(view.output).toEqual({ amount: 150 });
  expect(calls.labels()).toEqual(["rate"]);
});
