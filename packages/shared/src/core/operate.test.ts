import { describe, expect, it } from "vitest";
import type { NodeJson } from "../definition/model.ts";
import { condition as choice, fork, human, savepoint, signal, sleep } from "../definition/testing/nodes.ts";
import type { Json } from "../vocabulary/json.ts";
import { abort, cancel, discard, requeue, resolve, skipCompensation } from "./operate.ts";
import type { Play } from "./testing/by-hand.ts";
import { play } from "./testing/by-hand.ts";
import { graphOf, task, undoable } from "./testing/definitions.ts";
import { graphWith, stateOf } from "./testing/states.ts";

const dlq = (...nodes: readonly NodeJson[]) => graphWith({ onFailure: "dlq" }, ...nodes);
const requeued = (run: Play, name: string) =>
  run.act((state) => requeue(run.graph, state, name, run.payloadsAround(name)));
const resolved = (run: Play, name: string, output: Json) =>
  run.act((state) => resolve(run.graph, state, name, output, run.payloadsAround(name)));
const cancelled = (run: Play) => run.act((state) => cancel(state, { code: "INSTANCE_CANCELLED", message: "stop" }));
const aborted = (run: Play) => run.act((state) => abort(state, { code: "INSTANCE_ABORTED", message: "stop" }));
const discarded = (run: Play) => run.act((state) => discard(state, { code: "DEAD_LETTER_DISCARDED", message: "no" }));
const skipped = (run: Play, name: string) => run.act((state) => skipCompensation(state, name));

const branches = { l: [undoable("l1"), undoable("l2")], r: [undoable("r1"), undoable("r2")] };

describe("an instance in DLQ mode", () => {
  it("pauses a step that failed, runs on beside it up to the join, and then waits for a person (section 8)", () => {
    const run = play(dlq(undoable("a"), fork("f", branches), task("z")))
      .complete("a")
      .fail("l1");
    expect([run.status, run.statusOf("l1"), run.queue]).toEqual(["running", "paused", ["r1"]]);
    run.complete("r1").complete("r2");
    expect([run.status, run.statusOf("f"), run.state.pausedFrom]).toEqual(["dlq", "paused", "running"]);
    expect(run.statusOf("r2")).toBe("completed");
  });

  it("goes on running while somebody is still asked, or something is still waited for", () => {
    const run = play(dlq(fork("f", { a: [task("a")], b: [human("b")], c: [sleep("c")] })))
      .fail("a")
      .due("c");
    expect(run.status).toBe("running");
    expect(run.vote("b", "ann").status).toBe("dlq");
  });

  it("pauses conditions, decisions and sleeps that cannot be evaluated as well", () => {
    const bad = [
      choice("c", [], [], "input.no"),
      human("h", { input: { $: "input.no" } }),
      sleep("s", { until: "input.no" }),
    ];
    for (const node of bad)
      expect([play(dlq(node)).status, play(dlq(node)).state.deadLetters.size]).toEqual(["dlq", 1]);
  });

  it("is rolled back by a rejection all the same, which is a decision and no failure; dead letters with it", () => {
    const run = play(dlq(undoable("a"), fork("f", { l: [undoable("l")], r: [human("r")] })))
      .complete("a")
      .fail("l");
    run.vote("r", "ann", "reject");
    expect([run.status, run.state.deadLetters.size, run.queue]).toEqual(["rolling_back", 0, ["undo l"]]);
    expect(run.complete("l").complete("a").status).toBe("failed");
  });

  it("does without a dead-lettered branch where its join can", () => {
    const run = play(dlq(fork("f", { a: [task("a")], b: [task("b")] }, { join: "any" })))
      .fail("a")
      .complete("b");
    expect([run.status, run.statusOf("a"), run.state.deadLetters.size]).toEqual(["completed", "failed", 0]);
  });
});

