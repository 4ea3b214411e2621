import { describe, expect, it } from "vitest";
import type { RetryPolicy } from "../definition/model.ts";
import { condition as choice, fork, human, savepoint, signal } from "../definition/testing/nodes.ts";
import type { ErrorCode } from "../vocabulary/error.ts";
import { cancel, resume } from "./operate.ts";
import { restartDelay, savepointOf } from "./restart.ts";
import type { Play } from "./testing/by-hand.ts";
import { play } from "./testing/by-hand.ts";
import { graphOf, task, undoable } from "./testing/definitions.ts";
import { stateOf, step } from "./testing/states.ts";

const patient = { retry: { maxAttempts: 3, strategy: "fixed", delayMs: 50, jitter: 0 } satisfies RetryPolicy };
const atOnce = { retry: { maxAttempts: 2, delayMs: 0 } satisfies RetryPolicy };
const resumed = (run: Play) => run.act((state) => resume(run.graph, state, run.payloadsOfRestart()));

describe("the wait before the flow goes on by itself from a savepoint", () => {
  const at = (retry: RetryPolicy | undefined, attempt = 0, code: ErrorCode = "HANDLER_FAILED") => {
    const graph = graphOf(task("a"), savepoint("s", retry && { retry }), task("b", { idempotent: false }), task("c"));
    const state = stateOf([step("s", { attempt })], [], { boundary: "s", cause: { code, message: "no" } });
    return { graph, state };
  };
  const delay = (...args: Parameters<typeof at>) => restartDelay(at(...args).graph, at(...args).state);

  it("grows as its policy says, with the defaults of steps, until all attempts are used up", () => {
    const policy = { maxAttempts: 3, strategy: "linear", delayMs: 100 } as const;
    expect([0, 1, 2].map((attempt) => delay(policy, attempt))).toEqual([100, 200, null]);
    expect([0, 1, 2].map((attempt) => delay({}, attempt))).toEqual([1_000, 2_000, null]);
  });

  it("is none where none was asked for, or at the root", () => {
    expect(delay(undefined)).toBeNull();
    const { graph, state } = at({});
    expect(restartDelay(graph, { ...state, boundary: null })).toBeNull();
  });

  it.each(["DECISION_REJECTED", "FAILED_BY_DEFINITION", "DEAD_LETTER_DISCARDED"] as const)(
    "is none after a decision, which would only be made again: %s",
    (code) => expect(delay({}, 0, code)).toBeNull(),
  );

  it("is there when the definition itself goes back to the savepoint, or when no cause is known", () => {
    expect(delay({}, 0, "ROLLED_BACK_BY_DEFINITION")).toBe(1_000);
    const { graph, state } = at({});
    expect(restartDelay(graph, { ...state, cause: null })).toBe(1_000);
  });

  it("is none when a step behind it that may be called only once has been called (section 3)", () => {
    const { graph, state } = at({});
    const after = (attempt: number) => ({ ...state, steps: new Map([...state.steps, ["b", step("b", { attempt })]]) });
    expect([restartDelay(graph, after(0)), restartDelay(graph, after(1))]).toEqual([1_000, null]);
    const requeued = step("b", { attempt: 0, outcome: "unknown" });
    expect(restartDelay(graph, { ...state, steps: new Map([...state.steps, ["b", requeued]]) })).toBeNull();
  });
});

describe("a savepoint that is looked up", () => {
  it("is none for the root", () => {
    const graph = graphOf(savepoint("s"), task("a"));
    expect([savepointOf(graph, null), savepointOf(graph, "s")?.name]).toEqual([null, "s"]);
  });
});

