import { describe, expect, it } from "vitest";
import type { Side } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import type { Payloads } from "./model.ts";
import { condition, fork, graphOf, savepoint, task } from "./testing/definitions.ts";
import { sourceOf, valueOfNode } from "./value.ts";

const graph = graphOf(
  savepoint("start"),
  condition("first", "input.a", [], []),
  task("pay"),
  condition("outer", "value.a", [condition("inner", "value.b", [task("deep")], [])], [savepoint("mark")]),
  fork("both", { left: [condition("side", "value.c", [])], right: [task("r")] }),
  savepoint("end"),
);

const sourceWith = (name: string, sides: Readonly<Record<string, Side>>) =>
  sourceOf(nodeOf(graph, name), (c) => sides[c]);

describe("the value of a node stands", () => {
  it.each([
    ["a task's with the task", "pay", {}, "pay"],
    ["a join's with its fork", "both", {}, "both"],
    ["a savepoint's where the value before it stands", "end", {}, "both"],
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
});

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
    expect(
      valueOfNode(graph, payloads, "outer", (name) => (name === "outer" || name === "inner" ? "then" : null)),
    ).toBeUndefined();
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
    expect(valueOfNode(long, payloads, "n9998", () => "then")).toBeNull();
  });
});
