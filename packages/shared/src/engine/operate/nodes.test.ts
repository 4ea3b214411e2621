/** The nodes that wait, and joins that fire early, on PostgreSQL and without an orchestrator but for reviews. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { NodeJson } from "../../definition/model.ts";
import { sql } from "../../store/testing/database.ts";
import { done, failed, fork, Stand, task } from "../testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const human = (name: string, options: Partial<Extract<NodeJson, { kind: "human" }>> = {}): NodeJson => ({
  kind: "human",
  name,
  ...options,
});

/** Settles what has been leased under these names as done. */
const complete = async (...names: readonly string[]): Promise<void> => {
  const leased = await stand.lease();
  for (const name of names) await stand.settle([leased.get(name), done]);
};

describe("a human node", () => {
  it("waits, and goes on in the transaction of the decision (A20)", async () => {
    const id = await stand.start([task("a"), human("approve"), task("b")], { amount: 5 });
    await complete("a");
    expect(await stand.statuses(id)).toEqual({ a: "completed", approve: "waiting_decision", b: "pending" });
    const after = await stand.decide(id, "approve", "confirm", { by: "ann", comment: "fine" });
    expect(after).toEqual({ instanceId: id, status: "running", changed: true });
    const leased = await stand.lease();
    expect(JSON.parse(leased.get("b")?.value ?? "null")).toMatchObject({
      value: "done",
      decision: { kind: "confirm", by: "ann", comment: "fine", votes: [{ by: "ann" }] },
    });
    await stand.settle([leased.get("b"), done]);
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });

  it("rolls back on rejection by default, and aborts if it says so (A21)", async () => {
    const back = await stand.start([task("a"), human("approve"), task("b")]);
    await complete("a");
    await stand.decide(back, "approve", "reject", { by: "ann", comment: "no" });
    await complete("undo:a");
    await stand.review();
    expect(await stand.view(back)).toMatchObject({ status: "failed", error: { code: "DECISION_REJECTED" } });
    expect(await stand.statuses(back)).toEqual({ a: "rolled_back", approve: "rolled_back", b: "skipped" });

    const abort = await stand.start([task("a"), human("approve", { onReject: "abort" }), task("b")]);
    await complete("a");
    const { status } = await stand.decide(abort, "approve", "reject", { by: "ann" });
    expect(status).toBe("aborted");
    expect(await stand.statuses(abort)).toEqual({ a: "completed", approve: "rejected", b: "skipped" });
  });

  it("goes on after a rejection when a branch says what then", async () => {
    const rejected = 'value.decision.kind == "reject"';
    const id = await stand.start([
      human("approve", { onReject: "continue" }),
      { kind: "condition", name: "rejected", when: rejected, then: [task("tell")], else: [task("go")] },
    ]);
    await stand.decide(id, "approve", "reject", { by: "ann" });
    await complete("tell");
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });

  it("needs as many as it asks for, each once, and one rejection is enough", async () => {
    const id = await stand.start([human("approve", { approvals: 2, deciders: ["ann", "bob", "cid"] }), task("b")]);
    await stand.decide(id, "approve", "confirm", { by: "ann" });
    expect(await stand.decide(id, "approve", "confirm", { by: "ann" })).toMatchObject({ changed: false });
    expect(await stand.statuses(id)).toMatchObject({ approve: "waiting_decision" });
    await expect(stand.decide(id, "approve", "confirm", { by: "eve" })).rejects.toMatchObject({
      code: "DECISION_FORBIDDEN",
    });
    await expect(stand.decide(id, "approve", "reject", { by: "ann" })).rejects.toMatchObject({
      code: "DECISION_CONFLICT",
    });
    await stand.decide(id, "approve", "confirm", { by: "bob" });
    expect(await stand.statuses(id)).toMatchObject({ approve: "confirmed", b: "pending" });
    await expect(stand.decide(id, "approve", "confirm", { by: "cid" })).rejects.toMatchObject({
      code: "DECISION_NOT_OPEN",
    });
    await complete("b");
  });

  it("ends by its deadline: confirmed, rejected, or first by others", async () => {
    const timed = { timeoutMs: 60_000 } as const;
    const confirm = await stand.start([human("h", { ...timed, onTimeout: "confirm" })]);
    const reject = await stand.start([human("h", timed)]);
    const escalated = { ...timed, onTimeout: "escalate", deciders: ["ann"], escalateTo: ["boss"] } as const;
    const escalate = await stand.start([human("h", escalated)]);
    await stand.pass(60_000);
    expect(await stand.view(confirm)).toMatchObject({ status: "completed", output: { decision: { by: null } } });
    expect(await stand.view(reject)).toMatchObject({ status: "failed" });
    await expect(stand.decide(escalate, "h", "confirm", { by: "ann" })).rejects.toMatchObject({
      code: "DECISION_FORBIDDEN",
    });
    await stand.decide(escalate, "h", "confirm", { by: "boss" });
    expect(await stand.view(escalate)).toMatchObject({ status: "completed" });
    const late = await stand.start([human("h", escalated)]);
    await stand.pass(60_000);
    await stand.pass(60_000);
    expect(await stand.view(late)).toMatchObject({ status: "failed" });
  });

  it("is skipped when a sibling fails, and open in no rolled-back instance (S05)", async () => {
    const id = await stand.start([fork("f", { x: [task("x")], y: [human("approve")] }), task("z")]);
    const leased = await stand.lease();
    expect(await stand.view(id)).toMatchObject({ status: "running" });
    await stand.settle([leased.get("x"), failed()]);
    await stand.review();
    await complete("undo:x");
    await stand.review();
    expect(await stand.statuses(id)).toMatchObject({ x: "rolled_back", approve: "skipped", f: "skipped" });
    await expect(stand.decide(id, "approve", "confirm", { by: "ann" })).rejects.toMatchObject({
      code: "INSTANCE_TERMINAL",
    });
  });
});

