import { describe, expect, it } from "vitest";
import type { ForkNode } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { end, fork, human } from "../definition/testing/nodes.ts";
import { failedBranches, failuresIn, firstFailure } from "./failure.ts";
import type { StepState } from "./model.ts";
import { condition, graphOf, savepoint, task } from "./testing/definitions.ts";
import { step } from "./testing/states.ts";

const failed = (node: string) => step(node, { status: "failed" });
const waiting = (node: string) => step(node, { status: "waiting" });
const stepsOf = (...rows: readonly StepState[]) => new Map(rows.map((row) => [row.node, row]));

describe("a failure", () => {
  it("of a step, a condition or an end fails the sequence that it stands in, on whichever side of a condition", () => {
    const graph = graphOf(task("a"), condition("c", "true", [task("t")], [end("e", "fail")]));
    const found = (...rows: readonly StepState[]) => failuresIn(graph.root, stepsOf(...rows)).map(({ node }) => node);
    expect(found(failed("a"))).toEqual(["a"]);
    expect(found(step("a"), failed("c"))).toEqual(["c"]);
    expect(found(step("a"), step("c", { side: "else" }), failed("e"))).toEqual(["e"]);
    expect(found(step("a"), step("c", { side: "then" }), step("t"))).toEqual([]);
  });

  it("is a rejection, unless the flow goes on behind it", () => {
    const found = (more: object) => {
      const graph = graphOf(human("ask", more));
      return failuresIn(graph.root, stepsOf(step("ask", { status: "rejected" }))).length;
    };
    expect([found({}), found({ onReject: "abort" }), found({ onReject: "continue" })]).toEqual([1, 1, 0]);
    expect(failuresIn(graphOf(human("ask")).root, stepsOf(step("ask", { status: "confirmed" })))).toEqual([]);
  });

  it("in a condition that failed before it took a side is that of the condition alone", () => {
    const graph = graphOf(condition("c", "true", [task("t")]));
    expect(failuresIn(graph.root, stepsOf(step("c", { status: "paused" })))).toEqual([]);
  });
});

describe("the first failure of an instance", () => {
  const pair = (join: object) => graphOf(fork("f", { a: [task("a")], b: [task("b")], c: [task("c")] }, join));
  const first = (join: object, ...rows: readonly StepState[]) => firstFailure(pair(join).root, stepsOf(...rows))?.node;

  it("is the one that was settled first", () => {
    expect(first({}, waiting("f"), failed("c"), failed("a"))).toBe("c");
    expect(first({}, waiting("f"), step("a"))).toBeUndefined();
  });

  it("is one that says why, rather than a step that was only stopped because of it", () => {
    const error = { code: "HANDLER_FAILED", message: "broken" } as const;
    expect(first({}, waiting("f"), failed("c"), step("a", { status: "failed", error }))).toBe("a");
  });

  it("is none while so many branches can arrive as the join needs (section 7)", () => {
    expect(first({ join: "any" }, waiting("f"), failed("b"), failed("a"))).toBeUndefined();
    expect(first({ join: "any" }, waiting("f"), failed("b"), failed("a"), failed("c"))).toBe("b");
    expect(first({ join: { atLeast: 2 } }, waiting("f"), failed("b"))).toBeUndefined();
    expect(first({ join: { atLeast: 2 } }, waiting("f"), failed("b"), failed("c"))).toBe("b");
  });

  it("is none of a join that has fired without the branches that failed", () => {
    expect(first({ join: "any" }, step("f"), failed("b"), failed("a"))).toBeUndefined();
  });

  it("is found in joins inside branches, also when these are stopped", () => {
    const inner = fork("inner", { x: [task("x")], y: [task("y")] });
    const graph = graphOf(fork("outer", { a: [inner], b: [task("b")] }, { join: "any" }));
    const outer = nodeOf(graph, "outer") as ForkNode;
    for (const inside of [waiting("inner"), step("inner", { status: "skipped" })]) {
      const steps = stepsOf(waiting("outer"), inside, failed("x"));
      expect(firstFailure(graph.root, steps)).toBeUndefined();
      expect(failedBranches(outer, steps).map(({ owner }) => owner.kind === "branch" && owner.branch)).toEqual(["a"]);
      expect(firstFailure(graph.root, new Map([...steps, ["b", failed("b")]]))?.node).toBe("x");
    }
  });

  it("is an end that goes back to a savepoint, though the join could do without its branch", () => {
    const back = condition("c", "true", [end("back", "rollbackTo", { savepoint: "s" })]);
    const graph = graphOf(savepoint("s"), fork("f", { a: [back], b: [task("b")] }, { join: "any" }));
    const rows = [step("s"), waiting("f"), step("c", { side: "then" }), failed("back")];
    expect(firstFailure(graph.root, stepsOf(...rows))?.node).toBe("back");
  });

  it("is a rejection that aborts, though the join could do without its branch; not one that rolls back", () => {
    const first = (onReject: string) => {
      const graph = graphOf(fork("f", { a: [human("ask", { onReject })], b: [task("b")] }, { join: "any" }));
      return firstFailure(graph.root, stepsOf(waiting("f"), step("ask", { status: "rejected" })))?.node;
    };
    expect([first("abort"), first("rollback")]).toEqual(["ask", undefined]);
  });
});
