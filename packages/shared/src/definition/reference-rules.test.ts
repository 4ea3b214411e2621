import { describe, expect, it } from "vitest";
import type { NodeJson } from "./model.ts";
import { condition, definitionOf, end, fork, human, savepoint, sees, signal, sleep, task } from "./testing/nodes.ts";
import { problemsOf } from "./testing/problems.ts";
import { validateDefinition } from "./validate.ts";

describe("expressions", () => {
  it("are checked in conditions, sleeps, mappings and compensations", () => {
    const nodes = [
      condition("c", [], [], "value.x +"),
      sleep("s", { until: "now" }),
      human("h", { input: { x: { $: "y" } } }),
      task("a", { input: [{ $: "foo" }], compensation: { handler: "h", input: { x: { "$?": "bar()" } } } }),
    ];
    expect(problemsOf(nodes)).toEqual([
      "expression_syntax nodes[0].when",
      "unknown_variable nodes[1].until",
      "unknown_variable nodes[2].input.x.$",
      "unknown_variable nodes[3].input[0].$",
      "unknown_function nodes[3].compensation.input.x['$?']",
    ]);
  });

  it("may refer to what certainly ran before", () => {
    const nodes = [
      task("a"),
      fork("f", {
        x: [task("b"), fork("g", { p: [task("c")], q: [sees("d", "a", "b")] }), sees("e", "a", "b", "c", "d", "g")],
        y: [condition("h", [task("i"), sees("j", "a", "i")]), sees("k", "a", "h")],
      }),
      savepoint("s"),
      condition("l", [sees("m", "a", "b", "c", "d", "e", "f", "g", "h", "k", "s")], [], "steps.b == steps.k"),
      sees("n", "f", "l", "c", "s"),
    ];
    expect(problemsOf(nodes)).toEqual([]);
  });

  it.each<[string, NodeJson[], string, string]>([
    ["a name that does not exist", [sees("a", "zz")], "unknown_step", "there is no node of this name"],
    ["the node itself", [sees("a", "a")], "later_step", "which is this node itself"],
    ["a later node", [sees("a", "b"), task("b")], "later_step", "which does not come before it"],
    ["the fork around it", [fork("f", { x: [sees("a", "f")], y: [task("b")] })], "later_step", "does not come before"],
    [
      "a later node within a fork",
      [sees("a", "b"), fork("f", { x: [task("b")], y: [task("c")] })],
      "later_step",
      "before",
    ],
    [
      "another branch",
      [fork("f", { x: [task("a")], y: [sees("b", "a")] })],
      "parallel_step",
      "another branch of the fork 'f'",
    ],
    [
      "a deeper place in another branch",
      [fork("f", { x: [condition("c", [task("a")])], y: [condition("d", [sees("b", "a")])] })],
      "parallel_step",
      "another branch of the fork 'f'",
    ],
    [
      "a side of a condition",
      [condition("c", [task("a")]), sees("b", "a")],
      "uncertain_step",
      "may not have run: it is on the side 'then' of the condition 'c'",
    ],
    [
      "a side within a fork",
      [fork("f", { x: [condition("c", [], [task("a")])], y: [task("d")] }), sees("b", "a")],
      "uncertain_step",
      "may not have run: it is on the side 'else' of the condition 'c'",
    ],
    [
      "the other side",
      [condition("c", [task("a")], [sees("b", "a")])],
      "uncertain_step",
      "on the other side of the condition 'c'",
    ],
    [
      "a branch of a join that does not wait for all",
      [
        fork("f", { x: [fork("g", { p: [task("a")], q: [task("b")] })], y: [task("c")] }, { join: "any" }),
        sees("d", "a"),
      ],
      "uncertain_step",
      "may not have run: the fork 'f' goes on before all its branches have arrived; refer to the fork instead",
    ],
    [
      "a branch of a join that waits for some",
      [
        fork("f", { x: [task("a")], y: [task("b")], z: [task("c")] }, { join: { atLeast: 2 } }),
        condition("d", [], [], "steps.a"),
      ],
      "uncertain_step",
      "the fork 'f' goes on before all its branches have arrived",
    ],
    [
      "what stands behind an early end of its branch",
      [
        fork("f", {
          x: [condition("c", [], [end("e")]), fork("g", { p: [task("a")], q: [task("b")] })],
          y: [task("d")],
        }),
        sees("h", "a"),
      ],
      "uncertain_step",
      "may not have run: the branch 'x' of the fork 'f' can end early, at 'c'; refer to the fork instead",
    ],
    [
      "the condition in which its branch may end",
      [fork("f", { x: [condition("c", [], [end("e")])], y: [task("a")] }), sleep("s", { until: "steps.c" })],
      "uncertain_step",
      "the branch 'x' of the fork 'f' can end early, at 'c'",
    ],
    [
      "an end",
      [fork("f", { x: [end("e")], y: [task("a")] }), human("h", { input: { $: "steps.e" } })],
      "uncertain_step",
      "'e', which is an end and has no value",
    ],
    ["itself as a sleep", [sleep("s", { until: "steps.s" })], "later_step", "which is this node itself"],
    ["a side of its own condition", [condition("c", [task("a")], [], "steps.a")], "later_step", "does not come before"],
  ])("may not refer to %s", (_name, nodes, code, message) => {
    const problems = validateDefinition(definitionOf(nodes));
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(problems[0]?.message).toContain(message);
  });

  it("may refer to decisions, signals and sleeps, and to forks that do not wait for all", () => {
    const nodes = [
      human("approve"),
      sleep("rest", { until: "steps.approve.until" }),
      signal("paid"),
      fork("f", { x: [task("a"), sees("b", "a")], y: [sees("c", "approve", "paid")] }, { join: "any" }),
      fork("g", { x: [human("h"), sleep("s")], y: [signal("t")] }, { join: { atLeast: 2 } }),
      sees("d", "approve", "rest", "paid", "f", "g", "h", "s", "t"),
    ];
    expect(problemsOf(nodes)).toEqual([]);
  });

  it("may refer to what stands in a branch before it can end early, and behind an end that fails", () => {
    const early = condition("c", [sees("a", "b"), end("e")]);
    const failing = condition("d", [end("g", "fail")]);
    const nodes = [
      fork("f", { x: [task("b"), early, sees("h", "c")], y: [failing, task("i")] }),
      sees("j", "b", "d", "i"),
    ];
    expect(problemsOf(nodes)).toEqual([]);
    // The end of a branch of the fork within ends nothing of the branch around.
    const within = fork("inner", { p: [end("k")], q: [task("l")] });
    expect(problemsOf([fork("f", { x: [within, task("a")], y: [task("b")] }), sees("m", "a", "l")])).toEqual([]);
  });

  it("of a compensation see what its step sees, and not the step itself", () => {
    const undo = (step: string) => ({ compensation: { handler: "h", input: { $: `steps.${step}` } } });
    expect(problemsOf([task("a"), task("b", undo("a"))])).toEqual([]);
    expect(problemsOf([task("a", undo("a"))])).toEqual(["later_step nodes[0].compensation.input.$"]);
  });
});
