import { describe, expect, it } from "vitest";
import type { Graph } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import type { NodeJson } from "../definition/model.ts";
import type { Needs } from "./needs.ts";
import { mergeNeeds, needsAfter, needsOfBranch, needsOfMapping } from "./needs.ts";
import { condition, fork, graphOf, savepoint, task } from "./testing/definitions.ts";

const told = ({ input, nodes }: Needs) => [...(input ? ["input"] : []), ...[...nodes].sort()];
const after = (graph: Graph, name: string) => told(needsAfter(graph, nodeOf(graph, name)));

describe("what is needed when the flow leaves a node", () => {
  it("is nothing where a task follows, or where a condition looks only at the value in hand", () => {
    expect(after(graphOf(task("a"), task("b"), condition("c", "input.x", [])), "a")).toEqual([]);
    expect(after(graphOf(task("a"), condition("c", "value.x", [])), "a")).toEqual([]);
  });

  it("is what the conditions on the way may look at, on both sides and in every branch", () => {
    const graph = graphOf(
      ...["a", "b", "c", "d"].map((name) => task(name)),
      condition("first", "steps.a.x", [condition("inner", "steps.b.x", [task("t")])], [savepoint("s")]),
      fork("both", { left: [condition("l", "steps.c.x", [])], right: [task("r")] }),
      condition("behind", "input.never", []),
    );
    expect(after(graph, "d")).toEqual(["a", "b", "c"]);
  });

  it("is every row in which a value may stand, whichever sides were taken", () => {
    const graph = graphOf(
      task("a"),
      condition("c", "true", [task("t"), savepoint("s")], []),
      task("b"),
      condition("d", "steps.c.x", []),
    );
    expect(after(graph, "b")).toEqual(["a", "c", "t"]);
    expect(after(graphOf(savepoint("s"), task("b"), condition("d", "steps.s.x", [])), "b")).toEqual(["input"]);
  });

  it("goes out of a branch for a value that was passed into it", () => {
    const inside = [condition("c", "true", []), task("t"), condition("d", "steps.c.x", [])];
    const graph = graphOf(task("a"), fork("f", { left: inside, right: [task("r")] }));
    expect(after(graph, "t")).toEqual(["a", "c"]);
  });

  it("is the instance's input where an expression names it", () => {
    expect(after(graphOf(task("a"), condition("c", "input.x", [])), "a")).toEqual(["input"]);
  });

  it("is nothing for an expression that is not valid: evaluating it will say what is wrong", () => {
    const graph = graphOf(task("a"), condition("c", "steps.a.x ==", [condition("d", "steps.a.x", [])]));
    expect(after(graph, "a")).toEqual(["a"]);
  });

  it("is found at once where sides meet again and again", () => {
    const names = Array.from({ length: 4_000 }, (_, index) => `c${index}`);
    const nested = names.map((name): NodeJson => condition(name, "steps.a.x", [condition(`${name}x`, "true", [])], []));
    expect(after(graphOf(task("a"), task("b"), ...nested), "b")).toEqual(["a"]);
    const graph = graphOf(task("a"), ...nested, task("b"), condition("last", "steps.c3999.x", []));
    expect(after(graph, "b")).toHaveLength(8_001);
  });
});

describe("what is needed", () => {
  it("for a mapping is what it refers to besides the value passed", () => {
    const graph = graphOf(task("a"), task("b"));
    expect(told(needsOfMapping(graph, { id: { $: "steps.a.id" }, whole: { $: "value" } }))).toEqual(["a"]);
    expect(told(needsOfMapping(graph, { vip: { $: "input.vip" }, fixed: 1 }))).toEqual(["input"]);
    expect(told(needsOfMapping(graph, { broken: { $: "input." } }))).toEqual([]);
  });

  it("for the value of a branch is where its last value may stand", () => {
    const graph = graphOf(
      task("a"),
      fork("f", { left: [task("x"), task("y")], right: [condition("c", "true", [task("t")])] }),
    );
    const node = graph.nodes.get("f");
    const branches = node?.kind === "fork" ? [...node.branches.values()] : [];
    expect(branches.map((branch) => told(needsOfBranch(graph, branch)))).toEqual([["y"], ["a", "c", "t"]]);
  });

  it("for several together is what any of them needs", () => {
    const [one, other] = [
      { input: true, nodes: new Set(["a", "b"]) },
      { input: false, nodes: new Set(["b", "c"]) },
    ];
    expect(told(mergeNeeds([one, other]))).toEqual(["input", "a", "b", "c"]);
    expect(told(mergeNeeds([]))).toEqual([]);
  });
});
