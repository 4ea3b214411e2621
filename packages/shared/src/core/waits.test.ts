import { describe, expect, it } from "vitest";
import { condition as choice, fork, human, signal, sleep } from "../definition/testing/nodes.ts";
import { play } from "./testing/by-hand.ts";
import { graphOf, task, undoable } from "./testing/definitions.ts";
import { graphWith, stateOf, step } from "./testing/states.ts";
import { signalNameOf, waitsOver } from "./waits.ts";

describe("a decision", () => {
  it("holds the flow until it is made, and is passed on beside what it was about", () => {
    const run = play(graphOf(task("a"), human("ask"), task("b"))).complete("a", { id: 1 });
    expect([run.queue, run.statusOf("ask")]).toEqual([[], "waiting_decision"]);
    run.vote("ask", "ann", "confirm", "fine");
    expect([run.statusOf("ask"), run.queue, run.state.queue.get("b")?.inputFrom]).toEqual(["confirmed", ["b"], "ask"]);
    expect(run.outputs.get("ask")).toMatchObject({ id: 1, decision: { kind: "confirm", by: "ann", comment: "fine" } });
  });

  it("completes the instance when nothing comes after it", () => {
    const run = play(graphOf(human("ask"))).vote("ask", "ann");
    expect([run.status, run.outputFrom]).toEqual(["completed", "ask"]);
  });

  it("needs as many as must agree, and only one who does not", () => {
    const run = play(graphOf(human("ask", { approvals: 2 }))).vote("ask", "ann");
    expect(run.statusOf("ask")).toBe("waiting_decision");
    expect(run.vote("ask", "bob").status).toBe("completed");
    expect(play(graphOf(human("ask", { approvals: 2 }))).vote("ask", "ann", "reject").status).toBe("failed");
  });

  it("that is a rejection rolls the instance back, and says by whom and why (section 9)", () => {
    const run = play(graphOf(undoable("pay"), human("ask")))
      .complete("pay")
      .vote("ask", "ann", "reject", "too much");
    expect(run.queue).toEqual(["undo pay"]);
    run.complete("pay");
    expect(run.state.cause).toEqual({ code: "DECISION_REJECTED", message: "'ask' was rejected by ann: too much" });
    expect([run.status, run.statusOf("ask")]).toEqual(["failed", "rolled_back"]);
  });

  it("that is a rejection aborts the instance where the node says so, though its join could do without it", () => {
    const nodes = { a: [human("ask", { onReject: "abort" })], b: [undoable("b1"), task("b2")] };
    const run = play(graphOf(fork("f", nodes, { join: "any" })))
      .complete("b1")
      .vote("ask", "ann", "reject");
    expect([run.status, run.statusOf("b1"), run.statusOf("b2"), run.queue]).toEqual([
      "aborted",
      "completed",
      "skipped",
      [],
    ]);
  });

  it("that is a rejection goes on where the node says so, and a condition can ask", () => {
    const asked = choice("c", [task("yes")], [task("no")], "value.decision.kind == 'confirm'");
    const run = play(graphOf(human("ask", { onReject: "continue" }), asked)).vote("ask", "ann", "reject");
    expect([run.statusOf("ask"), run.queue]).toEqual(["rejected", ["no"]]);
  });

  it.each([
    [{}, "failed", "nobody decided 'ask' in time"],
    [{ onTimeout: "confirm" }, "completed", undefined],
  ])("is made by its deadline: %j", (more, status, message) => {
    const run = play(graphOf(human("ask", { timeoutMs: 5, ...more }))).due("ask");
    expect([run.status, run.state.cause?.message]).toEqual([status, message]);
  });

  it("is passed on to others by its deadline, who may decide for as long again", () => {
    const graph = graphOf(human("ask", { timeoutMs: 5, onTimeout: "escalate", escalateTo: ["dan"] }));
    const run = play(graph).due("ask");
    expect([run.statusOf("ask"), run.state.steps.get("ask")]).toMatchObject([
      "waiting_decision",
      { attempt: 1, due: false },
    ]);
    expect(run.vote("ask", "dan").status).toBe("completed");
    expect(play(graph).due("ask").due("ask").status).toBe("failed");
  });
});

