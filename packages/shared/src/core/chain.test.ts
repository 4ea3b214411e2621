import { describe, expect, it } from "vitest";
import type { Graph } from "../definition/graph.ts";
import { fork as anyFork, human } from "../definition/testing/nodes.ts";
import { withChain } from "./chain.ts";
import type { InstanceState, StepState } from "./model.ts";
import { planRollback } from "./rollback.ts";
import { play } from "./testing/by-hand.ts";
import { condition, fork, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";
import { graphWith, queued, stateOf, step } from "./testing/states.ts";

const rolling = (steps: readonly StepState[], more: Partial<InstanceState> = {}): InstanceState =>
  stateOf(steps, [], { status: "rolling_back", ...more });

const planOf = (graph: Graph, state: InstanceState) =>
  withChain(graph, [graph.root], state, planRollback(graph, state)).map(({ node, chain }) => [
    node,
    ...(chain ?? []).map((link) => [link.node, ...link.rolledBack].join(" with ")),
  ]);

const line = graphOf(undoable("a", { priority: 7 }), undoable("b"), savepoint("s"), task("log"), undoable("c"));
const ran = ["a", "b", "s", "log", "c"].map((node) => step(node, { inputFrom: node === "a" ? null : "a" }));

describe("a chain", () => {
  it("is all that follows a compensation, with what is rolled back without a call on the way", () => {
    expect(planOf(line, rolling(ran))).toEqual([["c", "b with log with s", "a"]]);
  });

  it("has all that the rows of the queue need", () => {
    const [first] = withChain(line, [line.root], rolling(ran), planRollback(line, rolling(ran)));
    expect(first?.chain?.at(-1)).toEqual({
      node: "a",
      handler: "undo-a",
      priority: 7,
      timeoutMs: 300_000,
      inputFrom: null,
      rolledBack: [],
    });
  });

  it("is not where the compensation is the last", () => {
    expect(planOf(line, rolling(ran.slice(0, 1)))).toEqual([["a"]]);
    expect(planOf(line, rolling([]))).toEqual([]);
  });

  it("ends at the savepoint at which the rollback does", () => {
    expect(planOf(line, rolling(ran, { boundary: "s" }))).toEqual([["c"]]);
  });

  it("is not while anything of the instance is in the queue, or waits for a person", () => {
    const running = stateOf(ran, [queued("late", { state: "leased" })], { status: "rolling_back" });
    expect(planOf(line, running)).toEqual([["c"]]);
    expect(planOf(line, rolling(ran, { deadLetters: new Map([["x", "compensation"]]) }))).toEqual([["c"]]);
  });

  it("ends before a fork whose branches are undone beside each other, and is in neither of them", () => {
    const graph = graphOf(
      undoable("a"),
      fork("f", { l: [undoable("l")], r: [undoable("r")] }),
      undoable("z"),
      undoable("end"),
    );
    const rows = ["a", "f", "l", "r", "z", "end"].map((node) => step(node));
    expect(planOf(graph, rolling(rows))).toEqual([["end", "z"]]);
    const back = rows.map((row) =>
      ["z", "end"].includes(row.node) ? { ...row, status: "rolled_back" as const } : row,
    );
    expect(planOf(graph, rolling(back))).toEqual([["l"], ["r"]]);
  });

  it("goes through a fork of which one branch is left, with the fork and the condition in it", () => {
    const left = [undoable("l"), condition("c", "true", [undoable("m")]), human("ask")];
    const graph = graphOf(undoable("a"), fork("f", { l: left, r: [undoable("r")] }));
    const rows = [step("a"), step("f"), step("l"), step("c", { side: "then" }), step("m"), step("ask")];
    expect(planOf(graph, rolling([...rows, step("r", { status: "rolled_back" })]))).toEqual([
      ["m", "l with c", "a with f"],
    ]);
  });

  it("goes one after another through a fork that is undone in strict order, the last to complete first", () => {
    const branches = { l: [undoable("l")], r: [undoable("r")] };
    const graph = graphWith({ compensate: "sequential" }, fork("f", branches), undoable("z"));
    const rows = ["f", "r", "l", "z"].map((node) => step(node));
    expect(planOf(graph, rolling(rows))).toEqual([["z", "l", "r"]]);
  });

  it("passes over what was never done or may stay, as the plan does", () => {
    const graph = graphOf(undoable("a"), undoable("b"), undoable("c", { compensateOn: "completed" }), undoable("d"));
    const rows = [step("a"), step("b", { status: "failed", outcome: "absent" }), step("c", { outcome: "unknown" })];
    expect(planOf(graph, rolling([...rows, step("d")]))).toEqual([["d", "a"]]);
  });

  it("has at most twenty-four links", () => {
    const names = Array.from({ length: 40 }, (_, index) => `t${index}`);
    const [plan] = planOf(graphOf(...names.map((name) => undoable(name))), rolling(names.map((name) => step(name))));
    expect([plan?.length, plan?.at(-1)]).toEqual([25, "t15"]);
  });
});

describe("the way back by a chain", () => {
  const choice = condition("choice", "true", [undoable("x"), savepoint("deep")], []);
  const some = anyFork("some", { l: [undoable("l")], r: [undoable("r")] }, { join: "any", losers: "compensate" });

  it.each([
    ["a line", line, ["a", "b", "log", "c"]],
    ["conditions", graphOf(undoable("a"), choice, task("y"), undoable("z")), ["a", "x", "y", "z"]],
    [
      "a fork",
      graphOf(fork("f", { l: [undoable("l"), undoable("m")], r: [task("r")] }), undoable("z")),
      ["l", "m", "r", "z"],
    ],
    ["losers", graphOf(undoable("a"), some, undoable("b"), undoable("z")), ["a", "l", "b", "z"]],
  ] as const)("foresees what looks after each compensation would say: %s", (_what, graph, names) => {
    const run = play(graph);
    for (const name of names.slice(0, -1)) run.lease(name).complete(name);
    run.lease(names.at(-1) ?? "").fail(names.at(-1) ?? "");
    let foreseen: (readonly [string, readonly string[]])[] = [];
    const undone: string[] = [];
    for (let [next] = run.state.queue.keys(); next !== undefined; [next] = run.state.queue.keys()) {
      const [link, ...links] = foreseen;
      const chain = run.chains.get(next);
      if (link !== undefined)
        expect([next, link[1].map((node) => run.statusOf(node))]).toEqual([link[0], link[1].map(() => "rolled_back")]);
      foreseen = links.length > 0 || chain === undefined ? links : chain.map((one) => [one.node, one.rolledBack]);
      undone.push(next);
      run.lease(next).complete(next);
    }
    expect([run.status, foreseen]).toEqual(["failed", []]);
    expect(new Set(undone).size).toBe(undone.length);
  });
});
