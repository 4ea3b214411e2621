import { describe, expect, it } from "vitest";
import type { ForkNode } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { end, fork, human } from "../definition/testing/nodes.ts";
import { hasEnded, joinValue, losersToUndo, readyJoins } from "./join.ts";
import type { StepState } from "./model.ts";
import { condition, graphOf, task } from "./testing/definitions.ts";
import { payloadsOf, queued, stateOf as runningWith, step } from "./testing/states.ts";

const graph = graphOf(
  task("before"),
  fork("outer", {
    left: [task("l1"), task("l2")],
    middle: [condition("choice", "value.deep", [fork("inner", { a: [task("a")], b: [task("b")] })], [])],
    right: [task("r"), condition("last", "value.ok", [task("then")])],
  }),
);

const row = (node: string, status: StepState["status"], side: StepState["side"] = null) => step(node, { status, side });

const stateOf = (...rows: readonly StepState[]) => runningWith(rows);

const done = (...nodes: readonly string[]) => nodes.map((node) => row(node, "completed"));
const ready = (...rows: readonly StepState[]) => readyJoins(graph, stateOf(...rows)).map(({ fork: { name } }) => name);

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
    const join = { fork: nodeOf(graph, "outer") as ForkNode, winners: ["left", "middle", "right"] };
    const state = stateOf(outer, ...done("before", "l1", "l2", "r"), noDepth, row("last", "completed", "then"));
    const rows = new Map(["before", "l1", "l2"].map((name) => [name, { output: `of ${name}`, side: null }]));
    // The middle branch passed on what the fork got.
    const value = { left: "of l2", middle: "of before", right: null };
    expect(joinValue(join, state, { input: null, rows })).toEqual(value);
  });

  it("of a branch without nodes has that branch in from the start, with what the fork got", () => {
    const bare = graphOf(fork("f", { nothing: [], something: [task("t")] }));
    const state = stateOf(row("f", "waiting"), ...done("t"));
    const [join] = readyJoins(bare, state);
    expect(join?.winners).toEqual(["nothing", "something"]);
    expect(join && joinValue(join, state, payloadsOf("given", { t: 1 }))).toEqual({ nothing: "given", something: 1 });
  });

  it("fires for a branch that an early end has completed, with what that end got", () => {
    const early = graphOf(
      fork("f", { left: [task("l"), condition("c", "true", [end("enough")]), task("never")], right: [task("r")] }),
    );
    const ended = step("enough", { inputFrom: "l" });
    const state = stateOf(row("f", "waiting"), ...done("l", "r"), row("c", "completed", "then"), ended);
    const [join] = readyJoins(early, state);
    expect(join && joinValue(join, state, payloadsOf(null, { l: 1, r: 2 }))).toEqual({ left: 1, right: 2 });
  });
});

describe("a join that does not need all branches", () => {
  const three = (more: object) =>
    graphOf(fork("f", { a: [task("a1"), task("a2")], b: [task("b")], c: [human("c")] }, more));
  const winners = (more: object, rows: readonly StepState[], ...queue: readonly string[]) =>
    readyJoins(
      three(more),
      runningWith(
        [row("f", "waiting"), ...rows],
        queue.map((node) => queued(node)),
      ),
    ).map((join) => join.winners);

  it("fires when enough of them have arrived, and not before", () => {
    expect(winners({ join: { atLeast: 2 } }, done("a1", "b"))).toEqual([]);
    expect(winners({ join: { atLeast: 2 } }, done("a1", "a2", "b"))).toEqual([["a", "b"]]);
    expect(winners({ join: "any" }, done("b"))).toEqual([["b"]]);
  });

  it("yields the values of those that have arrived, and nothing of the others", () => {
    const join = { fork: nodeOf(three({ join: "any" }), "f") as ForkNode, winners: ["b"] };
    expect(joinValue(join, stateOf(...done("a1", "b")), payloadsOf(null, { a1: 1, b: 2 }))).toEqual({ b: 2 });
  });

  it("counts no branch that ends with a rejection, unless the flow goes on behind it", () => {
    expect(winners({ join: "any" }, [row("c", "rejected")])).toEqual([]);
    const going = graphOf(fork("f", { a: [task("a")], c: [human("c", { onReject: "continue" })] }, { join: "any" }));
    const state = stateOf(row("f", "waiting"), row("c", "rejected"));
    expect(readyJoins(going, state).map((join) => join.winners)).toEqual([["c"]]);
    expect(winners({ join: "any" }, [row("c", "confirmed")])).toEqual([["c"]]);
    expect(winners({ join: "any" }, [row("c", "waiting_decision")])).toEqual([]);
  });

  it("with losers: wait fires only when every other branch has failed and nothing of it is on its way", () => {
    const wait = { join: "any", losers: "wait" };
    expect(winners(wait, done("b"), "a1")).toEqual([]);
    expect(winners(wait, [...done("b"), row("a1", "failed")])).toEqual([]);
    expect(winners(wait, [...done("b"), row("a1", "failed"), row("c", "rejected")])).toEqual([["b"]]);
    expect(winners(wait, [...done("b"), row("a1", "failed"), row("c", "rejected")], "a1")).toEqual([]);
    expect(winners(wait, done("a1", "a2", "b"))).toEqual([]);
  });

  it("does not fire beside the join of the branch that it stands in, which makes it needless", () => {
    const inner = fork("inner", { x: [task("x")], y: [task("y")] }, { join: "any" });
    const nested = graphOf(fork("outer", { a: [condition("c", "true", [inner])], b: [task("b")] }, { join: "any" }));
    const rows = [row("outer", "waiting"), row("c", "completed", "then"), row("inner", "waiting"), ...done("x", "b")];
    expect(readyJoins(nested, stateOf(...rows)).map(({ fork: { name } }) => name)).toEqual(["outer"]);
  });
});

describe("the losers to undo at once", () => {
  const inner = fork("inner", { x: [task("x")], y: [task("y")] }, { join: "any", losers: "compensate" });
  const graph = graphOf(
    fork("outer", { a: [inner, task("a")], b: [task("b")] }, { join: "any", losers: "compensate" }),
  );
  const names = (...rows: readonly StepState[]) =>
    losersToUndo(graph, stateOf(...rows)).map(({ owner }) => owner.kind === "branch" && owner.branch);

  it("are the branches that a join has fired without", () => {
    expect(names(step("outer", { status: "waiting" }), step("inner", { winners: ["x"] }))).toEqual(["y"]);
    expect(names(step("outer", { winners: ["a"] }), step("inner", { winners: ["y"] }))).toEqual(["b", "x"]);
  });

  it("are told once when one is inside another", () => {
    expect(names(step("outer", { winners: ["b"] }), step("inner", { winners: ["x"] }))).toEqual(["a"]);
  });

  it("are none of a join that only cancels them", () => {
    const cancels = graphOf(fork("f", { a: [task("a")], b: [task("b")] }, { join: "any" }));
    expect(losersToUndo(cancels, stateOf(step("f", { winners: ["a"] }), step("a")))).toEqual([]);
  });
});

describe("a sequence has ended", () => {
  it("when its last node is done, a dead-lettered decision also by the output that a person gave it", () => {
    const asked = graphOf(task("a"), human("ask"));
    expect(hasEnded(asked.root, stateOf(step("a")))).toBe(false);
    expect(hasEnded(asked.root, stateOf(step("a"), step("ask")))).toBe(true);
  });
});
