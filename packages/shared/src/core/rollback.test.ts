import { describe, expect, it } from "vitest";
import type { Outcome, StepStatus } from "../vocabulary/status.ts";
import type { InstanceState, QueuedState, StepState } from "./model.ts";
import { planRollback } from "./rollback.ts";
import { condition, fork, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";

type Rows = Readonly<Record<string, StepStatus | readonly [StepStatus, Partial<StepState>]>>;

const stateOf = (rows: Rows, queue: readonly QueuedState[] = [], boundary: string | null = null): InstanceState => ({
  status: "rolling_back",
  cause: null,
  boundary,
  queue: new Map(queue.map((queued) => [queued.node, queued])),
  steps: new Map(
    Object.entries(rows).map(([node, given]) => {
      const [status, more] = typeof given === "string" ? [given, {}] : given;
      const outcome: Outcome = status === "failed" ? "unknown" : "happened";
      return [node, { node, status, outcome, side: null, error: null, inputFrom: null, ...more }];
    }),
  ),
});

const running = (node: string, lane: QueuedState["lane"] = "forward"): QueuedState => ({
  node,
  lane,
  state: "leased",
  attempt: 1,
  inputFrom: null,
});

const line = graphOf(undoable("pay"), undoable("reserve"), undoable("ship"));

const told = (plan: ReturnType<typeof planRollback>) => [
  plan.progress,
  ...plan.enqueue.map(({ node }) => `undo ${node}`),
  ...plan.steps.filter(({ status }) => status !== "compensating").map(({ node, status }) => `${node} ${status}`),
];

describe("the plan of a rollback", () => {
  it("starts with the step that failed, whose effects are unknown, and gives it what the step got (A5)", () => {
    const plan = planRollback(
      line,
      stateOf({ pay: "completed", reserve: "completed", ship: ["failed", { inputFrom: "reserve" }] }),
    );
    expect(told(plan)).toEqual(["underway", "undo ship"]);
    expect(plan.enqueue).toMatchObject([{ lane: "compensation", handler: "undo-ship", inputFrom: "reserve" }]);
    expect(plan.steps).toEqual([{ node: "ship", status: "compensating" }]);
  });

  it("goes on with the step before when the one after it is undone, and is done at the start", () => {
    expect(told(planRollback(line, stateOf({ pay: "completed", reserve: "completed", ship: "rolled_back" })))).toEqual([
      "underway",
      "undo reserve",
    ]);
    expect(
      told(planRollback(line, stateOf({ pay: "rolled_back", reserve: "rolled_back", ship: "rolled_back" }))),
    ).toEqual(["done"]);
  });

  it.each([
    ["never came", {}],
    ["is known to have had no effect", { ship: ["failed", { outcome: "absent" }] }],
    ["was skipped", { ship: ["skipped", { outcome: "absent" }] }],
    ["was left undone by a person", { ship: "skipped" }],
  ] as [string, Rows][])("passes over a step that %s", (_what, rows) => {
    expect(told(planRollback(line, stateOf({ pay: "completed", reserve: "completed", ...rows })))).toEqual([
      "underway",
      "undo reserve",
    ]);
  });

  it("waits for a step that still runs, and for a compensation that runs (S31)", () => {
    const rows: Rows = { pay: "completed", reserve: "completed" };
    expect(told(planRollback(line, stateOf(rows, [running("ship")])))).toEqual(["underway"]);
    expect(
      told(planRollback(line, stateOf({ ...rows, ship: "compensating" }, [running("ship", "compensation")]))),
    ).toEqual(["underway"]);
  });

  it("is stuck before a dead letter, and undoes nothing before it (A12)", () => {
    expect(told(planRollback(line, stateOf({ pay: "completed", reserve: "paused", ship: "rolled_back" })))).toEqual([
      "stuck",
    ]);
  });

  it("calls nothing for a step without a compensation", () => {
    const graph = graphOf(undoable("pay"), task("log"));
    expect(told(planRollback(graph, stateOf({ pay: "completed", log: "completed" })))).toEqual([
      "underway",
      "undo pay",
      "log rolled_back",
    ]);
  });

  it("stops at its savepoint and leaves what is before it as it is; without one it passes savepoints (A4)", () => {
    const graph = graphOf(undoable("pay"), savepoint("one"), undoable("reserve"), savepoint("two"), undoable("ship"));
    const rows: Rows = {
      pay: "completed",
      one: "completed",
      reserve: "completed",
      two: "completed",
      ship: "rolled_back",
    };
    expect(told(planRollback(graph, stateOf(rows, [], "two")))).toEqual(["done"]);
    expect(told(planRollback(graph, stateOf(rows, [], "one")))).toEqual([
      "underway",
      "undo reserve",
      "two rolled_back",
    ]);
    const rest: Rows = { ...rows, two: "rolled_back", reserve: "rolled_back" };
    expect(told(planRollback(graph, stateOf(rest)))).toEqual(["underway", "undo pay", "one rolled_back"]);
  });

  it("stops at a savepoint on the side of a condition, which was decided before it", () => {
    const graph = graphOf(undoable("pay"), condition("c", "true", [savepoint("s"), undoable("t")]), undoable("ship"));
    const rows: Rows = { pay: "completed", c: ["completed", { side: "then" }], s: "completed", t: "failed" };
    expect(told(planRollback(graph, stateOf(rows, [], "s")))).toEqual(["underway", "undo t"]);
    expect(told(planRollback(graph, stateOf({ ...rows, t: "rolled_back" }, [], "s")))).toEqual(["done"]);
  });
});

describe("the plan of a rollback through a condition", () => {
  const graph = graphOf(undoable("pay"), condition("c", "true", [undoable("yes")], [undoable("no")]));

  it.each(["then", "else"] as const)("goes back on the side that was taken: %s (A22, A23)", (side) => {
    const step = side === "then" ? "yes" : "no";
    const rows: Rows = { pay: "completed", c: ["completed", { side }], [step]: "failed" };
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", `undo ${step}`]);
    expect(told(planRollback(graph, stateOf({ ...rows, [step]: "rolled_back" })))).toEqual([
      "underway",
      "undo pay",
      "c rolled_back",
    ]);
  });

  it("passes over one that was never reached, and one that failed itself", () => {
    expect(told(planRollback(graph, stateOf({ pay: "failed" })))).toEqual(["underway", "undo pay"]);
    expect(told(planRollback(graph, stateOf({ pay: "completed", c: ["failed", { outcome: "absent" }] })))).toEqual([
      "underway",
      "undo pay",
    ]);
  });
});

describe("the plan of a rollback through a fork", () => {
  const graph = graphOf(
    undoable("pay"),
    fork("f", { left: [undoable("l1"), undoable("l2")], right: [undoable("r1"), undoable("r2")] }),
    undoable("end"),
  );

  it("undoes branches beside each other, each in its own order (S32)", () => {
    const rows: Rows = {
      pay: "completed",
      f: "completed",
      l1: "completed",
      l2: "completed",
      r1: "completed",
      r2: "completed",
      end: "rolled_back",
    };
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo l2", "undo r2"]);
    expect(
      told(planRollback(graph, stateOf({ ...rows, l2: "rolled_back", r2: "rolled_back", r1: "rolled_back" }))),
    ).toEqual(["underway", "undo l1"]);
  });

  it("undoes what was before the fork when every branch is undone, and not before", () => {
    const rows: Rows = { pay: "completed", f: "waiting", l1: "rolled_back", r1: "rolled_back" };
    expect(told(planRollback(graph, stateOf(rows, [running("l2")])))).toEqual(["underway"]);
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo pay", "f skipped"]);
    const fired: Rows = { ...rows, f: "completed", l2: "rolled_back", r2: "rolled_back" };
    expect(told(planRollback(graph, stateOf(fired)))).toEqual(["underway", "undo pay", "f rolled_back"]);
  });

  it("goes on in one branch beside a dead letter in the other, and is stuck when only that is left (A12)", () => {
    const rows: Rows = { pay: "completed", f: "waiting", l1: "paused", r1: "completed" };
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo r1"]);
    expect(told(planRollback(graph, stateOf({ ...rows, r1: "rolled_back" })))).toEqual(["stuck"]);
  });

  it("passes over one that was never reached", () => {
    expect(told(planRollback(graph, stateOf({ pay: "completed" })))).toEqual(["underway", "undo pay"]);
  });

  it("asks for nothing that it has asked for: planning again changes nothing", () => {
    const rows: Rows = { pay: "completed", f: "waiting", l1: "compensating", r1: "compensating" };
    const queue = ["l1", "r1"].map((node) => running(node, "compensation"));
    expect(planRollback(graph, stateOf(rows, queue))).toEqual({ progress: "underway", enqueue: [], steps: [] });
  });
});