describe("a dead letter that is requeued", () => {
  it("is tried again from the start, and the instance ends as if the step had never failed", () => {
    const run = play(dlq(fork("f", branches), task("z")))
      .fail("l1")
      .complete("r1")
      .complete("r2");
    requeued(run, "l1");
    expect([run.status, run.statusOf("f"), run.queue, run.state.queue.get("l1")?.attempt]).toEqual([
      "running",
      "waiting",
      ["l1"],
      0,
    ]);
    run.complete("l1").complete("l2").complete("z");
    expect([run.status, run.state.deadLetters.size, run.state.pausedFrom]).toEqual(["completed", 0, null]);
  });

  it("resumes what it can; what waits for another dead letter is paused again", () => {
    const run = play(dlq(fork("f", branches)))
      .fail("l1")
      .fail("r1");
    expect(requeued(run, "l1").complete("l1").complete("l2").status).toBe("dlq");
    expect(requeued(run, "r1").complete("r1").complete("r2").status).toBe("completed");
  });

  it("may be requeued while the instance still runs", () => {
    const run = play(dlq(fork("f", branches))).fail("l1");
    expect([requeued(run, "l1").status, run.queue]).toEqual(["running", ["r1", "l1"]]);
  });

  it("is buried again when it cannot be evaluated again", () => {
    const run = play(dlq(task("a"), choice("c", [task("t")], [], "value.ok"))).complete("a", {});
    expect([requeued(run, "c").status, run.state.deadLetters.get("c")]).toEqual(["dlq", "forward"]);
    run.outputs.set("a", { ok: true });
    expect(requeued(run, "c").queue).toEqual(["t"]);
  });

  it("waits anew where it is a signal, and takes one that has arrived meanwhile", () => {
    const run = play(dlq(signal("paid", { timeoutMs: 5 }))).due("paid");
    expect([requeued(run, "paid").status, run.statusOf("paid")]).toEqual(["running", "waiting"]);
    run.due("paid").signal("paid", 1);
    expect(run.status).toBe("dlq");
    expect([requeued(run, "paid").status, run.outputs.get("paid")]).toEqual(["completed", 1]);
  });
});

describe("a dead letter that is resolved", () => {
  it("counts as completed with the output that was given, and is undone as such later", () => {
    const run = play(dlq(undoable("a"), undoable("b"), human("ask")))
      .complete("a")
      .fail("b");
    resolved(run, "b", { id: 1 });
    expect([run.status, run.statusOf("b"), run.outputs.get("b")]).toEqual(["running", "completed", { id: 1 }]);
    run.vote("ask", "ann", "reject");
    expect(run.queue).toEqual(["undo b"]);
  });

  it.each([
    [true, ["yes"]],
    [false, ["no"]],
  ])("is the side when it is a condition: %s", (output, queue) => {
    const run = play(dlq(choice("c", [task("yes")], [task("no")], "input.no")));
    expect(resolved(run, "c", output).queue).toEqual(queue);
  });

  it("passes on what it got when it is a sleep, and the output when it is a decision or a signal", () => {
    const sleeping = resolved(play(dlq(task("a"), sleep("s", { until: "input.no" }), task("b"))).complete("a"), "s", 9);
    expect(sleeping.state.queue.get("b")?.inputFrom).toBe("a");
    const signalled = resolved(play(dlq(signal("s", { timeoutMs: 5 }), task("b"))).due("s"), "s", 9);
    expect([signalled.state.queue.get("b")?.inputFrom, signalled.outputs.get("s")]).toEqual(["s", 9]);
  });

  it("lets its branch arrive, also when it is a decision at its end", () => {
    const asked = human("h", { input: { $: "input.no" } });
    const run = resolved(play(dlq(fork("f", { a: [asked], b: [task("b")] }))).complete("b"), "h", { ok: 1 });
    expect([run.status, run.outputs.get("f")]).toEqual(["completed", { a: { ok: 1 }, b: "of b" }]);
  });

  it("completes the instance when it was the last step", () => {
    const run = resolved(play(dlq(task("a"))).fail("a"), "a", 1);
    expect([run.status, run.outputFrom, run.told.slice(-3)]).toEqual([
      "completed",
      "a",
      ["running", "a completed", "completed"],
    ]);
  });
});

describe("a dead letter that is discarded", () => {
  it("leads to a rollback, in which its step is compensated, since it may have had effects", () => {
    const run = discarded(
      play(dlq(undoable("a"), undoable("b")))
        .complete("a")
        .fail("b"),
    );
    expect([run.status, run.statusOf("b"), run.state.deadLetters.size]).toEqual(["rolling_back", "compensating", 0]);
    run.complete("b").complete("a");
    expect([run.status, run.state.cause?.code]).toEqual(["failed", "DEAD_LETTER_DISCARDED"]);
  });

  it("takes all other dead letters and what still runs with it", () => {
    const run = discarded(
      play(dlq(fork("f", branches)))
        .fail("l1")
        .lease("r1"),
    );
    expect(run.queue).toEqual(["r1", "undo l1"]);
    run.complete("r1").complete("r1").complete("l1");
    expect(run.status).toBe("failed");
  });
});

