/** Operators' acts on PostgreSQL: cancel, abort, dead letters, resume, pause. None of them needs an orchestrator. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { NodeJson } from "../../definition/model.ts";
import { sql } from "../../store/testing/database.ts";
import { done, failed, fork, Stand, task } from "../testing/stand.ts";
import { discardStep, requeueStep, resolveStep, retryCompensation, skipCompensation } from "./dead-letter.ts";
import { pauseDefinition, unpauseDefinition } from "./definition.ts";
import { reprioritise, resumeInstance } from "./resume.ts";
import { abortInstance, cancelInstance } from "./stop.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const settle = async (results: Readonly<Record<string, ReturnType<typeof failed>>>): Promise<void> => {
  const leased = await stand.lease();
  for (const [name, result] of Object.entries(results)) await stand.settle([leased.get(name), result]);
  await stand.review();
};

const audit = (instanceId: string) =>
  sql(
    stand.db,
    "SELECT act, node, requested_by, reason FROM {schema}.audit WHERE instance_id = $1 ORDER BY 1",
    instanceId,
  );

describe("cancelling", () => {
  it("undoes everything, savepoints or not, and then says cancelled (A14, A17)", async () => {
    const id = await stand.start([task("a"), { kind: "savepoint", name: "sp" }, task("b"), task("c")]);
    await settle({ a: done });
    const leased = await stand.lease();
    const after = await stand.act(cancelInstance, { instanceId: id, reason: "wrong order" });
    expect(after).toMatchObject({ status: "cancelling", changed: true });
    expect(await stand.act(cancelInstance, { instanceId: id })).toMatchObject({ changed: false });
    expect(stand.hints.abort.has(id)).toBe(true);
    expect(await stand.settle([leased.get("b"), done])).toEqual(["adopted"]);
    await stand.review();
    await settle({ "undo:b": done });
    await settle({ "undo:a": done });
    expect(await stand.view(id)).toMatchObject({
      status: "cancelled",
      savepoint: null,
      error: { code: "INSTANCE_CANCELLED", message: "cancelled by op: wrong order" },
    });
    expect(await stand.statuses(id)).toEqual({ a: "rolled_back", sp: "rolled_back", b: "rolled_back", c: "skipped" });
    await expect(stand.act(cancelInstance, { instanceId: id })).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
    expect(await audit(id)).toEqual([{ act: "cancel", node: null, requested_by: "op", reason: "wrong order" }]);
  });

  it("takes effect at once on one that is idle, delayed, waiting or in dlq (S08, S33)", async () => {
    const idle = await stand.start([task("a")]);
    const delayed = await stand.start([task("a", { delayMs: 60_000 })]);
    const waiting = await stand.start([{ kind: "human", name: "h" }]);
    const dlq = await stand.start([task("a")], {}, { onFailure: "dlq" });
    const leased = (await stand.leaseAll()).find(({ instanceId }) => instanceId === dlq);
    await stand.settle([leased, failed()]);
    await stand.review();
    expect(await stand.view(dlq)).toMatchObject({ status: "dlq" });
    for (const instanceId of [delayed, waiting]) {
      expect(await stand.act(cancelInstance, { instanceId })).toMatchObject({ status: "cancelled" });
    }
    expect(await stand.act(cancelInstance, { instanceId: dlq })).toMatchObject({ status: "cancelling" });
    expect(await stand.act(cancelInstance, { instanceId: idle })).toMatchObject({ status: "cancelling" });
    await settle({ "undo:a": done });
    expect(await stand.view(dlq)).toMatchObject({ status: "cancelled" });
    await stand.abort(idle);
  });

  it("of a rollback goes on to the root", async () => {
    const id = await stand.start([task("a"), { kind: "savepoint", name: "sp" }, task("b"), task("c")]);
    await settle({ a: done });
    await settle({ b: done });
    await settle({ c: failed() });
    expect(await stand.act(cancelInstance, { instanceId: id })).toMatchObject({ status: "cancelling" });
    for (const undo of ["undo:c", "undo:b", "undo:a"]) await settle({ [undo]: done });
    expect(await stand.view(id)).toMatchObject({ status: "cancelled", error: { code: "HANDLER_FAILED" } });
  });
});

describe("aborting", () => {
  it("leaves everything as it stands, and nothing runs afterwards (A16, A19, S09)", async () => {
    const id = await stand.start([task("a"), fork("f", { x: [task("x")], y: [task("y")] }), task("z")]);
    await settle({ a: done });
    const leased = await stand.lease();
    expect(await stand.act(abortInstance, { instanceId: id, reason: "stop" })).toMatchObject({ status: "aborted" });
    expect(await stand.settle([leased.get("x"), done], [leased.get("y"), failed()])).toEqual(["lost", "lost"]);
    await stand.review();
    expect(await stand.lease()).toEqual(new Map());
    expect(await stand.view(id)).toMatchObject({ status: "aborted", error: { code: "INSTANCE_ABORTED" } });
    expect(await stand.statuses(id)).toEqual({ a: "completed", f: "skipped", x: "failed", y: "failed", z: "skipped" });
    for (const act of [abortInstance, cancelInstance]) {
      await expect(stand.act(act, { instanceId: id })).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
    }
    expect(await audit(id)).toHaveLength(1);
  });

  it("stops a rollback too", async () => {
    const id = await stand.start([task("a"), task("b")]);
    await settle({ a: done });
    await settle({ b: failed() });
    const leased = await stand.lease();
    await stand.abort(id);
    expect(await stand.settle([leased.get("undo:b"), done])).toEqual(["lost"]);
    expect(await stand.statuses(id)).toEqual({ a: "completed", b: "failed" });
  });
});

describe("DLQ mode", () => {
  const dlq = { onFailure: "dlq" } as const;

  it("pauses the step with a dead letter, and requeueing ends it as if nothing had been (A9, A10, A11)", async () => {
    const id = await stand.start([task("a"), task("b", { inputSchema: { type: "object" } }), task("c")], {}, dlq);
    await settle({ a: done });
    await settle({ b: failed("disk full") });
    expect(await stand.view(id)).toMatchObject({ status: "dlq" });
    expect(await stand.statuses(id)).toEqual({ a: "completed", b: "paused", c: "pending" });
    expect(
      await sql(
        stand.db,
        "SELECT node, kind, attempt, error->>'message' AS m FROM {schema}.dead_letter WHERE instance_id = $1",
        id,
      ),
    ).toEqual([{ node: "b", kind: "forward", attempt: 1, m: "disk full" }]);
    await expect(stand.act(requeueStep, { instanceId: id, step: "b", input: 7 })).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await expect(stand.act(requeueStep, { instanceId: id, step: "a" })).rejects.toMatchObject({
      code: "DEAD_LETTER_NOT_FOUND",
    });
    await expect(stand.act(requeueStep, { instanceId: id, step: "nope" })).rejects.toMatchObject({
      code: "STEP_NOT_FOUND",
    });
    const input = { n: 1 };
    expect(await stand.act(requeueStep, { instanceId: id, step: "b", input })).toMatchObject({ status: "running" });
    const leased = await stand.lease();
    expect(leased.get("b")).toMatchObject({ attempt: 1, input: JSON.stringify(input) });
    await stand.settle([leased.get("b"), failed("again")]);
    await stand.review();
    await stand.act(requeueStep, { instanceId: id, step: "b" });
    expect((await stand.lease()).get("b")?.input).toBe(JSON.stringify(input));
    await stand.abort(id);
  });

  it("lets branches beside run on to their join, and goes on after a requeue (A13, S07, S28)", async () => {
    const branches = { x: [task("x1"), task("x2")], y: [task("y1"), task("y2")], z: [task("z1"), task("z2")] };
    const id = await stand.start([fork("f", branches), task("after")], {}, dlq);
    const leased = await stand.lease();
    await stand.settle([leased.get("y1"), failed()]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "running" });
    await stand.settle([leased.get("x1"), done], [leased.get("z1"), done]);
    await settle({ x2: done, z2: done });
    expect(await stand.view(id)).toMatchObject({ status: "dlq" });
    expect(await stand.statuses(id)).toMatchObject({ f: "paused", y1: "paused", x2: "completed" });
    await stand.act(requeueStep, { instanceId: id, step: "y1" });
    await settle({ y1: done });
    await settle({ y2: done });
    await settle({ after: done });
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });

  it("can be resolved with an output, or discarded, which rolls back", async () => {
    const nodes = [task("a"), task("b"), task("c")];
    const resolved = await stand.start(nodes, {}, dlq);
    await settle({ a: done });
    await settle({ b: failed() });
    await stand.act(resolveStep, { instanceId: resolved, step: "b", output: { by: "hand" } });
    const leased = await stand.lease();
    expect(leased.get("c")?.value).toBe('{"by" : "hand"}'.replaceAll(" ", ""));
    await stand.settle([leased.get("c"), done]);
    expect(await stand.view(resolved)).toMatchObject({ status: "completed" });

    const discarded = await stand.start(nodes, {}, dlq);
    await settle({ a: done });
    await settle({ b: failed() });
    await expect(stand.act(discardStep, { instanceId: discarded, step: "b" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    await stand.act(discardStep, { instanceId: discarded, step: "b", reason: "no use" });
    await settle({ "undo:b": done });
    await settle({ "undo:a": done });
    expect(await stand.view(discarded)).toMatchObject({ status: "failed", error: { code: "DEAD_LETTER_DISCARDED" } });
  });

  it("calls a step that is not idempotent no second time; it can be resolved or discarded", async () => {
    const id = await stand.start([task("a", { idempotent: false })], {}, dlq);
    await settle({ a: failed() });
    await expect(stand.act(requeueStep, { instanceId: id, step: "a" })).rejects.toMatchObject({
      code: "STEP_NOT_IDEMPOTENT",
    });
    await stand.act(resolveStep, { instanceId: id, step: "a", output: 1 });
    expect(await stand.view(id)).toMatchObject({ status: "completed", output: 1 });

    const uncalled = await stand.start([task("a", { idempotent: false })], {}, dlq);
    const error = { code: "INPUT_INVALID", message: "no" } as const;
    await settle({ a: { kind: "failed", error, retryable: false, called: false } });
    await stand.act(requeueStep, { instanceId: uncalled, step: "a" });
    await settle({ a: done });
    expect(await stand.view(uncalled)).toMatchObject({ status: "completed" });
  });

  it("pauses a condition that cannot be evaluated, and a person takes a side", async () => {
    const condition: NodeJson = {
      kind: "condition",
      name: "c",
      when: "input.x.y",
      then: [task("t")],
      else: [task("e")],
    };
    const first = await stand.start([condition], {}, dlq);
    const later = await stand.start([task("a"), condition], {}, dlq);
    await stand.review();
    await settle({ a: done });
    for (const instanceId of [first, later]) {
      expect(await stand.view(instanceId)).toMatchObject({ status: "dlq" });
      await stand.act(requeueStep, { instanceId, step: "c" });
      expect(await stand.view(instanceId)).toMatchObject({ status: "dlq" });
      await stand.act(resolveStep, { instanceId, step: "c", output: true });
      const leased = (await stand.leaseAll()).find((step) => step.instanceId === instanceId);
      expect(leased?.node).toBe("t");
      await stand.settle([leased, done]);
      expect(await stand.view(instanceId)).toMatchObject({ status: "completed" });
    }
  });
});

describe("a compensation that fails for good (A12)", () => {
  const run = async (): Promise<string> => {
    const retry = { maxAttempts: 2, delayMs: 0 };
    const undo = { handler: "undo", retry };
    const id = await stand.start([
      task("a"),
      fork("f", { x: [task("x", { compensation: undo })], y: [task("y")] }),
      task("z"),
    ]);
    await settle({ a: done });
    await settle({ x: done, y: done });
    await settle({ z: failed() });
    await settle({ "undo:z": done });
    await settle({ "undo:x": failed("first"), "undo:y": done });
    await settle({ "undo:x": failed("second") });
    expect(await stand.view(id)).toMatchObject({ status: "dlq" });
    expect(await stand.statuses(id)).toMatchObject({ a: "completed", x: "paused", y: "rolled_back" });
    return id;
  };

  it("is retried by a person, with another input", async () => {
    const id = await run();
    await stand.act(retryCompensation, { instanceId: id, step: "x", input: { ref: 2 } });
    const leased = await stand.lease();
    expect(leased.get("undo:x")).toMatchObject({ attempt: 1, input: '{"ref":2}', output: '"done"' });
    await stand.settle([leased.get("undo:x"), done]);
    await stand.review();
    await settle({ "undo:a": done });
    expect(await stand.view(id)).toMatchObject({ status: "failed" });
  });

  it("is skipped with a reason", async () => {
    const id = await run();
    await stand.act(skipCompensation, { instanceId: id, step: "x", reason: "refunded by hand" });
    await settle({ "undo:a": done });
    expect(await stand.view(id)).toMatchObject({ status: "failed" });
    expect(await stand.statuses(id)).toMatchObject({ a: "rolled_back", x: "skipped" });
    expect(await audit(id)).toEqual([
      { act: "skip_compensation", node: "x", requested_by: "op", reason: "refunded by hand" },
    ]);
  });

  it("keeps a cancelled instance in dlq, and cancelled is what it becomes", async () => {
    const id = await run();
    await stand.act(cancelInstance, { instanceId: id });
    expect(await stand.view(id)).toMatchObject({ status: "dlq" });
    await stand.act(skipCompensation, { instanceId: id, step: "x", reason: "by hand" });
    await settle({ "undo:a": done });
    expect(await stand.view(id)).toMatchObject({ status: "cancelled" });
  });
});

describe("resuming", () => {
  const nodes: readonly NodeJson[] = [task("a"), { kind: "savepoint", name: "sp" }, task("b"), task("c")];
  const failAtC = async (id: string): Promise<void> => {
    await settle({ b: done });
    await settle({ c: failed() });
    await settle({ "undo:c": done });
    await settle({ "undo:b": done });
    expect(await stand.view(id)).toMatchObject({ status: "failed", savepoint: "sp" });
  };

  it("goes on from the savepoint with another value, as another run", async () => {
    const id = await stand.start(nodes);
    await settle({ a: done });
    await failAtC(id);
    expect(await stand.act(resumeInstance, { instanceId: id, input: "edited" })).toMatchObject({ status: "running" });
    const leased = await stand.lease();
    expect(leased.get("b")).toMatchObject({ value: '"edited"', run: 1 });
    await stand.settle([leased.get("b"), done]);
    await settle({ c: failed() });
    const undo = await stand.lease();
    expect(undo.get("undo:c")?.run).toBe(1);
    await stand.settle([undo.get("undo:c"), done]);
    await stand.review();
    await settle({ "undo:b": done });
    await stand.act(resumeInstance, { instanceId: id });
    await settle({ b: done });
    await settle({ c: done });
    expect(await stand.view(id)).toMatchObject({ status: "completed", error: null, savepoint: null });
    await expect(stand.act(resumeInstance, { instanceId: id })).rejects.toMatchObject({ code: "INSTANCE_NOT_FAILED" });
  });

  it("goes on from the beginning with another input when there was no savepoint", async () => {
    const id = await stand.start([task("a")], { n: 1 });
    await settle({ a: failed() });
    await settle({ "undo:a": done });
    await stand.act(resumeInstance, { instanceId: id, input: { n: 2 } });
    const leased = await stand.lease();
    expect(leased.get("a")).toMatchObject({ value: '{"n":2}', run: 1 });
    await stand.settle([leased.get("a"), done]);
    expect(await stand.view(id)).toMatchObject({ status: "completed", input: { n: 2 } });
  });

  it("happens by itself as often as the savepoint says", async () => {
    const retry = { maxAttempts: 2, delayMs: 1_000, strategy: "fixed" } as const;
    const id = await stand.start([task("a"), { kind: "savepoint", name: "sp", retry }, task("b")]);
    await settle({ a: done });
    await settle({ b: failed() });
    await settle({ "undo:b": done });
    expect(await stand.view(id)).toMatchObject({ status: "running" });
    expect(await stand.statuses(id)).toMatchObject({ sp: "waiting", b: "pending" });
    await stand.pass(1_000);
    await settle({ b: failed() });
    await settle({ "undo:b": done });
    expect(await stand.view(id)).toMatchObject({ status: "failed", savepoint: "sp" });
    expect((await stand.story(id)).filter((event) => event === "instance.resumed")).toHaveLength(1);
  });
});

describe("pausing a definition", () => {
  it("holds its steps, not those of others and not compensations, until it goes on", async () => {
    const [ready, delayed] = [await stand.start([task("r")]), await stand.start([task("d", { delayMs: 1_000 })])];
    const other = await stand.start([task("o")]);
    const [{ name }, later] = [(await stand.view(ready)).definition, (await stand.view(delayed)).definition];
    const said = { requestedBy: "op", hints: stand.hints };
    expect(await pauseDefinition(stand.db, { ...said, name })).toBe(true);
    expect(await pauseDefinition(stand.db, { ...said, name })).toBe(false);
    await pauseDefinition(stand.db, { ...said, name: later.name });
    await stand.pass(1_000);
    expect([...(await stand.lease()).keys()]).toEqual(["o"]);
    await unpauseDefinition(stand.db, { ...said, name });
    await unpauseDefinition(stand.db, { ...said, name: later.name });
    expect([...(await stand.lease()).keys()].sort()).toEqual(["d", "r"]);
    for (const id of [ready, delayed, other]) await stand.abort(id);
  });
});

describe("reprioritising", () => {
  it("moves what waits", async () => {
    const low = await stand.start([task("low")]);
    const high = await stand.start([task("high")]);
    await stand.act(reprioritise, { instanceId: high, priority: 100 });
    expect([...(await stand.lease()).keys()]).toEqual(["high", "low"]);
    for (const id of [low, high]) await stand.abort(id);
  });
});

it("leaves nothing in the queue, no timer and no dead letter of instances that have ended", async () => {
  for (const table of ["queue", "timer", "dead_letter"]) {
    const text = `SELECT t.* FROM {schema}.${table} t JOIN {schema}.instance i USING (instance_id) WHERE i.finished_at IS NOT NULL`;
    expect(await sql(stand.db, text)).toEqual([]);
  }
});
