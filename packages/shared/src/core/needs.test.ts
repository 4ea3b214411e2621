import { describe, expect, it } from "vitest";
import type { Graph } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import type { NodeJson } from "../definition/model.ts";
import { end, human, signal, sleep } from "../definition/testing/nodes.ts";
import type { InstanceState } from "./model.ts";
import type { Needs } from "./needs.ts";
import {
  mergeNeeds,
  needsAfter,
  needsAround,
  needsOfBranch,
  needsOfMapping,
  needsOfRestart,
  needsOfReview,
} from "./needs.ts";
import { condition, fork, graphOf, savepoint, task } from "./testing/definitions.ts";
import { stateOf, step } from "./testing/states.ts";

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
    expect(after(graph, "b")).toEqual(["a", "c", "s", "t"]);
    // A savepoint may hold another value, which a person has put in place of what it got.
    expect(after(graphOf(savepoint("s"), task("b"), condition("d", "steps.s.x", [])), "b")).toEqual(["input", "s"]);
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

describe("what is needed when the flow comes to nodes that wait", () => {
  it("is what a decision is about, and what tells the end of a sleep; behind them nothing yet", () => {
    const asked = human("ask", { input: { id: { $: "steps.a.id" } } });
    expect(after(graphOf(task("a"), task("b"), asked, condition("c", "input.x", [])), "b")).toEqual(["a"]);
    expect(after(graphOf(task("a"), task("b"), human("ask"), condition("c", "input.x", [])), "b")).toEqual([]);
    const until = sleep("rest", { until: "steps.a.at" });
    expect(after(graphOf(task("a"), task("b"), until, condition("c", "input.x", [])), "b")).toEqual(["a"]);
    expect(after(graphOf(task("a"), task("b"), sleep("rest"), condition("c", "input.x", [])), "b")).toEqual([]);
    expect(after(graphOf(task("a"), signal("call"), condition("c", "input.x", [])), "a")).toEqual([]);
  });

  it("for the value of a branch is also what its early ends may have got", () => {
    const left = [task("x"), condition("c", "true", [task("t"), end("enough")]), task("y")];
    const graph = graphOf(fork("f", { left, right: [task("r")] }));
    const node = nodeOf(graph, "f");
    const [branch] = node.kind === "fork" ? [...node.branches.values()] : [];
    expect(branch && told(needsOfBranch(graph, branch))).toEqual(["t", "y"]);
  });
});

describe("what is needed to try a dead letter again or to resolve it", () => {
  const graph = graphOf(
    task("a"),
    task("b"),
    condition("c", "steps.a.x", [condition("d", "input.x", [])]),
    human("ask", { input: { id: { $: "steps.c.id" } } }),
  );

  it("is the value it got, what it may look at, and what the flow may look at behind it", () => {
    expect(told(needsAround(graph, nodeOf(graph, "c"), "b"))).toEqual(["input", "a", "b", "c", "d"]);
    expect(told(needsAround(graph, nodeOf(graph, "ask"), "b"))).toEqual(["b", "c", "d"]);
    expect(told(needsAround(graph, nodeOf(graph, "a"), null))).toEqual(["input"]);
  });
});

describe("what is needed for the flow to go on from a boundary", () => {
  const graph = graphOf(condition("c", "input.x", []), task("a"), savepoint("s"), condition("d", "steps.a.x", []));
  const at = (boundary: string | null, more = {}) =>
    stateOf([step("a"), step("s", { inputFrom: "a", ...more })], [], { status: "rolling_back", boundary });

  it("is what the savepoint passes on, and what the conditions behind it may look at", () => {
    expect(told(needsOfRestart(graph, at("s")))).toEqual(["a"]);
    expect(told(needsOfRestart(graph, at("s", { replaced: true })))).toEqual(["a", "s"]);
    expect(told(needsOfRestart(graph, at("s", { inputFrom: null })))).toEqual(["input", "a"]);
  });

  it("is the instance's input at the beginning, and what the conditions there may look at", () => {
    expect(told(needsOfRestart(graph, at(null)))).toEqual(["input"]);
  });

  it("is needed by the review of a rollback only when there is a savepoint to go on from", () => {
    expect(told(needsOfReview(graph, at("s")))).toEqual(["a"]);
    expect(told(needsOfReview(graph, at(null)))).toEqual([]);
    expect(told(needsOfReview(graph, { ...at("s"), status: "cancelling" }))).toEqual([]);
  });
});

describe("what the review of a running instance needs", () => {
  const asked = human("ask", { input: { id: { $: "steps.a.id" } } });
  const graph = graphOf(
    task("a"),
    fork("f", { left: [asked, condition("c", "input.x", [])], right: [signal("call"), task("r")] }),
    condition("last", "steps.f.left", []),
  );
  const rows = [step("a"), step("f", { status: "waiting", inputFrom: "a" })];
  const needs = (steps: InstanceState["steps"]) => told(needsOfReview(graph, { ...stateOf([]), steps }));
  const withRows = (...more: ReturnType<typeof step>[]) => new Map([...rows, ...more].map((row) => [row.node, row]));

  it("is nothing while all that waits still waits", () => {
    expect(needs(withRows(step("ask", { status: "waiting_decision", inputFrom: "a" })))).toEqual([]);
  });

  it("is what a wait that is over was about, and what comes behind it", () => {
    expect(needs(withRows(step("ask", { status: "waiting_decision", inputFrom: "a", due: true })))).toEqual([
      "input",
      "a",
    ]);
    const replaced = step("call", { status: "waiting", inputFrom: "a", due: true, replaced: true });
    expect(needs(withRows(replaced))).toEqual(["call"]);
  });

  it("is what a join that fires yields, and what comes behind it", () => {
    const done = [step("ask", { status: "confirmed" }), step("c", { side: "else" }), step("call"), step("r")];
    expect(needs(withRows(...done))).toEqual(["ask", "c", "f", "r"]);
  });
});