describe("a savepoint with retry", () => {
  it("waits when all behind it is undone, and then the flow goes on from it with the same value (section 7)", () => {
    const run = play(graphOf(undoable("pay"), savepoint("paid", patient), undoable("ship")))
      .complete("pay")
      .fail("ship");
    expect(run.complete("ship").told.slice(-2)).toEqual(["running", "paid waiting"]);
    expect([run.queue, run.statusOf("ship"), run.statusOf("pay")]).toEqual([[], undefined, "completed"]);
    expect([run.state.cause, run.state.boundary]).toEqual([null, null]);
    run.due("paid");
    expect([run.queue, run.state.queue.get("ship")?.inputFrom]).toEqual([["ship"], "pay"]);
    expect(run.complete("ship").status).toBe("completed");
  });

  it("goes on a bounded number of times, and then the instance is failed", () => {
    const run = play(graphOf(savepoint("s", patient), task("a")))
      .fail("a")
      .due("s")
      .fail("a")
      .due("s")
      .fail("a");
    expect([run.status, run.state.steps.get("s")?.attempt, run.state.boundary]).toEqual(["failed", 2, "s"]);
  });

  it("goes on at once when it has no delay", () => {
    const run = play(graphOf(savepoint("s", atOnce), task("a"))).fail("a");
    expect([run.status, run.queue]).toEqual(["running", ["a"]]);
    expect(run.fail("a").status).toBe("failed");
  });

  it("counts for itself: one that is passed anew counts from the start", () => {
    const run = play(graphOf(savepoint("one", atOnce), task("a"), savepoint("two", atOnce), task("b")));
    const fails = () => run.complete("a").fail("b").fail("b");
    expect([fails().status, run.state.boundary]).toEqual(["failed", "two"]);
  });

  it("leads back from a join, a decision and a signal: what was decided is asked again, the signal is kept", () => {
    const both = fork("both", { l: [human("ask")], r: [signal("go")] });
    const run = play(graphOf(savepoint("s", atOnce), both, task("z")))
      .signal("go", 7)
      .vote("ask", "ann");
    run.fail("z");
    expect([run.statusOf("ask"), run.statusOf("go"), run.statusOf("both")]).toEqual([
      "waiting_decision",
      "completed",
      "waiting",
    ]);
    expect(run.state.votes.size).toBe(0);
    expect(run.vote("ask", "bob").complete("z").status).toBe("completed");
  });

  it("stands in a condition, around which nothing is forgotten", () => {
    const inside = choice("c", [task("a"), savepoint("s", atOnce), task("b")]);
    const run = play(graphOf(inside, task("z")))
      .complete("a")
      .complete("b")
      .fail("z");
    expect([run.queue, run.statusOf("c"), run.statusOf("a")]).toEqual([["b"], "completed", "completed"]);
    expect(run.complete("b").complete("z").status).toBe("completed");
  });

  it("completes the instance when nothing is left to do behind it", () => {
    const tail = choice("c", [task("t")], [], "value.first");
    const run = play(graphOf(task("a"), savepoint("s", atOnce), tail))
      .complete("a", { first: true })
      .lease("t");
    run.outputs.set("a", { first: false });
    expect([run.fail("t").status, run.outputFrom]).toEqual(["completed", "a"]);
  });

  it("does not go on in an instance that is cancelled while it waits", () => {
    const run = play(graphOf(undoable("pay"), savepoint("s", patient), task("a")))
      .complete("pay")
      .fail("a");
    run.act((state) => cancel(state, { code: "INSTANCE_CANCELLED", message: "stop" }));
    expect([run.statusOf("s"), run.queue]).toEqual(["skipped", ["undo pay"]]);
    expect(run.complete("pay").status).toBe("cancelled");
  });
});

describe("a failed instance that is resumed", () => {
  it("goes forward again from the savepoint where it stopped, and what came after is run anew (section 7)", () => {
    const run = play(graphOf(undoable("pay"), savepoint("paid"), undoable("pack"), undoable("ship"))).complete("pay");
    run.complete("pack").fail("ship").complete("ship").complete("pack");
    expect([run.status, run.state.boundary]).toEqual(["failed", "paid"]);
    resumed(run);
    expect([run.status, run.queue, run.statusOf("ship"), run.state.cause]).toEqual([
      "running",
      ["pack"],
      undefined,
      null,
    ]);
    expect(run.complete("pack").complete("ship").status).toBe("completed");
  });

  it("goes forward again from the beginning when it was rolled back to the root", () => {
    const run = play(graphOf(choice("c", [undoable("a")]), undoable("b")))
      .complete("a")
      .fail("b")
      .complete("b");
    expect(run.complete("a").status).toBe("failed");
    expect([resumed(run).status, run.queue, run.statusOf("c")]).toEqual(["running", ["a"], "completed"]);
  });

  it("passes on the value that a person has put in place of the savepoint's", () => {
    const run = play(graphOf(task("a"), savepoint("s"), task("b")))
      .complete("a")
      .fail("b");
    run.outputs.set("s", { id: 2 });
    run.state = {
      ...run.state,
      steps: new Map([...run.state.steps, ["s", step("s", { replaced: true, inputFrom: "a" })]]),
    };
    expect(resumed(run).state.queue.get("b")?.inputFrom).toBe("s");
    // Also when the savepoint leads back to itself later.
    const patientRun = play(graphOf(task("a"), savepoint("s", patient), task("b")))
      .complete("a")
      .fail("b");
    const waiting = step("s", { ...patientRun.state.steps.get("s"), replaced: true });
    patientRun.state = { ...patientRun.state, steps: new Map([...patientRun.state.steps, ["s", waiting]]) };
    expect(patientRun.due("s").state.queue.get("b")?.inputFrom).toBe("s");
  });

  it("does not count as one of the savepoint's own attempts", () => {
    const run = play(graphOf(savepoint("s", atOnce), task("a")))
      .fail("a")
      .fail("a");
    expect(resumed(run).state.steps.get("s")?.attempt).toBe(1);
    expect(run.fail("a").status).toBe("failed");
  });

  it("is completed when nothing is left to do", () => {
    const run = play(graphOf(choice("c", [task("a")], [], "input.first")), { first: true }).fail("a");
    run.input = { first: false };
    expect([resumed(run).status, run.told.slice(-3)]).toEqual(["completed", ["running", "c completed", "completed"]]);
  });
});
