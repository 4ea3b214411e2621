import { describe, expect, it } from "vitest";
import { fork, human, sleep } from "../definition/testing/nodes.ts";
import { instanceStatuses } from "../vocabulary/status.ts";
import { isNothing } from "./merge.ts";
import { needsOfReview } from "./needs.ts";
import { cancel } from "./operate.ts";
import { isOverdue, review } from "./review.ts";
import { play } from "./testing/by-hand.ts";
import { condition, graphOf, task, undoable } from "./testing/definitions.ts";
import { errorOf, graphWith, payloadsOf, queued, stateOf, step } from "./testing/states.ts";

const none = payloadsOf(null);
const waiting = (node: string) => step(node, { status: "waiting" });

describe("a review of an instance in which nothing is to be decided", () => {
  it("says nothing, whatever its status", () => {
    const graph = graphOf(task("pay"), task("ship"));
    for (const status of instanceStatuses) {
      const state = stateOf([step("pay")], [queued("ship", { state: "leased", attempt: 1 })], { status });
      expect([status, isNothing(review(graph, state, none))]).toEqual([status, true]);
      expect(needsOfReview(graph, state)).toEqual({ input: false, nodes: new Set() });
    }
  });
});

describe("a review that finds all branches of a fork in", () => {
  const both = fork("both", { left: [task("l")], right: [task("r")] });
  const rows = [step("pay"), waiting("both"), step("l"), step("r")];

  it("fires the join with the value of each branch, and goes on (A1)", () => {
    const decision = review(graphOf(task("pay"), both, task("ship")), stateOf(rows), payloadsOf(null, { l: 1, r: 2 }));
    const output = { left: 1, right: 2 };
    expect(decision.steps).toEqual([
      { node: "both", status: "completed", outcome: "happened", output, winners: ["left", "right"] },
    ]);
    expect(decision).toMatchObject({ enqueue: [{ node: "ship", inputFrom: "both" }], review: false });
    expect(decision.instance).toBeUndefined();
  });

  it("completes the instance when the fork was its last node, with the join's value", () => {
    const decision = review(graphOf(task("pay"), both), stateOf(rows), none);
    expect(decision.instance).toEqual({ status: "completed", outputFrom: "both" });
  });

  it("decides a condition after the join by its value, the instance's input and values by name", () => {
    const when = "value.left == 1 && input.vip && steps.both.right == 2 && steps.pay.ok";
    const graph = graphOf(task("pay"), both, condition("c", when, [task("then")], [task("else")]));
    const payloads = payloadsOf({ vip: true }, { l: 1, r: 2, pay: { ok: true } });
    expect(review(graph, stateOf(rows), payloads).records).toMatchObject([{ node: "c", side: "then" }]);
  });

  it("asks for another review when the join was the end of a branch, or a condition after it failed", () => {
    const inner = fork("inner", { a: [task("a")], b: [task("b")] });
    const outer = graphOf(fork("outer", { left: [inner], right: [task("r")] }));
    const state = stateOf([waiting("outer"), waiting("inner"), step("a"), step("b"), step("r")]);
    expect(review(outer, state, none)).toMatchObject({ steps: [{ node: "inner" }], review: true });
    const failing = graphOf(task("pay"), both, condition("c", "input.no.such", []));
    expect(review(failing, stateOf(rows), none)).toMatchObject({ records: [{ status: "failed" }], review: true });
  });

  it("asks for another review when a wait elsewhere is over as well", () => {
    const inner = fork("inner", { a: [task("a")], b: [task("b")] });
    const outer = graphOf(fork("outer", { left: [inner, task("l")], right: [sleep("rest"), task("r")] }));
    const run = play(outer).complete("a");
    const rest = step("rest", { status: "waiting", due: true });
    run.state = { ...run.state, steps: new Map([...run.state.steps, ["rest", rest]]) };
    expect(run.complete("b").queue).toEqual(["l", "r"]);
  });

  it("fires all joins that are ready, beside each other", () => {
    const pair = (name: string) => fork(name, { a: [task(`${name}a`)], b: [task(`${name}b`)] });
    const graph = graphOf(fork("outer", { left: [pair("x"), task("xx")], right: [pair("y"), task("yy")] }));
    const arrived = ["xa", "xb", "ya", "yb"].map((name) => step(name));
    const decision = review(graph, stateOf([waiting("outer"), waiting("x"), waiting("y"), ...arrived]), none);
    expect(decision.steps?.map(({ node }) => node)).toEqual(["x", "y"]);
    expect(decision.enqueue?.map(({ node }) => node)).toEqual(["xx", "yy"]);
  });
});

