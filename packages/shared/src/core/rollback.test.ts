import { describe, expect, it } from "vitest";
import type { Sequence } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { end, human, signal, sleep } from "../definition/testing/nodes.ts";
import type { Lane, Outcome, StepStatus } from "../vocabulary/status.ts";
import type { QueuedState, StepState } from "./model.ts";
import { planRollback, planUndo } from "./rollback.ts";
import { condition, fork, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";
import { graphWith, queued, stateOf as runningWith, step } from "./testing/states.ts";

type Rows = Readonly<Record<string, StepStatus | readonly [StepStatus, Partial<StepState>]>>;

const stateOf = (rows: Rows, queue: readonly QueuedState[] = [], boundary: string | null = null) => {
  const steps = Object.entries(rows).map(([node, given]) => {
    const [status, more] = typeof given === "string" ? [given, {}] : given;
    const outcome: Outcome = status === "failed" ? "unknown" : "happened";
    return step(node, { status, outcome, ...more });
  });
  return runningWith(steps, queue, { status: "rolling_back", boundary });
};

const running = (node: string, lane: Lane = "forward") => queued(node, { lane, state: "leased", attempt: 1 });

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
    const rows: Rows = { pay: "completed", f: "skipped", l1: "rolled_back", r1: "rolled_back" };
    expect(told(planRollback(graph, stateOf(rows, [running("l2")])))).toEqual(["underway"]);
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo pay"]);
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

describe("the plan of a rollback over nodes that call nothing", () => {
  it("takes back decisions, sleeps, signals and ends, and leaves what failed without an effect as it is", () => {
    const nodes = [human("ask"), sleep("rest"), signal("call"), condition("c", "true", [end("enough", "fail")])];
    const graph = graphOf(undoable("pay"), ...nodes);
    const rows: Rows = {
      pay: "completed",
      ask: "confirmed",
      rest: "completed",
      call: "completed",
      c: ["completed", { side: "then" }],
      enough: ["failed", { outcome: "absent" }],
    };
    const undone = ["c", "call", "rest", "ask"].map((node) => `${node} rolled_back`);
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo pay", ...undone]);
  });
});

describe("the plan of a rollback of a step that is compensated only if it completed", () => {
  const graph = graphOf(undoable("pay"), undoable("ship", { compensateOn: "completed" }));

  it("leaves it failed when its effects are unknown", () => {
    expect(told(planRollback(graph, stateOf({ pay: "completed", ship: "failed" })))).toEqual(["underway", "undo pay"]);
  });

  it("compensates it when it completed", () => {
    expect(told(planRollback(graph, stateOf({ pay: "completed", ship: "completed" })))).toEqual([
      "underway",
      "undo ship",
    ]);
  });
});

describe("the plan of a sequential rollback", () => {
  const branches = { left: [undoable("l1"), undoable("l2")], right: [undoable("r1"), task("r2")] };
  const graph = graphWith({ compensate: "sequential" }, undoable("pay"), fork("f", branches));
  const rows: Rows = {
    pay: "completed",
    f: "skipped",
    r1: "completed",
    l1: "completed",
    r2: "completed",
    l2: "failed",
  };

  it("undoes one step after another, the last to complete first, whichever branch it is in", () => {
    expect(told(planRollback(graph, stateOf(rows)))).toEqual(["underway", "undo l2", "r2 rolled_back"]);
    const next: Rows = { ...rows, l2: "rolled_back", r2: "rolled_back" };
    expect(told(planRollback(graph, stateOf(next)))).toEqual(["underway", "undo l1"]);
    expect(told(planRollback(graph, stateOf({ ...next, l1: "rolled_back" })))).toEqual(["underway", "undo r1"]);
  });

  it("starts none while another runs", () => {
    const compensating = stateOf({ ...rows, l2: "compensating" }, [running("l2", "compensation")]);
    expect(told(planRollback(graph, compensating))).toEqual(["underway", "r2 rolled_back"]);
    expect(told(planRollback(graph, stateOf(rows, [running("r2")])))).toEqual(["underway"]);
  });

  it("starts none while a branch that had lost before is undone, although the way back has not come to it", () => {
    const fork2 = fork("f", { left: [undoable("l")], right: [undoable("r")] });
    const losing = graphWith({ compensate: "sequential" }, fork2, undoable("end"));
    const state = stateOf({ f: "completed", r: "completed", l: "compensating", end: "failed" }, [
      queued("l", { lane: "compensation" }),
    ]);
    expect(told(planRollback(losing, state))).toEqual(["underway"]);
  });

  it("is stuck behind a dead letter, since all that is left would come after it", () => {
    const dead = { ...stateOf({ ...rows, l2: "paused" }), deadLetters: new Map([["l2", "compensation"] as const]) };
    expect(told(planRollback(graph, dead))).toEqual(["stuck", "r2 rolled_back"]);
  });
});

describe("the plan for parts of an instance", () => {
  it("undoes these beside each other and nothing else", () => {
    const graph = graphOf(fork("f", { a: [undoable("a1"), undoable("a2")], b: [undoable("b")], c: [undoable("c")] }));
    const f = nodeOf(graph, "f");
    const parts = f.kind === "fork" ? ["a", "b"].map((name) => f.branches.get(name) as Sequence) : [];
    const state = stateOf({ f: "completed", a1: "completed", a2: "completed", b: "completed", c: "completed" });
    expect(told(planUndo(graph, parts, state))).toEqual(["underway", "undo a2", "undo b"]);
    expect(told(planUndo(graph, [], state))).toEqual(["done"]);
  });
});
