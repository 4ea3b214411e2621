import { describe, expect, it } from "vitest";
import type { ForkNode, Sequence } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import type { NodeJson } from "../definition/model.ts";
import { fork, human, signal, sleep } from "../definition/testing/nodes.ts";
import { isQuiet, leaveQueue, stopBranches } from "./losers.ts";
import { isNothing } from "./merge.ts";
import { skipCompensation } from "./operate.ts";
import { review } from "./review.ts";
import { play } from "./testing/by-hand.ts";
import { graphOf, savepoint, task, undoable } from "./testing/definitions.ts";
import { graphWith, payloadsOf, queued, stateOf, step } from "./testing/states.ts";

const any = (branches: Record<string, readonly NodeJson[]>, more: object = {}, name = "race") =>
  fork(name, branches, { join: "any", ...more });

const race = nodeOf(graphOf(any({ a: [task("a"), human("h")], b: [task("b")] })), "race") as ForkNode;
const branch = race.branches.get("a") as Sequence;

describe("a branch is quiet", () => {
  it("when nothing of it is queued or waits; a dead letter of it waits for nobody but a person", () => {
    const quiet = (...args: Parameters<typeof stateOf>) => isQuiet(branch, stateOf(...args));
    expect(quiet([step("a"), step("b", { status: "waiting" })], [queued("b")])).toBe(true);
    expect(quiet([], [queued("a")])).toBe(false);
    expect(quiet([step("h", { status: "waiting_decision" })])).toBe(false);
    expect(quiet([step("h", { status: "waiting" })])).toBe(false);
    expect(quiet([step("h", { status: "paused" })])).toBe(false);
    expect(quiet([step("h", { status: "paused" })], [], { deadLetters: new Map([["h", "forward"]]) })).toBe(true);
  });
});

describe("branches that are stopped", () => {
  it("leave the queue, are withdrawn where they wait, and are told to stop where they run", () => {
    const rows = [step("h", { status: "waiting_decision" }), step("b", { status: "waiting" })];
    expect(stopBranches([branch], stateOf(rows, [queued("a"), queued("b")]))).toEqual({
      steps: [
        { node: "a", status: "skipped", outcome: "absent", attempt: 0, inputFrom: null },
        { node: "h", status: "skipped", outcome: "absent" },
      ],
      unqueue: ["a"],
      disown: [],
      exhume: [],
    });
    const leased = stateOf([], [queued("a", { state: "leased", attempt: 1 })]);
    expect(stopBranches([branch], leased)).toMatchObject({ steps: [], unqueue: [], disown: ["a"] });
  });

  it("are stopped once: what runs on, and what is compensated, is left alone", () => {
    const disowned = queued("a", { state: "leased", attempt: 1, current: false });
    expect(isNothing(stopBranches([branch], stateOf([], [disowned])))).toBe(true);
    const compensating = queued("a", { lane: "compensation" });
    expect(isNothing(stopBranches([branch], stateOf([step("a", { status: "compensating" })], [compensating])))).toBe(
      true,
    );
  });

  it("have their dead letters turned into plain failures", () => {
    const dead = stateOf([step("a", { status: "paused" })], [], { deadLetters: new Map([["a", "forward"]]) });
    expect(stopBranches([branch], dead)).toMatchObject({ steps: [{ node: "a", status: "failed" }], exhume: ["a"] });
  });
});

describe("a step that leaves the queue without a result", () => {
  it("is skipped if it was never called, and has failed if it was, with what is known of its effects (section 6)", () => {
    const left = (attempt: number, uncertain: boolean) => {
      const { status, outcome } = leaveQueue(queued("a", { attempt, uncertain }));
      return [status, outcome];
    };
    expect([left(0, false), left(0, true), left(2, true), left(2, false)]).toEqual([
      ["skipped", "absent"],
      ["failed", "unknown"],
      ["failed", "unknown"],
      ["failed", "absent"],
    ]);
  });
});