describe("a compensation that is out of attempts", () => {
  const failing = () =>
    play(graphOf(undoable("a"), undoable("b")))
      .complete("a")
      .fail("b")
      .fail("b");

  it("is tried again, and the rollback goes on when it succeeds (section 7)", () => {
    const run = failing();
    expect([run.status, run.statusOf("b"), run.state.deadLetters.get("b")]).toEqual(["dlq", "paused", "compensation"]);
    expect([requeued(run, "b").status, run.queue]).toEqual(["rolling_back", ["undo b"]]);
    run.complete("b").complete("a");
    expect([run.status, run.state.cause?.message]).toEqual(["failed", "b failed"]);
  });

  it("may be out of attempts again", () => {
    expect(requeued(failing(), "b").fail("b").status).toBe("dlq");
  });

  it("may be skipped by a person, and the rollback goes on with what was before it", () => {
    const run = skipped(failing(), "b");
    expect([run.status, run.statusOf("b"), run.queue]).toEqual(["rolling_back", "skipped", ["undo a"]]);
    expect(run.complete("a").status).toBe("failed");
  });

  it("may be retried or skipped while the rollback still goes on", () => {
    const run = play(graphOf(fork("f", branches), task("z")))
      .complete("l1")
      .complete("l2")
      .complete("r1")
      .complete("r2");
    run.fail("z").fail("l2");
    expect([skipped(run, "l2").status, run.queue]).toEqual(["rolling_back", ["undo r2", "undo l1"]]);
  });

  it("keeps a cancelled instance waiting as well, which is cancelled in the end", () => {
    const run = cancelled(failing());
    expect([run.status, run.state.pausedFrom]).toEqual(["dlq", "cancelling"]);
    expect([skipped(run, "b").status, run.complete("a").status]).toEqual(["cancelling", "cancelled"]);
  });
});

describe("cancelling", () => {
  it("acts at once on an instance that waits, and is over when nothing is to be undone (section 9)", () => {
    for (const node of [human("h"), sleep("s"), signal("g")]) {
      const run = cancelled(play(graphOf(node)));
      expect([run.status, [...run.state.steps.values()][0]?.status]).toEqual(["cancelled", "skipped"]);
    }
    const delayed = cancelled(play(graphOf(undoable("a"))).retry("a"));
    expect([delayed.status, delayed.queue]).toEqual(["cancelling", ["undo a"]]);
  });

  it("of an instance in DLQ mode undoes the paused steps, and leaves no dead letter", () => {
    const run = cancelled(
      play(dlq(undoable("a"), fork("f", branches)))
        .complete("a")
        .fail("l1")
        .fail("r1"),
    );
    expect([run.state.deadLetters.size, run.statusOf("f"), run.queue]).toEqual([0, "skipped", ["undo l1", "undo r1"]]);
    expect(run.complete("l1").complete("r1").complete("a").status).toBe("cancelled");
  });

  it("waits for what runs and undoes it too", () => {
    const run = cancelled(
      play(graphOf(undoable("a"), savepoint("s"), undoable("b")))
        .complete("a")
        .lease("b"),
    );
    expect(run.queue).toEqual(["b"]);
    expect(run.complete("b").complete("b").complete("a").status).toBe("cancelled");
  });
});

describe("aborting", () => {
  it("ends everything where it stands: nothing is undone and nothing runs afterwards (section 9)", () => {
    const nodes = { a: [undoable("a")], b: [human("b")], c: [undoable("c")], d: [undoable("d")], e: [sleep("e")] };
    const run = play(graphOf(undoable("first"), fork("f", nodes)))
      .complete("first")
      .lease("a")
      .retry("c");
    aborted(run.lease("d", { transactional: true }));
    expect([run.status, run.queue, run.state.cause?.code]).toEqual(["aborted", [], "INSTANCE_ABORTED"]);
    const after = ["first", "a", "b", "c", "d", "e", "f"].map((name) => {
      const row = run.state.steps.get(name);
      return `${name} ${row?.status} ${row?.outcome}`;
    });
    expect(after).toEqual([
      "first completed happened",
      "a failed unknown",
      "b skipped absent",
      "c failed unknown",
      "d failed absent",
      "e skipped absent",
      "f skipped absent",
    ]);
  });

  it("ends a rollback, with compensations that run and that are out of attempts", () => {
    const run = play(graphOf(fork("f", branches), task("z")))
      .complete("l1")
      .complete("l2")
      .complete("r1")
      .complete("r2");
    aborted(run.fail("z").fail("l2").lease("r2"));
    expect([run.statusOf("l2"), run.statusOf("r2"), run.statusOf("l1")]).toEqual(["failed", "failed", "completed"]);
    expect([run.state.deadLetters.size, run.state.cause?.message]).toEqual([0, "z failed"]);
  });

  it("ends an instance in DLQ mode, with its dead letters and its paused joins", () => {
    const run = aborted(
      play(dlq(fork("f", branches)))
        .fail("l1")
        .fail("r1"),
    );
    expect([run.status, run.statusOf("l1"), run.statusOf("f")]).toEqual(["aborted", "failed", "skipped"]);
  });

  it("says nothing of the rest in an instance that has done nothing yet", () => {
    expect(abort(stateOf([]), { code: "INSTANCE_ABORTED", message: "stop" })).toMatchObject({ steps: [], unqueue: [] });
  });
});
