import { describe, expect, it } from "vitest";
import { joinValue, readyJoins } from "./join.ts";
import type { InstanceState, StepState } from "./model.ts";
import { condition, fork, graphOf, task } from "./testing/definitions.ts";

const graph = graphOf(
  task("before"),
  fork("outer", {
    left: [task("l1"), task("l2")],
    middle: [condition("choice", "value.deep", [fork("inner", { a: [task("a")], b: [task("b")] })], [])],
    right: [task("r"), condition("last", "value.ok", [task("then")])],
  }),
);

const row = (node: string, status: StepState["status"], side: StepState["side"] = null): StepState => ({
  node,
  status,
  side,
  outcome: "happened",
  error: null,
  inputFrom: null,
});

const stateOf = (...rows: readonly StepState[]): InstanceState => ({
  status: "running",
  cause: null,
  boundary: null,
  steps: new Map(rows.map((step) => [step.node, step])),
  queue: new Map(),
});

const done = (...nodes: readonly string[]) => nodes.map((node) => row(node, "completed"));
const ready = (...rows: readonly StepState[]) => readyJoins(graph, stateOf(...rows)).map(({ name }) => name);

const outer = row("outer", "waiting");
const noDepth = row("choice", "completed", "else");
const rightSide = row("last", "completed", "else");

describe("a join", () => {
  it("fires when every branch has come to its last step (A1)", () => {
    expect(ready(outer, ...done("l1", "r"), noDepth, rightSide)).toEqual([]);
    expect(ready(outer, ...done("l1", "l2", "r"), noDepth)).toEqual([]);
    expect(ready(outer, ...done("l1", "l2", "r"), noDepth, rightSide)).toEqual(["outer"]);
  });

  it("waits for the steps on the side that the last condition of a branch took (A8)", () => {
    const sideTaken = row("last", "completed", "then");
    expect(ready(outer, ...done("l1", "l2", "r"), noDepth, sideTaken)).toEqual([]);
    expect(ready(outer, ...done("l1", "l2", "r", "then"), noDepth, sideTaken)).toEqual(["outer"]);
  });

  it("waits for the join inside a branch", () => {
    const rest = [outer, ...done("l1", "l2", "r"), rightSide, row("choice", "completed", "then")];
    expect(ready(...rest, row("inner", "waiting"), ...done("a"))).toEqual([]);
    expect(ready(...rest, row("inner", "waiting"), ...done("a", "b"))).toEqual(["inner"]);
    expect(ready(...rest, row("inner", "completed"), ...done("a", "b"))).toEqual(["outer"]);
  });

  it("does not fire around a condition that failed, or a second time", () => {
    expect(ready(outer, ...done("l1", "l2", "r"), row("choice", "failed"), rightSide)).toEqual([]);
    expect(ready(row("outer", "completed"), ...done("l1", "l2", "r"), noDepth, rightSide)).toEqual([]);
  });

  it("yields the value of each branch by its name, and null where there is none", () => {
    const node = graph.nodes.get("outer");
    const state = stateOf(outer, ...done("before", "l1", "l2", "r"), noDepth, row("last", "completed", "then"));
    const rows = new Map(["before", "l1", "l2"].map((name) => [name, { output: `of ${name}`, side: null }]));
    // The middle branch passed on what the fork got.
    const value = { left: "of l2", middle: "of before", right: null };
    expect(node?.kind === "fork" && joinValue(node, state, { input: null, rows })).toEqual(value);
  });

  it("of a branch without nodes has that branch in from the start, with what the fork got", () => {
    const bare = graphOf(fork("f", { nothing: [], something: [task("t")] }));
    const node = bare.nodes.get("f");
    const state = stateOf(row("f", "waiting"), ...done("t"));
    expect(readyJoins(bare, state).map(({ name }) => name)).toEqual(["f"]);
    const rows = new Map([["t", { output: 1, side: null }]]);
    expect(node?.kind === "fork" && joinValue(node, state, { input: "given", rows })).toEqual({
      nothing: "given",
      something: 1,
    });
  });
});