describe("a sleep", () => {
  it("holds the flow until its time has come, and passes on what it got", () => {
    const run = play(graphOf(task("a"), sleep("rest"), task("b"))).complete("a");
    expect(run.queue).toEqual([]);
    expect(run.due("rest").state.queue.get("b")?.inputFrom).toBe("a");
  });

  it("passes on the instance's input when nothing came before it", () => {
    const run = play(graphOf(sleep("rest"), choice("c", [task("b")], [], "value.ok")), { ok: true }).due("rest");
    expect([run.queue, run.state.queue.get("b")?.inputFrom]).toEqual([["b"], null]);
  });
});

describe("a signal", () => {
  it("holds the flow until it arrives, and passes on its payload", () => {
    const run = play(graphOf(task("a"), signal("paid", { signal: "payment" }), task("b"))).complete("a");
    expect(run.signal("paid").queue).toEqual([]);
    run.signal("payment", { sum: 5 });
    expect([run.queue, run.outputs.get("paid"), run.state.queue.get("b")?.inputFrom]).toEqual([
      ["b"],
      { sum: 5 },
      "paid",
    ]);
  });

  it("that arrives early is kept, and taken when the flow comes to its node (section 1)", () => {
    const run = play(graphOf(task("a"), signal("paid"), task("b")))
      .signal("paid", 1)
      .complete("a");
    expect([run.queue, run.outputs.get("paid"), run.state.signals]).toEqual([["b"], 1, []]);
  });

  it("is taken by one node; those of one name are taken in the order in which they arrived", () => {
    const both = fork("f", { a: [signal("x", { signal: "go" })], b: [signal("y", { signal: "go" })] });
    const run = play(graphOf(both)).signal("go", 1);
    expect([run.statusOf("x"), run.statusOf("y")]).toEqual(["completed", "waiting"]);
    expect([run.signal("go", 2).status, run.outputs.get("f")]).toEqual(["completed", { a: 1, b: 2 }]);
  });

  it("that does not arrive in time fails its step, with nothing to undo for it", () => {
    const run = play(graphOf(undoable("a"), signal("paid", { timeoutMs: 5 })))
      .complete("a")
      .due("paid");
    expect([run.queue, run.statusOf("paid")]).toEqual([["undo a"], "failed"]);
    expect(run.complete("a").state.cause).toEqual({
      code: "SIGNAL_TIMEOUT",
      message: "signal 'paid' did not arrive within 5 ms",
    });
  });

  it("that does not arrive in time waits for a person in DLQ mode", () => {
    const run = play(graphWith({ onFailure: "dlq" }, signal("paid", { timeoutMs: 5 }))).due("paid");
    expect([run.status, run.statusOf("paid"), run.state.deadLetters.get("paid")]).toEqual(["dlq", "paused", "forward"]);
  });

  it("is named by its node, or as the node says", () => {
    const graph = graphOf(signal("a"), signal("b", { signal: "go" }));
    const names = [...graph.nodes.values()].map((node) => node.kind === "signal" && signalNameOf(node));
    expect(names).toEqual(["a", "go"]);
  });
});

describe("waits that are over", () => {
  const graph = graphOf(fork("f", { a: [human("ask")], b: [sleep("rest")], c: [signal("go")] }));

  it("are none while nothing has come, and none of joins, whatever the time", () => {
    const rows = [step("f", { status: "waiting" }), step("ask", { status: "waiting_decision" })];
    const more = [step("rest", { status: "waiting" }), step("go", { status: "waiting" })];
    expect(waitsOver(graph, stateOf([...rows, ...more]))).toEqual([]);
    expect(waitsOver(graph, stateOf([step("rest", { due: true }), step("no-node", { status: "waiting" })]))).toEqual(
      [],
    );
  });

  it("are ended beside each other, in one look", () => {
    const run = play(graph);
    const rows = [...run.state.steps].map(
      ([name, row]) => [name, name === "rest" ? { ...row, due: true } : row] as const,
    );
    run.state = { ...run.state, steps: new Map(rows), signals: [{ signalId: "1", name: "go", payload: 1 }] };
    run.vote("ask", "ann");
    expect([run.status, run.told.slice(-5)]).toEqual([
      "completed",
      ["ask confirmed", "rest completed", "go completed", "completed", "f completed"],
    ]);
  });
});