describe("a signal", () => {
  const wait: NodeJson = { kind: "signal", name: "paid" };

  it("is taken by a node that waits, and kept for one that will", async () => {
    const late = await stand.start([wait, task("b")]);
    await stand.review();
    await stand.signal(late, "paid", { sum: 1 });
    const early = await stand.start([task("a"), wait, { ...task("b"), handler: "other" } as NodeJson]);
    await stand.signal(early, "paid", { sum: 2 });
    await stand.signal(early, "other", { sum: 3 });
    const leased = await stand.lease();
    expect(JSON.parse(leased.get("b")?.value ?? "null")).toEqual({ sum: 1 });
    await stand.settle([leased.get("b"), done], [leased.get("a"), done]);
    await stand.review();
    expect(await stand.statuses(early)).toEqual({ a: "completed", paid: "completed", b: "pending" });
    expect((await stand.view(early)).steps[1]?.output).toEqual({ sum: 2 });
    await stand.abort(early);
  });

  it("that is sent twice with one id arrives once", async () => {
    const id = await stand.start([wait, { kind: "signal", name: "again", signal: "paid" }]);
    await stand.signal(id, "paid", 1, "s1");
    expect(await stand.signal(id, "paid", 1, "s1")).toMatchObject({ changed: false });
    expect(await stand.statuses(id)).toEqual({ paid: "completed", again: "waiting" });
    expect(await stand.signal(id, "paid", 2, "s2")).toMatchObject({ status: "completed" });
  });

  it("that does not come in time fails the step", async () => {
    const id = await stand.start([task("a"), { ...wait, timeoutMs: 1_000 } as NodeJson]);
    await complete("a");
    await stand.review();
    await stand.pass(1_000);
    await complete("undo:a");
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "failed", error: { code: "SIGNAL_TIMEOUT" } });
  });
});

describe("a sleep", () => {
  it("passes its input on when its time has come", async () => {
    const until = "steps.a.at";
    const id = await stand.start([task("a"), { kind: "sleep", name: "s", durationMs: 86_400_000 }, task("b")]);
    const dated = await stand.start([task("a"), { kind: "sleep", name: "s", until }, task("b")]);
    const broken = await stand.start([task("a"), { kind: "sleep", name: "s", until }, task("b")]);
    const leased = await stand.leaseAll();
    for (const step of leased) {
      const at = step.instanceId === broken ? "tomorrow" : "2020-01-01T00:00:00Z";
      await stand.settle([step, { kind: "completed", output: JSON.stringify({ at }) }]);
    }
    await stand.pass(0);
    expect(await stand.statuses(dated)).toEqual({ a: "completed", s: "completed", b: "pending" });
    expect(await stand.statuses(id)).toEqual({ a: "completed", s: "waiting", b: "pending" });
    expect(await stand.view(broken)).toMatchObject({
      status: "rolling_back",
      error: { code: "EXPRESSION_FAILED", message: expect.stringContaining("tomorrow") },
    });
    await stand.pass(86_400_000);
    expect(await stand.statuses(id)).toEqual({ a: "completed", s: "completed", b: "pending" });
    const [b] = (await stand.leaseAll()).filter(({ instanceId, node }) => instanceId === id && node === "b");
    expect(JSON.parse(b?.value ?? "null")).toEqual({ at: "2020-01-01T00:00:00Z" });
    for (const one of [id, dated, broken]) await stand.abort(one);
  });
});

