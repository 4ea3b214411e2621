import { describe, expect, it } from "vitest";
import { end, fork, human, signal, sleep } from "../definition/testing/nodes.ts";
import { cancel } from "./operate.ts";
import { review } from "./review.ts";
import { play } from "./testing/by-hand.ts";
import { condition, graphOf, savepoint, task, undoable } from "./testing/definitions.ts";
import { errorOf, graphWith, payloadsOf, queued, stateOf, step } from "./testing/states.ts";
import { boundaryOf, freeze, goBack } from "./undo.ts";

const cause = errorOf("no");
const stop = { code: "INSTANCE_CANCELLED", message: "stop" } as const;
const none = payloadsOf(null);

describe("a freeze", () => {
  it("takes back what is queued, withdraws what waits, and leaves what runs to be adopted (section 7)", () => {
    const rows = [
      step("f", { status: "waiting" }),
      step("ask", { status: "waiting_decision" }),
      step("pay"),
      step("dead", { status: "paused" }),
    ];
    const queue = [
      queued("fresh"),
      queued("again", { state: "delayed", attempt: 2, uncertain: true }),
      queued("runs", { state: "leased", attempt: 1 }),
      queued("undone", { lane: "compensation" }),
    ];
    const state = stateOf(rows, queue, { deadLetters: new Map([["dead", "forward"]]) });
    const decision = freeze(state, { status: "rolling_back", cause });
    expect(decision.instance).toEqual({ status: "rolling_back", freeze: true, cause, pausedFrom: null });
    expect(decision.steps?.map(({ node, status, outcome }) => [node, status, outcome])).toEqual([
      ["fresh", "skipped", "absent"],
      ["again", "failed", "unknown"],
      ["dead", "failed", undefined],
      ["f", "skipped", "absent"],
      ["ask", "skipped", "absent"],
    ]);
    expect(decision).toMatchObject({ unqueue: ["fresh", "again"], exhume: ["dead"], review: true });
  });

  it("keeps the first cause", () => {
    const state = stateOf([], [], { cause });
    expect(freeze(state, { status: "cancelling", cause: stop }).instance).toMatchObject({ cause });
  });
});

describe("the boundary of a rollback", () => {
  const ends = (savepointName: string) =>
    condition("c", "true", [end("back", "rollbackTo", { savepoint: savepointName })]);
  const graph = graphOf(savepoint("one"), condition("d", "true", [savepoint("two")]), ends("one"));
  const boundary = (...rows: ReturnType<typeof step>[]) =>
    boundaryOf(graph, { steps: new Map(rows.map((row) => [row.node, row])) });

  it("is the savepoint that was passed last, also while it waits to go on, or the root", () => {
    expect(boundary()).toBeNull();
    expect(boundary(step("one"))).toBe("one");
    expect(boundary(step("one"), step("two"))).toBe("two");
    expect(boundary(step("one"), step("two", { status: "waiting" }))).toBe("two");
    expect(boundary(step("one"), step("two", { status: "rolled_back" }))).toBe("one");
  });

  it("is the savepoint that a definition goes back to by itself, though others were passed since", () => {
    expect(boundary(step("one"), step("two"), step("c", { side: "then" }), step("back", { status: "failed" }))).toBe(
      "one",
    );
  });

  it("is written as soon as the way back begins, and stays the same to its end", () => {
    const run = play(graphOf(savepoint("one"), undoable("a"), savepoint("two"), undoable("b"), ends("one")));
    run.complete("a").complete("b");
    expect([run.status, run.state.boundary, run.queue]).toEqual(["rolling_back", "one", ["undo b"]]);
    run.complete("b").complete("a");
    expect([run.status, run.state.boundary, run.statusOf("two"), run.statusOf("one")]).toEqual([
      "failed",
      "one",
      "rolled_back",
      "completed",
    ]);
  });

  it("is that of the failure, not of a branch that only an earlier join did without", () => {
    const race = fork("race", { a: [condition("c", "true", [end("e", "fail")])], b: [task("b")] }, { join: "any" });
    const run = play(graphOf(savepoint("one"), race, savepoint("two"), undoable("z")))
      .complete("b")
      .fail("z");
    expect([run.state.boundary, run.complete("z").status]).toEqual(["two", "failed"]);
  });

  it("is reached from a branch of a fork, whatever its join could do without", () => {
    const race = fork("race", { a: [task("a"), ends("one")], b: [undoable("b")] }, { join: "any" });
    const run = play(graphOf(undoable("pay"), savepoint("one"), race))
      .complete("pay")
      .lease("b")
      .complete("a");
    expect([run.status, run.state.boundary]).toEqual(["rolling_back", "one"]);
    run.complete("b").complete("b");
    expect([run.status, run.statusOf("pay"), run.statusOf("b")]).toEqual(["failed", "completed", "rolled_back"]);
  });
});

