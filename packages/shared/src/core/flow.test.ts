import { describe, expect, it } from "vitest";
import type { EndNode, ForkNode, Sequence } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { end, fork } from "../definition/testing/nodes.ts";
import type { Stop } from "./flow.ts";
import { around, earlyEnds, isContained, nodesAfter, stopAfter, stopAfterEnd, stopAtStart } from "./flow.ts";
import { condition, graphOf, task } from "./testing/definitions.ts";

const graph = graphOf(
  task("first"),
  fork("both", {
    left: [condition("outer", "true", [condition("inner", "true", [task("deep")], [end("enough")])])],
    right: [task("r")],
  }),
  condition("choice", "true", [task("chosen"), end("done")], []),
);

const nameOf = (stop: Stop) => (stop.kind === "over" ? `the end of the ${stop.of.kind}` : stop.name);
const after = (name: string) => nameOf(stopAfter(nodeOf(graph, name)));
const names = (nodes: readonly { readonly name: string }[]) => nodes.map(({ name }) => name);

describe("the flow", () => {
  it("goes from a node to the next", () => {
    expect(nameOf(stopAtStart(graph.root))).toBe("first");
    expect([after("first"), after("both")]).toEqual(["both", "choice"]);
  });

  it("goes out of the sides of conditions, as far as the end of the branch or of all", () => {
    expect([after("deep"), after("inner"), after("r")]).toEqual(Array(3).fill("the end of the branch"));
    expect([after("done"), after("choice")]).toEqual(Array(2).fill("the end of the root"));
  });

  it("goes around an empty side", () => {
    const choice = nodeOf(graph, "choice");
    expect(choice.kind === "condition" && nameOf(stopAtStart(choice.else))).toBe("the end of the root");
  });

  it("goes from an early end to the end of the branch that it stands in, or of all", () => {
    const ends = ["enough", "done"].map((name) => nodeOf(graph, name) as EndNode);
    expect(ends.map((node) => nameOf(stopAfterEnd(node)))).toEqual(["the end of the branch", "the end of the root"]);
  });
});

describe("the early ends of a sequence", () => {
  it("are those in its conditions, at any depth, and not those in its forks", () => {
    const both = nodeOf(graph, "both") as ForkNode;
    expect(names(earlyEnds(graph.root))).toEqual(["done"]);
    expect(names(earlyEnds(both.branches.get("left") as Sequence))).toEqual(["enough"]);
  });
});

describe("what comes after a node", () => {
  it("is what follows it, with all that stands in that, and what follows the conditions around it", () => {
    const all = ["both", "outer", "inner", "deep", "enough", "r", "choice", "chosen", "done"];
    expect(names(nodesAfter(nodeOf(graph, "first")))).toEqual(all);
    expect(names(nodesAfter(nodeOf(graph, "chosen")))).toEqual(["done"]);
    const nested = graphOf(condition("c", "true", [task("a"), task("b")], [task("not")]), task("z"));
    expect(names(nodesAfter(nodeOf(nested, "a")))).toEqual(["b", "z"]);
  });
});

describe("the sequences around a sequence", () => {
  it("go from the innermost to the outermost", () => {
    const deep = nodeOf(graph, "deep").sequence;
    const owners = around(deep).map(({ owner }) => owner.kind);
    expect(owners).toEqual(["side", "branch", "root"]);
    expect(around(graph.root)).toEqual([]);
  });
});

describe("a node is one that a join can do without", () => {
  const some = graphOf(
    task("before"),
    fork(
      "any",
      { a: [condition("c", "true", [task("x")])], b: [fork("all", { l: [task("l")], r: [task("r")] })] },
      { join: "any" },
    ),
    fork("each", { a: [task("p")], b: [fork("one", { l: [task("q")], r: [task("s")] }, { join: "any" })] }),
    fork("most", { a: [task("u")], b: [task("v")] }, { join: { atLeast: 2 } }),
  );

  it.each(["x", "l", "all", "q"])(
    "when it stands in a branch of which not all must arrive, at any depth: %s",
    (name) => {
      expect(isContained(nodeOf(some, name))).toBe(true);
    },
  );

  it.each(["before", "any", "p", "one", "u"])("and is none where all that is around it must arrive: %s", (name) => {
    expect(isContained(nodeOf(some, name))).toBe(false);
  });
});
