import { describe, expect, it } from "vitest";
import type { Graph } from "../definition/graph.ts";
import type { Json } from "../vocabulary/json.ts";
import { instanceStatuses } from "../vocabulary/status.ts";
import type { InstanceState, PayloadRow, Payloads, QueuedState, StepState } from "./model.ts";
import { needsOfReview, review } from "./review.ts";
import { condition, fork, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";

const step = (node: string, more: Partial<StepState> = {}): StepState => ({
  node,
  status: "completed",
  outcome: "happened",
  side: null,
  error: null,
  inputFrom: null,
  ...more,
});

const queued = (node: string, more: Partial<QueuedState> = {}): QueuedState => ({
  node,
  lane: "forward",
  state: "ready",
  attempt: 0,
  inputFrom: null,
  ...more,
});

const stateOf = (
  steps: readonly StepState[],
  queue: readonly QueuedState[] = [],
  more: Partial<InstanceState> = {},
): InstanceState => ({
  status: "running",
  cause: null,
  boundary: null,
  steps: new Map(steps.map((row) => [row.node, row])),
  queue: new Map(queue.map((row) => [row.node, row])),
  ...more,
});

// As the engine's: the input is a getter of the class, and no property of the object.
class Loaded implements Payloads {
  readonly rows: ReadonlyMap<string, PayloadRow>;
  readonly #input: Json;

  constructor(input: Json, outputs: Readonly<Record<string, Json>> = {}) {
    this.#input = input;
    this.rows = new Map(Object.entries(outputs).map(([node, output]) => [node, { output, side: null }]));
  }

  get input(): Json {
    return this.#input;
  }
}

const none = new Loaded(null);
const nothing = { instance: null, steps: [], records: [], unqueue: [], enqueue: [], review: false };
const failure = step("ship", {
  status: "failed",
  outcome: "unknown",
  error: { code: "HANDLER_FAILED", message: "no" },
});
const waiting = (node: string) => step(node, { status: "waiting" });

describe("a review of an instance in which nothing is to be decided", () => {
  it("says nothing, whatever its status", () => {
    const graph = graphOf(task("pay"), task("ship"));
    for (const status of instanceStatuses) {
      const state = stateOf([step("pay")], [queued("ship", { state: "leased", attempt: 1 })], { status });
      expect([status, review(graph, state, none)]).toEqual([status, nothing]);
      expect(needsOfReview(graph, state)).toEqual({ input: false, nodes: new Set() });
    }
  });
});

describe("a review that finds all branches of a fork in", () => {
  const both = fork("both", { left: [task("l")], right: [task("r")] });
  const rows = [step("pay"), waiting("both"), step("l"), step("r")];

  it("fires the join with the value of each branch, and goes on (A1)", () => {
    const graph = graphOf(task("pay"), both, task("ship"));
    expect(review(graph, stateOf(rows), new Loaded(null, { l: 1, r: 2 }))).toMatchObject({
      instance: null,
      steps: [{ node: "both", status: "completed", outcome: "happened", output: { left: 1, right: 2 } }],
      enqueue: [{ node: "ship", inputFrom: "both" }],
      review: false,
    });
    expect(needsOfReview(graph, stateOf(rows)).nodes).toEqual(new Set(["l", "r"]));
  });

  it("completes the instance when the fork was its last node, with the join's value", () => {
    const decision = review(graphOf(task("pay"), both), stateOf(rows), none);
    expect(decision.instance).toEqual({ status: "completed", outputFrom: "both" });
  });

  it("decides a condition after the join by its value, the instance's input and values by name", () => {
    const when = "value.left == 1 && input.vip && steps.both.right == 2 && steps.pay.ok";
    const graph = graphOf(task("pay"), both, condition("c", when, [task("then")], [task("else")]));
    const decision = review(graph, stateOf(rows), new Loaded({ vip: true }, { l: 1, r: 2, pay: { ok: true } }));
    expect(decision.records).toMatchObject([{ node: "c", side: "then" }]);
    expect(needsOfReview(graph, stateOf(rows))).toEqual({ input: true, nodes: new Set(["l", "r", "pay", "both"]) });
  });

  it("asks for another review when the join was the end of a branch, or a condition after it failed", () => {
    const inner = fork("inner", { a: [task("a")], b: [task("b")] });
    const outer = graphOf(fork("outer", { left: [inner], right: [task("r")] }));
    const state = stateOf([waiting("outer"), waiting("inner"), step("a"), step("b"), step("r")]);
    expect(review(outer, state, none)).toMatchObject({ steps: [{ node: "inner" }], review: true });
    const failing = graphOf(task("pay"), both, condition("c", "input.no.such", []));
    expect(review(failing, stateOf(rows), none)).toMatchObject({ records: [{ status: "failed" }], review: true });
  });

  it("fires all joins that are ready, beside each other", () => {
    const pair = (name: string) => fork(name, { a: [task(`${name}a`)], b: [task(`${name}b`)] });
    const graph = graphOf(fork("outer", { left: [pair("x"), task("xx")], right: [pair("y"), task("yy")] }));
    const arrived = ["xa", "xb", "ya", "yb"].map((name) => step(name));
    const decision = review(graph, stateOf([waiting("outer"), waiting("x"), waiting("y"), ...arrived]), none);
    expect(decision.steps.map(({ node }) => node)).toEqual(["x", "y"]);
    expect(decision.enqueue.map(({ node }) => node)).toEqual(["xx", "yy"]);
  });
});

describe("a review that finds a step failed for good", () => {
  const line: Graph = graphOf(undoable("pay"), savepoint("paid"), undoable("reserve"), undoable("ship"));
  const rows = [step("pay"), step("paid"), step("reserve"), failure];

  it("freezes the instance with the first cause, back to the savepoint passed last (A4, S27)", () => {
    const later = step("late", { status: "failed", error: { code: "INTERNAL", message: "later" } });
    const { instance } = review(line, stateOf([...rows, later]), none);
    expect(instance).toEqual({ status: "rolling_back", freeze: true, cause: failure.error, boundary: "paid" });
    const early = stateOf([step("pay", { status: "failed" })]);
    expect(review(line, early, none).instance).toMatchObject({ boundary: null });
  });

  it("says so when the step has kept no error", () => {
    const state = stateOf([step("pay", { status: "failed" })]);
    expect(review(line, state, none).instance?.cause).toMatchObject({ code: "INTERNAL" });
  });

  it("starts the rollback in the same decision", () => {
    const decision = review(line, stateOf(rows), none);
    expect(decision.enqueue).toMatchObject([{ node: "ship", lane: "compensation" }]);
    expect(decision.steps).toEqual([{ node: "ship", status: "compensating" }]);
    expect(decision.review).toBe(false);
  });

  it("ends the instance in the same decision when there is nothing to undo", () => {
    const alone = stateOf([step("c", { status: "failed", outcome: "absent", error: failure.error })]);
    const decision = review(graphOf(condition("c", "input.no", [])), alone, none);
    expect(decision).toEqual({
      ...nothing,
      instance: { status: "failed", freeze: true, cause: failure.error, boundary: null },
    });
  });

  it("takes back what waits, undoes what waited for a retry, and leaves what runs to be adopted (S29)", () => {
    const names = ["ship", "fresh", "again", "plain", "runs"];
    const graph = graphOf(
      fork("f", Object.fromEntries(names.map((n) => [n, [n === "plain" ? task(n) : undoable(n)]]))),
    );
    const retry = { state: "delayed", attempt: 2, inputFrom: "x" } as const;
    const queue = [
      queued("fresh"),
      queued("again", retry),
      queued("plain", retry),
      queued("runs", { state: "leased", attempt: 1 }),
    ];
    const decision = review(graph, stateOf([waiting("f"), failure], queue), none);
    expect(decision.unqueue).toEqual(["fresh", "again", "plain"]);
    expect(decision.enqueue.map(({ node }) => node)).toEqual(["ship", "again"]);
    expect(decision.steps).toEqual([
      { node: "fresh", status: "skipped", outcome: "absent", attempt: 0, inputFrom: null },
      { node: "again", status: "compensating", outcome: "unknown", attempt: 2, inputFrom: "x" },
      { node: "plain", status: "rolled_back", outcome: "unknown", attempt: 2, inputFrom: "x" },
      { node: "ship", status: "compensating" },
    ]);
  });

  it("fires no join beside the failure (S27)", () => {
    const inner = fork("inner", { a: [task("a")], b: [task("b")] });
    const graph = graphOf(fork("f", { left: [inner], right: [task("ship")] }));
    const state = stateOf([waiting("f"), waiting("inner"), step("a"), step("b"), failure]);
    expect(review(graph, state, none).instance?.freeze).toBe(true);
    expect(needsOfReview(graph, state).nodes).toEqual(new Set());
  });
});

describe("a review of a rollback", () => {
  const graph = graphOf(undoable("pay"), savepoint("paid"), undoable("ship"));
  const rolling = (rows: readonly StepState[], more: Partial<InstanceState> = {}) =>
    review(graph, stateOf(rows, [], { status: "rolling_back", ...more }), none);

  it("ends as failed when all is undone, and as cancelled when it was cancelled (S08)", () => {
    const undone = [step("pay", { status: "rolled_back" })];
    expect(rolling(undone).instance).toEqual({ status: "failed", boundary: null });
    expect(rolling(undone, { status: "cancelling" }).instance).toEqual({ status: "cancelled", boundary: null });
  });

  it("waits for a person when only dead letters are left (A12)", () => {
    const decision = rolling([step("pay", { status: "paused" })]);
    expect(decision).toEqual({ ...nothing, instance: { status: "dlq", boundary: null } });
  });

  it("goes on to the next compensation without a change of the instance", () => {
    const decision = rolling([step("pay"), step("ship", { status: "rolled_back" })]);
    expect(decision).toMatchObject({ instance: null, enqueue: [{ node: "pay" }], unqueue: [], records: [] });
  });

  it("stops at the savepoint that was passed last, though the freeze has not named it (A4)", () => {
    const decision = rolling([step("pay"), step("paid"), step("ship", { status: "rolled_back" })]);
    expect(decision).toEqual({ ...nothing, instance: { status: "failed", boundary: "paid" } });
  });

  it("that was cancelled goes past the savepoint, on to the root", () => {
    const rows = [step("pay"), step("paid"), step("ship", { status: "rolled_back" })];
    expect(rolling(rows, { status: "cancelling" }).enqueue).toMatchObject([{ node: "pay" }]);
  });
});