describe("a join with losers: cancel", () => {
  const graph = graphOf(
    any({ a: [undoable("a1"), undoable("a2")], b: [undoable("b1"), undoable("b2")] }),
    undoable("z"),
  );

  it("fires once, skips what is queued, lets what runs come to its end, and leaves what completed", () => {
    const run = play(graph).complete("b1").lease("b2").complete("a1").complete("a2");
    expect(run.queue).toEqual(["b2", "z"]);
    run.complete("b2").complete("z");
    expect([run.status, run.outputFrom, run.statusOf("b1"), run.statusOf("b2")]).toEqual([
      "completed",
      "z",
      "completed",
      "completed",
    ]);
    expect(run.told.filter((said) => said === "race completed")).toHaveLength(1);
    const queuedOnly = play(graph).complete("a1").complete("a2");
    expect([queuedOnly.statusOf("b1"), queuedOnly.queue]).toEqual(["skipped", ["z"]]);
  });

  it("ends the instance only when nothing of the losers runs any more", () => {
    const run = play(graph).lease("b1").complete("a1").complete("a2").complete("z");
    expect([run.status, run.queue]).toEqual(["running", ["b1"]]);
    expect(run.fail("b1").status).toBe("completed");
  });

  it("undoes the losers as well when the instance is rolled back later, what runs on when it has ended", () => {
    const run = play(graph).complete("b1").lease("b2").complete("a1").complete("a2").fail("z");
    expect(run.queue).toEqual(["b2", "undo z"]);
    run.complete("z");
    expect(run.queue).toEqual(["b2", "undo a2"]);
    expect(run.complete("b2").queue).toEqual(["undo a2", "undo b2"]);
    run.complete("a2").complete("b2").complete("a1").complete("b1");
    expect([run.status, run.statusOf("b1"), run.statusOf("race")]).toEqual(["failed", "rolled_back", "rolled_back"]);
  });

  it("skips decisions, sleeps, signals and joins in a loser, whose votes and signals come too late", () => {
    const inner = fork("inner", { x: [sleep("x")], y: [signal("y")] });
    const run = play(graphOf(any({ a: [human("h")], b: [inner], c: [task("c")] }), signal("last", { signal: "y" })));
    run.complete("c");
    expect(["h", "inner", "x", "y"].map((node) => run.statusOf(node))).toEqual(Array(4).fill("skipped"));
    expect(run.vote("h", "ann", "reject").status).toBe("running");
    expect(run.signal("y").status).toBe("completed");
  });
});

describe("a loser that runs on", () => {
  it("keeps a rollback to a savepoint behind it from its end", () => {
    const race = any({ a: [undoable("a")], b: [undoable("b1"), undoable("b2")] });
    const run = play(graphOf(race, savepoint("s"), undoable("z")))
      .lease("b1")
      .complete("a")
      .fail("z")
      .complete("z");
    expect([run.status, run.queue]).toEqual(["rolling_back", ["b1"]]);
    expect([run.complete("b1").status, run.statusOf("b1")]).toEqual(["failed", "completed"]);
  });
});