describe("a review that finds a failure", () => {
  it("freezes the instance with the cause, and asks for another look that goes back", () => {
    const error = errorOf("no");
    const state = stateOf([step("c", { status: "failed", outcome: "absent", error })]);
    const decision = review(graphOf(condition("c", "input.no", [])), state, none);
    expect(decision.instance).toEqual({ status: "rolling_back", freeze: true, cause: error, pausedFrom: null });
    expect(decision.review).toBe(true);
  });

  it("says so when the step has kept no error", () => {
    const { instance } = review(graphOf(task("pay")), stateOf([step("pay", { status: "failed" })]), none);
    expect(instance?.cause).toMatchObject({ code: "INTERNAL" });
  });

  it("fires no join and ends no wait beside it", () => {
    const inner = fork("inner", { a: [task("a")], b: [task("b")] });
    const graph = graphOf(fork("f", { left: [inner], right: [condition("c", "true", [])], other: [human("h")] }));
    const rows = [waiting("f"), waiting("inner"), step("a"), step("b"), step("c", { status: "failed" })];
    const asked = step("h", { status: "waiting_decision", due: true });
    const decision = review(graph, stateOf([...rows, asked]), none);
    expect(decision.steps?.map(({ node, status }) => `${node} ${status}`)).toEqual([
      "f skipped",
      "inner skipped",
      "h skipped",
    ]);
  });
});

describe("a deadline that has passed", () => {
  it("cancels an instance that runs, waits, is rolled back or waits for a person (section 3)", () => {
    const graph = graphOf(undoable("a"), undoable("b"), human("h"));
    const cause = { code: "DEADLINE_EXCEEDED", message: "the instance did not end before its deadline" };
    const running = play(graph).complete("a").passDeadline();
    expect([running.status, running.state.cause, running.queue]).toEqual(["cancelling", cause, ["undo a"]]);
    expect(running.complete("a").status).toBe("cancelled");
    const waits = play(graph).complete("a").complete("b").passDeadline();
    expect([waits.statusOf("h"), waits.queue]).toEqual(["skipped", ["undo b"]]);
    const rolling = play(graph).complete("a").fail("b").passDeadline();
    expect([rolling.status, rolling.state.cause?.message]).toEqual(["cancelling", "b failed"]);
    const dead = play(graph).complete("a").fail("b").fail("b").passDeadline();
    expect([dead.status, dead.state.pausedFrom]).toEqual(["dlq", "cancelling"]);
    const dlq = play(graphWith({ onFailure: "dlq" }, undoable("a")))
      .fail("a")
      .passDeadline();
    expect([dlq.status, dlq.queue]).toEqual(["cancelling", ["undo a"]]);
  });

  it("says nothing to one that is cancelled already, or has ended", () => {
    const overdue = (more: object) => isOverdue(stateOf([], [], { overdue: true, ...more }));
    expect([overdue({ status: "cancelling" }), overdue({ status: "dlq", pausedFrom: "cancelling" })]).toEqual([
      false,
      false,
    ]);
    expect([overdue({ status: "completed" }), overdue({ status: "pending" })]).toEqual([false, false]);
    expect([overdue({}), overdue({ overdue: false })]).toEqual([true, false]);
    expect(overdue({ status: "dlq", pausedFrom: "rolling_back" })).toBe(true);
    const run = play(graphOf(undoable("a"), human("h"))).complete("a");
    run.act((state) => cancel(state, errorOf("stop"))).passDeadline();
    expect([run.status, run.state.cause?.message]).toEqual(["cancelling", "stop"]);
  });
});