describe("an instance that fails", () => {
  it("undoes the step that failed and then what was before it, and is failed when that is done", () => {
    const run = play(graphOf(undoable("pay"), task("log"), undoable("ship")))
      .complete("pay")
      .complete("log")
      .fail("ship");
    expect([run.status, run.queue]).toEqual(["rolling_back", ["undo ship"]]);
    expect(run.complete("ship").queue).toEqual(["undo pay"]);
    run.complete("pay");
    expect([run.status, run.state.cause?.message, run.statusOf("log")]).toEqual([
      "failed",
      "ship failed",
      "rolled_back",
    ]);
  });

  it("does not compensate a step whose attempts all ran in transactions: its outcome is absent", () => {
    const run = play(graphOf(undoable("pay"), undoable("ship")))
      .complete("pay")
      .lease("ship", { transactional: true });
    expect(run.fail("ship").queue).toEqual(["undo pay"]);
    expect([run.complete("pay").status, run.statusOf("ship")]).toEqual(["failed", "failed"]);
  });

  it("is failed at once when nothing is to be undone", () => {
    const run = play(graphOf(task("pay"))).fail("pay");
    expect([run.status, run.told]).toEqual(["failed", ["pay failed", "rolling_back", "failed", "pay rolled_back"]]);
  });

  it("adopts what completes meanwhile, and undoes it too, before what was before it", () => {
    const both = fork("both", { l: [undoable("l"), undoable("never")], r: [undoable("r")] });
    const run = play(graphOf(undoable("pay"), both))
      .complete("pay")
      .lease("l")
      .fail("r")
      .complete("r");
    expect(run.queue).toEqual(["l"]);
    expect(run.complete("l").queue).toEqual(["undo l"]);
    expect(run.complete("l").queue).toEqual(["undo pay"]);
    expect([run.complete("pay").status, run.statusOf("never")]).toEqual(["failed", undefined]);
  });

  it("skips decisions, sleeps and signals that wait, and no vote or signal moves it any more", () => {
    const waits = { a: [human("a")], b: [sleep("b")], c: [signal("c")], d: [undoable("d")] };
    const run = play(graphOf(fork("f", waits)))
      .fail("d")
      .vote("a", "ann")
      .signal("c");
    expect(["a", "b", "c", "f"].map((node) => run.statusOf(node))).toEqual(Array(4).fill("skipped"));
    expect(run.complete("d").status).toBe("failed");
  });

  it("is undone by conditions and ends that fail as by steps", () => {
    for (const last of [condition("c", "input.no", []), condition("c", "true", [end("stop", "fail")])]) {
      const run = play(graphOf(undoable("pay"), last)).complete("pay");
      expect([run.queue, run.complete("pay").status]).toEqual([["undo pay"], "failed"]);
    }
  });

  it("goes back to the savepoint that was passed last and leaves what is before it as it is", () => {
    const run = play(graphOf(undoable("pay"), savepoint("paid"), undoable("ship")))
      .complete("pay")
      .fail("ship");
    run.complete("ship");
    expect([run.status, run.state.boundary, run.statusOf("pay")]).toEqual(["failed", "paid", "completed"]);
  });

  it("undoes step after step when it is sequential, and stops at a dead letter", () => {
    const both = fork("both", { l: [undoable("l")], r: [undoable("r")] });
    const graph = graphWith({ compensate: "sequential" }, undoable("pay"), both, task("z"));
    const run = play(graph).complete("pay").complete("r").complete("l").fail("z");
    expect(run.queue).toEqual(["undo l"]);
    expect(run.complete("l").queue).toEqual(["undo r"]);
    expect([run.fail("r").status, run.state.pausedFrom]).toEqual(["dlq", "rolling_back"]);
  });

  it("waits for a person when a compensation is out of attempts, after those that do not depend on it", () => {
    const both = fork("both", { l: [undoable("l1"), undoable("l2")], r: [undoable("r1"), undoable("r2")] });
    const run = play(graphOf(both, task("z")))
      .complete("l1")
      .complete("l2")
      .complete("r1")
      .complete("r2")
      .fail("z");
    run.fail("l2");
    expect([run.status, run.queue]).toEqual(["rolling_back", ["undo r2"]]);
    run.complete("r2").complete("r1");
    expect([run.status, run.queue, run.statusOf("l1")]).toEqual(["dlq", [], "completed"]);
  });
});

describe("a cancelled instance", () => {
  it("is rolled back to the root, savepoints or not, and is cancelled when that is done (section 9)", () => {
    const run = play(graphOf(undoable("pay"), savepoint("paid"), undoable("ship")))
      .complete("pay")
      .complete("ship");
    expect(run.status).toBe("completed");
    const other = play(graphOf(undoable("pay"), savepoint("paid"), undoable("ship"))).complete("pay");
    other.act((state) => cancel(state, stop));
    expect([other.status, other.queue]).toEqual(["cancelling", ["undo pay"]]);
    expect([other.complete("pay").status, other.state.boundary]).toEqual(["cancelled", null]);
  });

  it("that was being rolled back to a savepoint goes on to the root, and keeps its first cause", () => {
    const run = play(graphOf(undoable("pay"), savepoint("paid"), undoable("ship")));
    run
      .complete("pay")
      .fail("ship")
      .act((state) => cancel(state, stop));
    expect([run.status, run.state.boundary, run.queue]).toEqual(["cancelling", null, ["undo ship"]]);
    run.complete("ship").complete("pay");
    expect([run.status, run.state.cause?.message]).toEqual(["cancelled", "ship failed"]);
  });
});

describe("a look at the way back", () => {
  it("says nothing while what runs is waited for", () => {
    const graph = graphOf(undoable("pay"));
    const state = stateOf([], [queued("pay", { state: "leased", attempt: 1, current: false })], {
      status: "rolling_back",
    });
    expect(review(graph, state, none)).toEqual({ steps: [], enqueue: [] });
  });

  it("first withdraws what a freeze without a look at the whole has left, and asks for another", () => {
    const graph = graphOf(fork("f", { a: [undoable("a")], b: [human("b")] }));
    const rows = [
      step("f", { status: "waiting" }),
      step("b", { status: "waiting_decision" }),
      step("a", { status: "failed" }),
    ];
    const decision = goBack(graph, stateOf(rows, [], { status: "rolling_back" }), none);
    expect(decision.review).toBe(true);
    expect(decision.steps?.map(({ node }) => node)).toEqual(["f", "b"]);
    expect(decision.enqueue).toEqual([]);
  });
});
