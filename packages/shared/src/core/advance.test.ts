import { describe, expect, it } from "vitest";
import type { ConditionNode, Graph } from "../definition/graph.ts";
import { nodeOf, taskOf } from "../definition/graph.ts";
import type { NodeJson } from "../definition/model.ts";
import { fork as anyFork, end, human, signal, sleep } from "../definition/testing/nodes.ts";
import type { Json } from "../vocabulary/json.ts";
import { advance, advanceBy, advanceStart, arriveAgain, enqueueCompensation, isDlqMode } from "./advance.ts";
import type { Advance, PayloadRow } from "./model.ts";
import { condition, fork, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";
import { graphWith } from "./testing/states.ts";

const leave = (graph: Graph, name: string, output: Json, input: Json = null) =>
  advance(graph, nodeOf(graph, name), name, { input, rows: new Map([[name, { output, side: null }]]) });

const start = (graph: Graph, input: Json = null) => advanceStart(graph, { input, rows: new Map() });

const queued = ({ enqueue }: Advance) => enqueue.map(({ node, inputFrom }) => `${node} <- ${inputFrom ?? "input"}`);
const passed = ({ records }: Advance) =>
  records.map(({ node, status, side }) => [node, status, ...(side ? [side] : [])].join(" "));

describe("leaving a task", () => {
  it("queues the next task, which gets the task's value by reference", () => {
    const next = leave(graphOf(task("pay"), task("ship")), "pay", { id: 1 });
    expect(next).toEqual({
      records: [],
      enqueue: [
        {
          node: "ship",
          lane: "forward",
          handler: "ship",
          priority: null,
          delayMs: 0,
          timeoutMs: 300_000,
          inputFrom: "pay",
          fork: null,
        },
      ],
      review: false,
      joins: null,
      finished: null,
    });
  });

  it("queues a task as its definition says", () => {
    const json = task("ship", { handler: "post", priority: 90, delayMs: 50, timeoutMs: 7_000 });
    const [row] = leave(graphOf(task("pay"), json), "pay", null).enqueue;
    expect(row).toMatchObject({ handler: "post", priority: 90, delayMs: 50, timeoutMs: 7_000 });
  });

  it("passes savepoints, which pass on what they got", () => {
    const next = leave(graphOf(task("pay"), savepoint("paid"), task("ship")), "pay", null);
    expect(passed(next)).toEqual(["paid completed"]);
    expect(queued(next)).toEqual(["ship <- pay"]);
  });

  it("starts every branch of a fork with the value that the fork got, whatever stands before the first task", () => {
    const branches = { left: [condition("c", "value.big", [task("l")])], right: [task("r")] };
    const next = leave(graphOf(task("pay"), fork("both", branches)), "pay", { big: true });
    expect(passed(next)).toEqual(["both waiting", "c completed then"]);
    expect(queued(next)).toEqual(["l <- pay", "r <- pay"]);
  });

  it("says at which join a branch has arrived, since a join is not for one step to fire (A1)", () => {
    const graph = graphOf(
      fork("both", { left: [condition("c", "true", [task("l")])], right: [task("r")] }),
      task("next"),
    );
    expect(leave(graph, "l", null)).toEqual({ records: [], enqueue: [], review: false, joins: "both", finished: null });
  });

  it.each([
    ["the join can do without the branch", anyFork("f", { a: [task("x")], b: [task("y")] }, { join: "any" })],
    [
      "a join around it can",
      anyFork("any", { a: [fork("f", { a: [task("x")], b: [task("y")] })], b: [task("z")] }, { join: "any" }),
    ],
  ])("asks for a review at the end of a branch where %s", (_what, node) => {
    expect(leave(graphOf(node), "x", null)).toMatchObject({ review: true, joins: null });
  });

  it("asks for a review where it arrives at several joins, and names one that it arrives at twice", () => {
    const empty = (name: string) =>
      fork(name, { a: [savepoint(`${name}-a`)], b: [savepoint(`${name}-b`)], c: [task(name + name)] });
    expect(start(graphOf(empty("f")))).toMatchObject({ review: false, joins: "f" });
    const nested = fork("f", { a: [empty("g")], b: [savepoint("s")], c: [task("t")] });
    expect(start(graphOf(nested))).toMatchObject({ review: true, joins: null });
  });

  it("names only what has to be looked at in any case when there is such a thing", () => {
    const graph = graphOf(task("pay"), fork("f", { a: [signal("call")], b: [savepoint("s")], c: [task("t")] }));
    expect(leave(graph, "pay", null)).toMatchObject({ review: true, joins: null });
  });

  it("gives a step the innermost fork in whose branch it stands, however deep in conditions", () => {
    const inner = fork("inner", {
      a: [task("deep")],
      b: [condition("c", "true", [condition("d", "true", [task("deeper")])])],
    });
    const graph = graphOf(fork("outer", { a: [inner], b: [task("b")] }));
    const forks = start(graph).enqueue.map((row) => [row.node, row.fork]);
    expect(forks).toEqual([
      ["deep", "inner"],
      ["deeper", "inner"],
      ["b", "outer"],
    ]);
  });

  it("finishes the instance at the end of the outermost sequence, with the last value that was passed on", () => {
    const graph = graphOf(task("pay"), condition("c", "value.big", [task("big")], [savepoint("small")]));
    expect(leave(graph, "pay", { big: false }).finished).toEqual({ outputFrom: "pay" });
    expect(leave(graph, "big", null).finished).toEqual({ outputFrom: "big" });
  });
});

describe("a condition", () => {
  const nodes = [task("pay"), condition("big", "value.amount > 100.0", [task("approve")], [task("log")]), task("ship")];

  it.each([
    [500, "approve", "big completed then"],
    [50, "log", "big completed else"],
  ])("decides on the value before it: with %d, %s runs and the other side does not (A6)", (amount, next, record) => {
    const following = leave(graphOf(...nodes), "pay", { amount });
    expect(queued(following)).toEqual([`${next} <- pay`]);
    expect(passed(following)).toEqual([record]);
  });

  it("is followed by what comes after it, whichever side was taken", () => {
    expect(queued(leave(graphOf(...nodes), "approve", null))).toEqual(["ship <- approve"]);
    expect(queued(leave(graphOf(...nodes), "log", null))).toEqual(["ship <- log"]);
  });

  it("whose side is empty passes through (A7)", () => {
    const graph = graphOf(task("pay"), condition("big", "value.amount > 100.0", [task("approve")]), task("ship"));
    expect(queued(leave(graph, "pay", { amount: 1 }))).toEqual(["ship <- pay"]);
  });

  it("sees the instance's input, and the values of nodes by name, of conditions decided just before too", () => {
    const sees = (when: string) => {
      const before = [task("pay"), condition("first", "false", [task("never")]), savepoint("mark")];
      const following = leave(graphOf(...before, condition("second", when, [])), "pay", { ok: 1 }, { vip: true });
      return passed(following).at(-1);
    };
    expect(sees("input.vip && steps.pay.ok == 1 && steps.first.ok == 1 && steps.mark.ok == 1")).toBe(
      "second completed then",
    );
    expect(sees("steps.first.ok == 2")).toBe("second completed else");
  });

  it("is seen as it was decided on this way, not as a row of an earlier way through tells", () => {
    const graph = graphOf(task("a"), condition("c", "false", [task("t")]), condition("d", "steps.c.now", []));
    const rows = new Map<string, PayloadRow>([
      ["c", { side: "then" }],
      ["t", { side: null, output: { now: false } }],
      ["a", { side: null, output: { now: true } }],
    ]);
    const following = advance(graph, nodeOf(graph, "a"), "a", { input: null, rows });
    expect(passed(following)).toEqual(["c completed else", "d completed then"]);
  });

  it.each([
    ["names a path that does not exist", "steps.pay.missing > 1.0", "missing"],
    ["gives neither true nor false", "value.text", "true or false"],
  ])("that %s fails as a step does, and the flow ends there", (_what, when, part) => {
    const following = leave(graphOf(task("pay"), condition("big", when, []), task("ship")), "pay", { text: "yes" });
    expect(following).toMatchObject({ enqueue: [], review: true, finished: null });
    expect(following.records).toMatchObject([{ node: "big", status: "failed", side: null, inputFrom: "pay" }]);
    const error = following.records[0]?.error;
    expect(error).toMatchObject({ code: "EXPRESSION_FAILED", message: expect.stringContaining("condition 'big': ") });
    expect(error?.message).toContain(part);
  });

  it("that names a node without a value fails and does not take a side", () => {
    const graph = graphOf(task("pay"), condition("big", "steps.pay.ok == 1", []));
    const following = advance(graph, nodeOf(graph, "pay"), "pay", { input: null, rows: new Map() });
    expect(passed(following)).toEqual(["big failed"]);
  });

  it("fails one branch and lets the others start; the review that it asks for freezes them", () => {
    const graph = graphOf(fork("both", { left: [condition("c", "input.no.such", [])], right: [task("r")] }));
    const following = start(graph);
    expect(passed(following)).toEqual(["both waiting", "c failed"]);
    expect([queued(following), following.review]).toEqual([["r <- input"], true]);
  });
});

describe("the start of an instance", () => {
  it("queues the first task with the instance's input", () => {
    expect(queued(start(graphOf(task("pay"), task("ship"))))).toEqual(["pay <- input"]);
  });

  it("decides conditions on the instance's input", () => {
    const graph = graphOf(condition("big", "value.big && input.big", [task("approve")]), task("ship"));
    expect(queued(start(graph, { big: true }))).toEqual(["approve <- input"]);
    expect(queued(start(graph, { big: false }))).toEqual(["ship <- input"]);
  });

  it("finishes an instance in which there is nothing to do, with its input", () => {
    expect(start(graphOf(savepoint("s"), condition("c", "false", [task("t")]))).finished).toEqual({ outputFrom: null });
  });

  it("is not out of breath after ten thousand nodes without a task", () => {
    const names = Array.from({ length: 9_999 }, (_, index) => `n${index}`);
    const chain = names.map((name, i): NodeJson => (i % 2 ? savepoint(name) : condition(name, "input.ok", [], [])));
    const following = start(graphOf(...chain, task("end")), { ok: true });
    expect([following.records.length, queued(following)]).toEqual([9_999, ["end <- input"]]);
  });

  it("reaches a task fifty levels down, and the branches of a fork of a thousand in order", () => {
    const nest = (level: number): NodeJson =>
      level === 0 ? task("deep") : fork(`f${level}`, { a: [nest(level - 1)], b: [task(`t${level}`)] });
    expect(
      start(graphOf(nest(50)))
        .enqueue.map(({ node }) => node)
        .slice(0, 3),
    ).toEqual(["deep", "t1", "t2"]);
    const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    const fan = start(graphOf(fork("fan", Object.fromEntries(names.map((name) => [name, [task(name)]])))));
    expect(fan.enqueue.map(({ node }) => node)).toEqual(names);
  });
});

describe("the compensation of a task", () => {
  it("is queued in its own lane, with its own timeout, the task's priority and what the task got", () => {
    const compensation = { handler: "refund", timeoutMs: 9_000 };
    const graph = graphOf(task("pay", { priority: 10, delayMs: 500, timeoutMs: 1, compensation }), undoable("ship"));
    expect(enqueueCompensation(taskOf(graph, "pay"), "before")).toEqual({
      node: "pay",
      lane: "compensation",
      handler: "refund",
      priority: 10,
      delayMs: 0,
      timeoutMs: 9_000,
      inputFrom: "before",
      fork: null,
    });
    expect(enqueueCompensation(taskOf(graph, "ship"), null)).toMatchObject({ priority: null, timeoutMs: 300_000 });
  });

  it("does not exist where the task has none", () => {
    expect(enqueueCompensation(taskOf(graphOf(task("log")), "log"), null)).toBeUndefined();
  });
});

const recorded = ({ records }: Advance) => records.map(({ node, status, due }) => ({ node, status, due }));

describe("a node that waits", () => {
  it.each([
    ["a decision without a deadline", human("n"), "waiting_decision", null],
    ["a decision with a deadline", human("n", { timeoutMs: 9 }), "waiting_decision", { inMs: 9 }],
    ["a sleep for a while", sleep("n", { durationMs: 5 }), "waiting", { inMs: 5 }],
    ["a sleep until a text", sleep("n", { until: "value.at" }), "waiting", { at: "2030-01-31T06:00:00.000Z" }],
    ["a sleep until a number", sleep("n", { until: "value.ms" }), "waiting", { at: "1970-01-01T00:00:01.000Z" }],
    ["a signal without a deadline", signal("n"), "waiting", null],
    ["a signal with a deadline", signal("n", { timeoutMs: 7 }), "waiting", { inMs: 7 }],
  ] as const)("halts the flow, and knows until when: %s", (_what, node, status, due) => {
    const next = leave(graphOf(task("pay"), node, task("ship")), "pay", { at: "2030-01-31T08:00:00+02:00", ms: 1000 });
    expect(recorded(next)).toEqual([{ node: "n", status, due }]);
    expect([next.enqueue, next.finished]).toEqual([[], null]);
    expect(next.records[0]).toMatchObject({ inputFrom: "pay", contained: false });
  });

  it("asks for a look when it waits for a signal, which may have arrived before", () => {
    expect(leave(graphOf(task("pay"), signal("call")), "pay", null).review).toBe(true);
    expect(leave(graphOf(task("pay"), human("ask"), sleep("rest")), "pay", null).review).toBe(false);
  });

  it.each([
    ["a text without a zone", "'2030-01-31T08:00:00'"],
    ["a text that is no time", "'2030-13-45T08:00:00Z'"],
    ["a year that cannot be stored", "1e15"],
    ["no time at all", "true"],
    ["a path that does not exist", "value.no.such"],
  ])("fails when its time is %s", (_what, until) => {
    const next = leave(graphOf(task("pay"), sleep("rest", { until })), "pay", {});
    expect(next.records).toMatchObject([{ node: "rest", status: "failed", error: { code: "EXPRESSION_FAILED" } }]);
    expect(next.records[0]?.error?.message).toContain("sleep 'rest': ");
    expect(next.review).toBe(true);
  });

  it("fails before anyone is asked when what is to be decided on does not exist", () => {
    const asked = human("ask", { input: { id: { $: "value.no.such" } } });
    const next = leave(graphOf(task("pay"), asked), "pay", {});
    expect(next.records).toMatchObject([{ node: "ask", status: "failed", error: { code: "EXPRESSION_FAILED" } }]);
  });

  it("sees the sides that were taken on this way", () => {
    const asked = human("ask", { input: { $: "steps.c.ok" } });
    const next = leave(graphOf(task("pay"), condition("c", "true", []), asked), "pay", { ok: 1 });
    expect(passed(next)).toEqual(["c completed then", "ask waiting_decision"]);
  });
});

describe("an early end", () => {
  const ending = (how: "complete" | "fail" | "rollbackTo", more: object = {}) =>
    condition("c", "value.enough", [end("stop", how, more)]);

  it("completes the instance from the outermost sequence, with the value that came in", () => {
    const next = leave(graphOf(task("pay"), ending("complete"), task("ship")), "pay", { enough: true });
    expect(passed(next)).toEqual(["c completed then", "stop completed"]);
    expect(next).toMatchObject({ enqueue: [], finished: { outputFrom: "pay" } });
  });

  it("completes only its branch in a fork", () => {
    const graph = graphOf(fork("f", { left: [task("pay"), ending("complete"), task("l")], right: [task("r")] }));
    expect(leave(graph, "pay", { enough: true })).toMatchObject({ enqueue: [], finished: null, joins: "f" });
  });

  it("fails as a step does, and says why", () => {
    const next = leave(graphOf(task("pay"), ending("fail", { message: "sold out" })), "pay", { enough: true });
    const error = { code: "FAILED_BY_DEFINITION", message: "'stop': sold out" };
    expect(next.records.at(-1)).toMatchObject({ node: "stop", status: "failed", error });
    expect(next.review).toBe(true);
    const plain = leave(graphOf(task("pay"), ending("fail")), "pay", { enough: true });
    expect(plain.records.at(-1)?.error?.message).toBe("'stop': the definition ends here");
  });

  it("names the savepoint that it goes back to", () => {
    const graph = graphOf(savepoint("paid"), task("pay"), ending("rollbackTo", { savepoint: "paid" }));
    const error = { code: "ROLLED_BACK_BY_DEFINITION", message: expect.stringContaining("back to 'paid'") };
    expect(leave(graph, "pay", { enough: true }).records.at(-1)).toMatchObject({ status: "failed", error });
  });

  it("concerns the whole instance when it goes back to a savepoint, also in a branch that its join could do without", () => {
    const inBranch = (how: "fail" | "rollbackTo", more: object = {}) =>
      graphOf(
        savepoint("s"),
        anyFork("f", { left: [task("pay"), ending(how, more)], right: [task("r")] }, { join: "any" }),
      );
    const contained = (graph: Graph) => leave(graph, "pay", { enough: true }).records.at(-1)?.contained;
    expect(contained(inBranch("fail"))).toBe(true);
    expect(contained(inBranch("rollbackTo", { savepoint: "s" }))).toBe(false);
  });
});

describe("what cannot be decided", () => {
  it("concerns only its branch where the join can do without it", () => {
    const branches = { left: [task("pay"), condition("c", "input.no", [])], right: [task("r")] };
    const contained = (join: string) =>
      leave(graphOf(anyFork("f", branches, { join })), "pay", null).records.map((record) => record.contained);
    expect([contained("any"), contained("all")]).toEqual([[true], [false]]);
  });

  it("waits for a person in DLQ mode, where only an end still fails", () => {
    const graph = graphWith({ onFailure: "dlq" }, task("pay"), condition("c", "input.no", []));
    expect([isDlqMode(graph), isDlqMode(graphOf(task("pay")))]).toEqual([true, false]);
    expect(leave(graph, "pay", null).records).toMatchObject([{ node: "c", status: "paused", contained: true }]);
    const ending = graphWith({ onFailure: "dlq" }, task("pay"), condition("c", "true", [end("stop", "fail")]));
    expect(leave(ending, "pay", null).records.at(-1)).toMatchObject({ status: "failed", contained: false });
  });
});

describe("the flow that goes on where a person says", () => {
  const graph = graphOf(task("pay"), condition("c", "value.ok", [task("yes")], [task("no")]), task("ship"));
  const payloads = { input: null, rows: new Map([["pay", { output: { ok: false }, side: null }]]) };

  it("arrives at a node again with the value that it got", () => {
    expect(queued(arriveAgain(graph, nodeOf(graph, "pay"), null, payloads))).toEqual(["pay <- input"]);
    expect(passed(arriveAgain(graph, nodeOf(graph, "c"), "pay", payloads))).toEqual(["c completed else"]);
  });

  it("goes by the side of a condition that was chosen, which what follows sees", () => {
    const follows = advanceBy(graph, nodeOf(graph, "c") as ConditionNode, "then", "pay", payloads);
    expect([passed(follows), queued(follows)]).toEqual([[], ["yes <- pay"]]);
  });
});