describe("a join that can do without a branch", () => {
  it("is not failed by it while another can still arrive (section 7)", () => {
    const run = play(graphOf(any({ a: [undoable("a")], b: [undoable("b")] }), task("z"))).fail("a");
    expect([run.status, run.queue]).toEqual(["running", ["b"]]);
    run.complete("b").complete("z");
    expect([run.status, run.statusOf("a")]).toEqual(["completed", "failed"]);
  });

  it("fails the instance with the first cause when too few can arrive, and all branches are undone", () => {
    const run = play(graphOf(undoable("first"), any({ a: [undoable("a")], b: [undoable("b")] }))).complete("first");
    run.fail("b").fail("a");
    expect([run.status, run.state.cause?.message, run.queue]).toEqual([
      "rolling_back",
      "b failed",
      ["undo a", "undo b"],
    ]);
    run.complete("a").complete("b").complete("first");
    expect(run.status).toBe("failed");
  });

  it("stops what runs beside the failure inside that branch, which takes no signal from others", () => {
    const all = fork("all", { x: [task("x")], y: [signal("y", { signal: "go" })], z: [task("z")] });
    const run = play(graphOf(any({ a: [all], b: [task("b"), signal("b2", { signal: "go" })] }))).lease("z");
    run.state = { ...run.state, signals: [{ signalId: "1", name: "go", payload: "here" }] };
    run.fail("x");
    expect(["all", "y"].map((node) => run.statusOf(node))).toEqual(["skipped", "skipped"]);
    run.complete("z").complete("b");
    expect([run.status, run.taken.get("b2")?.payload]).toEqual(["completed", "here"]);
  });

  it("does without one that was rejected, and fires without it though it was the branch's last node", () => {
    const run = play(graphOf(any({ a: [human("ask")], b: [task("b")] }))).vote("ask", "ann", "reject");
    expect([run.status, run.queue]).toEqual(["running", ["b"]]);
    expect(run.complete("b").state.steps.get("race")?.winners).toEqual(["b"]);
    expect(run.status).toBe("completed");
  });

  it("inside another such join fails only its own branch", () => {
    const inner = any({ x: [task("x")], y: [task("y")] }, {}, "inner");
    const run = play(graphOf(any({ a: [inner, task("a")], b: [task("b")] })))
      .fail("x")
      .fail("y");
    expect([run.status, run.statusOf("inner")]).toEqual(["running", "skipped"]);
    expect(run.complete("b").status).toBe("completed");
  });
});

describe("a join with losers: wait", () => {
  const graph = graphOf(any({ a: [task("a1"), task("a2")], b: [task("b")], c: [human("c")] }, { losers: "wait" }));

  it("waits for the other branches to end, one way or the other, and yields all that arrived", () => {
    const run = play(graph).complete("b").complete("a1").complete("a2");
    expect(run.statusOf("race")).toBe("waiting");
    run.vote("c", "ann", "reject");
    expect([run.status, run.state.steps.get("race")?.winners]).toEqual(["completed", ["a", "b"]]);
  });

  it("stops waiting for a branch that fails", () => {
    const run = play(graph).complete("b").vote("c", "ann").fail("a1");
    expect([run.status, run.state.steps.get("race")?.winners]).toEqual(["completed", ["b", "c"]]);
  });

  it("waits for a person when the branch that it waits for has a dead letter", () => {
    const dlq = graphWith({ onFailure: "dlq" }, any({ a: [task("a")], b: [task("b")] }, { losers: "wait" }));
    const run = play(dlq).complete("b").fail("a");
    expect([run.status, run.statusOf("race")]).toEqual(["dlq", "paused"]);
  });
});

