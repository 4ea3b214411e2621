import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { gate } from "../support/gate.ts";
import { failing, Recorder } from "../support/recorder.ts";

/** The pipeline of the scenario; the last of the chained extracts does what the test says. */
const pipeline = (
  calls: Recorder,
  options: { readonly lastExtract?: () => unknown; readonly report?: () => never },
) => {
  const extract = (source: string) => () => ({ source, rows: source.length });
  const users = calls.step("extract-users", { run: extract("users"), undo: true });
  const orders = calls.step("extract-orders", { run: extract("orders"), undo: true });
  const pages = calls.step("extract-pages", { run: extract("pages"), undo: true });
  const clicks = calls.step("extract-clicks", { run: extract("clicks"), undo: true });
  const views = calls.step("extract-views", {
    undo: true,
    run: async () => {
      await options.lastExtract?.();
      return extract("views")();
    },
  });
  const validate = calls.step("validate", { run: (joined: object) => joined });
  const transform = calls.step("transform", { run: (joined: object) => Object.keys(joined).toSorted() });
  const aggregate = calls.step("aggregate", { run: (names: readonly string[]) => ({ sources: names.length }) });
  const report = calls.step("report", {
    run: options.report ?? ((sum: { sources: number }) => `${sum.sources} sources`),
  });
  const definition = workflow<object>({ name: "data-pipeline", version: 1 })
    .fork("extract", {
      users: (branch) => branch.step(users),
      orders: (branch) => branch.step(orders),
      web: (branch) => branch.step(pages).step(clicks).step(views),
    })
    .step(validate)
    .step(transform)
    .step(aggregate)
    .step(report)
    .build();
  const services = {
    extraction: [users, orders, pages, clicks, views],
    processing: [validate, transform],
    reporting: [aggregate, report],
  };
  return { definition, services };
};

const extracts = ["extract-users", "extract-orders", "extract-pages", "extract-clicks", "extract-views"];

test("A1 data pipeline: everything completes and the join holds the output of each branch", async () => {
  const calls = new Recorder();
  const { definition, services } = pipeline(calls, {});
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("completed");
  expect(view.output).toBe("3 sources");
  expect(new Set(Object.values(statusesOf(view)))).toEqual(new Set(["completed"]));
  expect(calls.first("validate").input).toEqual({
    users: { source: "users", rows: 5 },
    orders: { source: "orders", rows: 6 },
    web: { source: "views", rows: 5 },
  });
  expect(calls.labels().slice(-4)).toEqual(["validate", "transform", "aggregate", "report"]);
});

test("A1 data pipeline: the join waits for the last step of the longest branch", async () => {
  const calls = new Recorder();
  const open = gate();
  const { definition, services } = pipeline(calls, { lastExtract: () => open.passed });
  const cluster = await startCluster({ services });
  const { instanceId } = await cluster.start(definition, {});
  await calls.begun("extract-views");
  const halfway = statusesOf(await cluster.client.get(instanceId));
  expect(halfway).toMatchObject({ extract: "waiting", "extract-views": "running", validate: "pending" });
  expect(calls.of("validate")).toEqual([]);
  open.open();
  expect((await cluster.ended(instanceId)).status).toBe("completed");
  for (const extract of extracts) expect(calls.isBefore(extract, "validate"), extract).toBe(true);
});

test("A1 data pipeline: when the report fails, the chained extracts are undone from the last to the first", async () => {
  const calls = new Recorder();
  const { definition, services } = pipeline(calls, { report: failing("no printer") });
  const cluster = await startCluster({ services });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  for (const extract of extracts) expect(calls.of(`undo ${extract}`), extract).toHaveLength(1);
  expect(calls.isBefore("undo extract-views", "undo extract-clicks")).toBe(true);
  expect(calls.isBefore("undo extract-clicks", "undo extract-pages")).toBe(true);
});
