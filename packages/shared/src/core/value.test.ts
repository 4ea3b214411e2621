import { describe, expect, it } from "vitest";
import type { Graph, Side } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { end, fork, human, signal, sleep } from "../definition/testing/nodes.ts";
import type { Payloads } from "./model.ts";
import { condition, graphOf, savepoint, task } from "./testing/definitions.ts";
import { payloadsOf, step } from "./testing/states.ts";
import { passedIn, scopeOf, sourceOf, sourceOfCourse, withOutputs } from "./value.ts";

const graph = graphOf(
  savepoint("start"),
  condition("first", "input.a", [], []),
  task("pay"),
  condition("outer", "value.a", [condition("inner", "value.b", [task("deep")], [])], [savepoint("mark")]),
  fork("both", { left: [condition("side", "value.c", [])], right: [task("r")] }),
  savepoint("end"),
  human("ask"),
  sleep("rest"),
  signal("call"),
  sleep("more"),
);

const sourceWith = (name: string, sides: Readonly<Record<string, Side>>, replaced: readonly string[] = []) =>
  sourceOf(nodeOf(graph, name), { side: (c) => sides[c], isReplaced: (savepoint) => replaced.includes(savepoint) });

describe("the value of a node stands", () => {
  it.each([
    ["a task's with the task", "pay", {}, "pay"],
    ["a join's with its fork", "both", {}, "both"],
    ["a savepoint's where the value before it stands", "end", {}, "both"],
    ["a decision's with the node that was decided", "ask", {}, "ask"],
    ["a sleep's where the value before it stands", "rest", {}, "ask"],
    ["a signal's with the node that took it, also behind a sleep", "more", {}, "call"],
    ["that before the first task with the instance's input", "start", {}, null],
    ["that of a condition which took an empty side where the value before it stands", "first", { first: "then" }, null],
    ["that of a condition at the end of the side taken", "outer", { outer: "then", inner: "then" }, "deep"],
    ["that of nested conditions with empty sides before both", "outer", { outer: "then", inner: "else" }, "pay"],
    ["that of a savepoint on a side before the condition", "outer", { outer: "else" }, "pay"],
    [
      "that in a branch which has passed it on before the fork",
      "side",
      { side: "then", outer: "then", inner: "then" },
      "deep",
    ],
    ["that of a condition not decided yet before it", "outer", {}, "pay"],
  ] as const)("%s", (_what, name, sides, expected) => {
    expect(sourceWith(name, sides)).toBe(expected);
  });

  it("a savepoint's with it when a person has put another in its place", () => {
    expect(sourceWith("end", {}, ["end"])).toBe("end");
  });
});

describe("the value that a sequence has come to its end with", () => {
  const ending = graphOf(task("a"), condition("c", "true", [task("t"), end("enough")]), task("z"));

  it("is that of its last node, or what an early end got", () => {
    const steps = new Map([step("a"), step("c", { side: "then" }), step("t")].map((row) => [row.node, row]));
    expect(sourceOfCourse(ending.root, new Map([...steps, ["z", step("z")]]))).toBe("z");
    expect(sourceOfCourse(ending.root, new Map([...steps, ["enough", step("enough", { inputFrom: "t" })]]))).toBe("t");
  });

  it("is found by the rows of what was passed", () => {
    const passed = passedIn(
      new Map([
        ["c", step("c", { side: "else" })],
        ["s", step("s", { replaced: true })],
      ]),
    );
    expect([passed.side("c"), passed.side("d")]).toEqual(["else", undefined]);
    expect([passed.isReplaced("s"), passed.isReplaced("t")]).toEqual([true, false]);
  });
});

const valueOfNode = (graph: Graph, payloads: Payloads, name: string, sides?: ReadonlyMap<string, Side>) =>
  scopeOf(graph, payloads, null, { input: false, value: false, steps: [name] }, sides).steps[name];

describe("the value of a node for an expression that names it", () => {
  const payloads: Payloads = {
    input: { a: 1 },
    rows: new Map([
      ["outer", { side: "else" }],
      ["pay", { side: null, output: null }],
    ]),
  };

  it("is found by the sides that the payloads tell, or those that the caller knows", () => {
    expect(valueOfNode(graph, payloads, "outer")).toBeNull();
    expect(valueOfNode(graph, payloads, "start")).toEqual({ a: 1 });
    const sides = new Map<string, Side>([
      ["outer", "then"],
      ["inner", "then"],
    ]);
    expect(valueOfNode(graph, payloads, "outer", sides)).toBeUndefined();
  });

  it("is missing when the node has none", () => {
    expect(valueOfNode(graph, payloads, "both")).toBeUndefined();
  });

  it("is found through ten thousand nodes that pass it on", () => {
    const names = Array.from({ length: 9_999 }, (_, index) => `n${index}`);
    const long = graphOf(
      task("pay"),
      ...names.map((name, i) => (i % 2 ? savepoint(name) : condition(name, "true", []))),
    );
    const sides = new Map(names.map((name) => [name, "then"] as const));
    expect(valueOfNode(long, payloads, "n9998", sides)).toBeNull();
  });

  it("of a savepoint is the one that a person has put in its place", () => {
    const graph = graphOf(task("a"), savepoint("s"), task("b"));
    expect(valueOfNode(graph, payloadsOf(null, { a: 1, s: 2 }), "s")).toBe(2);
    expect(valueOfNode(graph, payloadsOf(null, { a: 1 }), "s")).toBe(1);
  });
});

describe("payloads with more outputs", () => {
  it("hold these beside those that they had, and the same input", () => {
    const more = withOutputs(payloadsOf("given", { a: 1 }), new Map([["b", 2]]));
    expect(more.input).toBe("given");
    expect([...more.rows].map(([name, { output }]) => [name, output])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
  });
});