describe("a join that fires early", () => {
  const race = (losers: "cancel" | "compensate" | "wait", join: "any" | { atLeast: number } = "any"): NodeJson => ({
    ...(fork("f", { x: [task("x1"), task("x2")], y: [task("y")], z: [task("z")] }) as Extract<
      NodeJson,
      { kind: "fork" }
    >),
    join,
    losers,
  });

  it("goes on with the first, stops the others, and ends when they have (S12)", async () => {
    const id = await stand.start([race("cancel"), task("after")]);
    const leased = await stand.lease();
    await stand.settle([leased.get("z"), failed()]);
    await stand.settle([leased.get("y"), done]);
    await stand.review();
    expect(await stand.statuses(id)).toMatchObject({ f: "completed", z: "failed", x1: "running", after: "pending" });
    expect((await stand.view(id)).steps[0]?.output).toEqual({ y: "done" });
    await complete("after");
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "running" });
    expect(await stand.settle([leased.get("x1"), done])).toEqual(["adopted"]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "completed", output: "done" });
    expect(await stand.statuses(id)).toMatchObject({ x1: "completed", x2: "skipped" });
  });

  it("undoes the others if it says so, and the instance waits for that", async () => {
    const id = await stand.start([race("compensate"), task("after")]);
    const leased = await stand.lease();
    await stand.settle([leased.get("x1"), done], [leased.get("y"), done]);
    await stand.review();
    await stand.settle([leased.get("z"), done]);
    await stand.review();
    const next = await stand.lease();
    expect([...next.keys()].sort()).toEqual(["after", "undo:x1", "undo:z"]);
    await stand.settle([next.get("after"), done]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "running" });
    await stand.settle([next.get("undo:x1"), done], [next.get("undo:z"), done]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
    expect(await stand.statuses(id)).toMatchObject({ x1: "rolled_back", z: "rolled_back", y: "completed" });
  });

  it("waits for the others if it says so", async () => {
    const id = await stand.start([race("wait", { atLeast: 2 })]);
    const leased = await stand.lease();
    await stand.settle([leased.get("y"), done], [leased.get("z"), done]);
    await stand.review();
    expect(await stand.statuses(id)).toMatchObject({ f: "waiting" });
    await stand.settle([leased.get("x1"), failed()]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "completed", output: { y: "done", z: "done" } });
  });

  it("fails when it can never fire", async () => {
    const id = await stand.start([task("a"), race("cancel", { atLeast: 3 })]);
    await complete("a");
    const leased = await stand.lease();
    await stand.settle([leased.get("y"), failed("first")]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "rolling_back", error: { message: "first" } });
    await stand.abort(id);
  });
});

describe("an early end", () => {
  const when = "input.big";
  const end = (how: "complete" | "fail" | "rollbackTo"): NodeJson => ({
    kind: "end",
    name: "stop",
    how,
    ...(how === "rollbackTo" && { savepoint: "first" }),
    ...(how !== "complete" && { message: "too big" }),
  });
  const nodes = (how: "complete" | "fail" | "rollbackTo"): NodeJson[] => [
    task("a"),
    { kind: "savepoint", name: "first" },
    task("b"),
    { kind: "savepoint", name: "second" },
    task("c"),
    { kind: "condition", name: "big", when, then: [end(how)], else: [] },
    task("d"),
  ];
  const run = async (how: "complete" | "fail" | "rollbackTo"): Promise<string> => {
    const id = await stand.start(nodes(how), { big: true });
    for (const name of ["a", "b", "c"]) await complete(name);
    await stand.review();
    return id;
  };

  it("completes the instance with the value that reached it", async () => {
    const id = await run("complete");
    expect(await stand.view(id)).toMatchObject({ status: "completed", output: "done" });
    expect(await stand.statuses(id)).toMatchObject({ stop: "completed", d: "skipped" });
  });

  it("fails it, back to the last savepoint or to the one it names", async () => {
    const fail = await run("fail");
    await complete("undo:c");
    await stand.review();
    expect(await stand.view(fail)).toMatchObject({
      status: "failed",
      savepoint: "second",
      error: { code: "FAILED_BY_DEFINITION", message: expect.stringContaining("too big") },
    });
    const back = await run("rollbackTo");
    await complete("undo:c");
    await stand.review();
    await complete("undo:b");
    await stand.review();
    expect(await stand.view(back)).toMatchObject({ status: "failed", savepoint: "first" });
    expect(await stand.statuses(back)).toMatchObject({ a: "completed", b: "rolled_back", second: "rolled_back" });
  });
});

describe("an instance with a deadline", () => {
  it("is cancelled with rollback when it passes", async () => {
    const id = await stand.start([task("a"), human("h")], {}, { deadlineMs: 5_000 });
    await complete("a");
    await stand.pass(5_000);
    await complete("undo:a");
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "cancelled", error: { code: "DEADLINE_EXCEEDED" } });
  });
});

it("leaves no timer behind in any of these", async () => {
  expect(
    await sql(
      stand.db,
      "SELECT t.* FROM {schema}.timer t JOIN {schema}.instance i USING (instance_id) WHERE i.finished_at IS NOT NULL",
    ),
  ).toEqual([]);
});