describe("a join with losers: compensate", () => {
  const losers = { losers: "compensate" };
  const graph = graphOf(any({ a: [undoable("a")], b: [undoable("b1"), undoable("b2")] }, losers), task("z"));

  it("undoes what completed at once, in reverse, while the flow goes on; the instance ends when both are over", () => {
    const run = play(graph).complete("b1").lease("b2").complete("a");
    expect(run.queue).toEqual(["b2", "z"]);
    expect(run.complete("b2").queue).toEqual(["z", "undo b2"]);
    run.complete("z").complete("b2");
    expect([run.status, run.queue]).toEqual(["running", ["undo b1"]]);
    run.complete("b1");
    expect([run.status, run.outputFrom, run.statusOf("b2")]).toEqual(["completed", "z", "rolled_back"]);
  });

  it("undoes a loser that failed with effects unknown, too", () => {
    const run = play(graph).complete("b1").fail("b2").complete("a").complete("z");
    expect(run.queue).toEqual(["undo b2"]);
    expect(run.complete("b2").complete("b1").status).toBe("completed");
  });

  it("waits for a person when a loser's compensation is out of attempts, after the others that go on", () => {
    const both = fork("both", { x: [undoable("x")], y: [undoable("y1"), undoable("y2")] });
    const run = play(graphOf(any({ a: [undoable("a")], b: [both, task("b")] }, losers))).complete("x");
    run.complete("y1").complete("y2").complete("a");
    expect(run.queue).toEqual(["undo x", "undo y2"]);
    run.fail("x");
    expect([run.status, run.complete("y2").queue]).toEqual(["running", ["undo y1"]]);
    run.complete("y1");
    expect([run.status, run.state.pausedFrom]).toEqual(["dlq", "running"]);
    expect(run.act((state) => skipCompensation(state, "x")).status).toBe("completed");
  });

  it("does not pause for one dead letter while the next compensation beside it can start", () => {
    const both = fork("both", { x: [undoable("x")], y: [undoable("y1"), undoable("y2")] });
    const graph = graphOf(any({ a: [task("a")], b: [both, task("b")] }, losers));
    const rows = [step("race", { winners: ["a"] }), step("a"), step("both", { status: "skipped" }), step("y1")];
    const dead = [step("x", { status: "paused" }), step("y2", { status: "rolled_back" })];
    const state = stateOf([...rows, ...dead], [], { deadLetters: new Map([["x", "compensation"]]) });
    const decision = review(graph, state, payloadsOf(null));
    expect(decision.enqueue?.map(({ node }) => node)).toEqual(["y1"]);
    expect(decision.instance).toBeUndefined();
  });

  // Nothing is queued then that would lead to another look.
  it("pauses in the same look in which it takes back the last step that calls nothing", () => {
    const both = fork("both", { x: [undoable("x")], y: [task("y")] });
    const run = play(graphOf(any({ a: [task("a")], b: [both, task("b")] }, losers)))
      .complete("x")
      .lease("y")
      .complete("a");
    run.fail("x");
    expect(run.queue).toEqual(["y"]);
    run.complete("y");
    expect([run.status, run.statusOf("y")]).toEqual(["dlq", "rolled_back"]);
  });

  it("undoes each step once where losers stand inside losers, and what comes after in them first", () => {
    const inner = any({ x: [task("x")], y: [undoable("y")] }, losers, "inner");
    const nested = graphOf(any({ a: [inner, undoable("a1"), task("a2")], b: [task("b")] }, losers));
    const run = play(nested).lease("y").complete("x").complete("a1").complete("b").complete("y");
    expect(run.queue).toEqual(["undo a1"]);
    expect(run.complete("a1").queue).toEqual(["undo y"]);
    expect(run.complete("y").status).toBe("completed");
  });

  it("goes on undoing them when the instance is rolled back to a savepoint behind them", () => {
    const run = play(
      graphOf(any({ a: [undoable("a")], b: [undoable("b1"), undoable("b2")] }, losers), savepoint("s"), task("z")),
    );
    run.complete("b1").complete("a").lease("z");
    expect(run.queue).toEqual(["z", "undo b1"]);
    const later = play(
      graphOf(
        any({ a: [undoable("a")], b: [undoable("b1"), undoable("b2"), task("b3")] }, losers),
        savepoint("s"),
        undoable("z"),
      ),
    );
    later.complete("b1").complete("b2").complete("a").fail("z").complete("b2");
    expect(later.queue).toEqual(["undo z", "undo b1"]);
    later.complete("z");
    expect(later.status).toBe("rolling_back");
    later.complete("b1");
    expect([later.status, later.statusOf("a"), later.statusOf("b1")]).toEqual(["failed", "completed", "rolled_back"]);
  });

  it("undoes them with the rest when the instance is rolled back past them", () => {
    const run = play(graphOf(any({ a: [undoable("a")], b: [undoable("b1"), task("b2")] }, losers), undoable("z")));
    run.complete("b1").complete("a").fail("z").fail("b1");
    expect(run.queue).toEqual(["undo z"]);
    run.complete("z").complete("a");
    expect([run.status, run.state.pausedFrom]).toEqual(["dlq", "rolling_back"]);
    expect(run.act((state) => skipCompensation(state, "b1")).status).toBe("failed");
  });
});
