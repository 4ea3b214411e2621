/** The verbs of the client, each on a database without an orchestrator: what they change has changed when they answer. */
import { openListener, parseNotification } from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { InstanceHandle } from "./handle.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, eventually, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;
let definitions = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const said = { requestedBy: "ops@example.com", reason: "INC-7" };

/** Starts an instance of these nodes. */
const start = async (
  nodes: Parameters<typeof definitionOf>[1],
  more: Parameters<typeof definitionOf>[2] = {},
  input: unknown = { n: 1 },
): Promise<InstanceHandle> => {
  const { name } = await client.register(definitionOf(`d${++definitions}`, nodes, more));
  return client.start(name, input);
};

const stepOf = async ({ instanceId }: InstanceHandle, name: string) => {
  const found = (await client.get(instanceId)).steps.find(({ step }) => step === name);
  if (found === undefined) throw new Error(`there is no step ${name}`);
  return found;
};

const actsOn = async ({ instanceId }: InstanceHandle) => (await client.audit({ instanceId })).acts;

describe("cancel", () => {
  it("undoes what was done, says so once, and is refused when that is over", async () => {
    const handle = await start([task("a"), task("b")]);
    await database.complete("a", 1);
    const answer = { instanceId: handle.instanceId, status: "cancelling", changed: true };
    expect(await handle.cancel(said)).toEqual(answer);
    expect(await client.cancel(handle.instanceId, said)).toEqual({ ...answer, changed: false });
    expect(await actsOn(handle)).toMatchObject([{ act: "cancel", ...said, actId: expect.any(String) }]);
    expect(await stepOf(handle, "b")).toMatchObject({ status: "skipped", outcome: "absent" });
    await database.complete("undo-a", null);
    await database.review();
    await expect(handle.result()).rejects.toMatchObject({
      code: "INSTANCE_CANCELLED",
      data: { error: { code: "INSTANCE_CANCELLED", message: "cancelled by ops@example.com: INC-7" } },
    });
    expect(await codeOf(handle.cancel(said))).toBe("INSTANCE_TERMINAL");
  });

  it("ends an instance at once of which nothing has happened, and needs no reason", async () => {
    const handle = await start([task("a")]);
    expect(await handle.cancel({ requestedBy: "ops" })).toMatchObject({ status: "cancelled" });
    expect(await handle.waitForEnd()).toMatchObject({ status: "cancelled" });
  });
});

describe("abort", () => {
  it("ends an instance where it stands, and is refused from then on", async () => {
    const handle = await start([task("a"), task("b")]);
    await database.complete("a", 1);
    expect(await handle.abort(said)).toMatchObject({ status: "aborted", changed: true });
    expect(await codeOf(handle.result())).toBe("INSTANCE_ABORTED");
    expect(await stepOf(handle, "a")).toMatchObject({ status: "completed" });
    await expect(client.abort(handle.instanceId, said)).rejects.toMatchObject({
      code: "INSTANCE_TERMINAL",
      data: { status: "aborted" },
    });
  });
});

describe("decide", () => {
  const approve = {
    kind: "human",
    name: "approve",
    deciders: ["ann", "bob"],
    approvals: 2,
    timeoutMs: 60_000,
  } as const;

  it("shows who may decide and who has, and goes on when enough have", async () => {
    const handle = await start([approve, task("b")]);
    const open = await stepOf(handle, "approve");
    expect(open).toMatchObject({
      status: "waiting_decision",
      finishedAt: null,
      input: { n: 1 },
      decision: { isOpen: true, deciders: ["ann", "bob"], approvals: 2, isEscalated: false, votes: [] },
    });
    expect(Number(open.dueAt)).toBeGreaterThan(Date.now());

    const vote = { kind: "confirm", by: "ann", comment: "fine", form: { limit: 5 } } as const;
    expect(await handle.decide("approve", vote)).toMatchObject({ status: "running", changed: true });
    expect(await handle.decide("approve", vote)).toMatchObject({ changed: false });
    expect((await stepOf(handle, "approve")).decision).toMatchObject({
      isOpen: true,
      votes: [{ by: "ann", kind: "confirm", comment: "fine", form: { limit: 5 }, at: expect.any(Date) }],
    });

    await client.decide(handle.instanceId, "approve", { kind: "confirm", by: "bob" });
    expect(await stepOf(handle, "approve")).toMatchObject({
      status: "confirmed",
      dueAt: null,
      decision: { isOpen: false, votes: [{ by: "ann" }, { by: "bob", form: undefined }] },
      output: { n: 1, decision: { kind: "confirm" } },
    });
    await database.complete("b", "done");
    expect(await handle.result()).toBe("done");
    expect(await actsOn(handle)).toMatchObject([
      { act: "decide", node: "approve", requestedBy: "bob", reason: null, data: { kind: "confirm" } },
      { act: "decide", node: "approve", requestedBy: "ann", reason: "fine" },
    ]);
  });

  it("rolls back at once when somebody rejects", async () => {
    const handle = await start([approve, task("c")]);
    expect(await handle.decide("approve", { kind: "reject", by: "bob" })).toMatchObject({ status: "failed" });
    expect(await handle.waitForEnd()).toMatchObject({ error: { code: "DECISION_REJECTED" } });
  });
});

describe("signal", () => {
  const paid = { kind: "signal", name: "paid" } as const;

  it("is kept until a node takes it, and shows meanwhile", async () => {
    const handle = await start([task("before"), paid]);
    expect(await stepOf(handle, "paid")).toMatchObject({ status: "pending", signal: "paid" });
    await handle.signal("paid", { payload: { cents: 5 }, sentBy: "bank", signalId: "s-1" });
    const view = await handle.get();
    expect(view.signals).toEqual([{ signalId: "s-1", name: "paid", sentBy: "bank", sentAt: expect.any(Date) }]);
    await database.complete("before", null);
    await database.review();
    expect(await handle.result()).toEqual({ cents: 5 });
    expect((await handle.get()).signals).toEqual([]);
  });

  it("is taken at once by a node that waits, and arrives once under one id", async () => {
    const handle = await start([paid, { kind: "signal", name: "again", signal: "paid" }]);
    expect((await stepOf(handle, "again")).signal).toBe("paid");
    await handle.signal("paid", { sentBy: "bank", signalId: "s-1" });
    expect(await client.signal(handle.instanceId, "paid", { sentBy: "bank", signalId: "s-1" })).toMatchObject({
      changed: false,
      status: "running",
    });
    expect(await handle.signal("paid", { sentBy: "bank", payload: 2 })).toMatchObject({ status: "completed" });
    expect(await handle.result()).toBe(2);
  });
});

describe("a dead letter of a step", () => {
  const dead = async (): Promise<InstanceHandle> => {
    const handle = await start([task("a"), task("b")], { onFailure: "dlq" });
    await database.complete("a", 1);
    await database.fail("b", "no such card");
    await database.review();
    return handle;
  };

  it("shows why the instance waits, and goes on when the step is queued again with another input", async () => {
    const handle = await dead();
    expect(await handle.get()).toMatchObject({ status: "dlq", pausedFrom: "running" });
    const error = { code: "HANDLER_FAILED", message: "no such card" };
    expect(await stepOf(handle, "b")).toMatchObject({
      status: "paused",
      input: 1,
      deadLetter: { kind: "forward", error, attempt: 1, createdAt: expect.any(Date) },
    });
    expect(await client.requeue(handle.instanceId, "b", { ...said, input: 2 })).toMatchObject({ status: "running" });
    expect(await stepOf(handle, "b")).toMatchObject({ status: "pending", deadLetter: null, attempt: 0 });
    await database.complete("b", "done");
    expect(await handle.result()).toBe("done");
    expect(await actsOn(handle)).toMatchObject([{ act: "requeue", node: "b", data: { input: 2 } }]);
  });

  it("is over when the step is taken as completed", async () => {
    const handle = await dead();
    const options = { ...said, output: { by: "hand" } };
    expect(await client.resolve(handle.instanceId, "b", options)).toMatchObject({ status: "completed" });
    expect(await handle.result()).toEqual({ by: "hand" });
  });

  it("is over when the step is given up, and the instance is rolled back", async () => {
    const handle = await dead();
    expect(await client.discard(handle.instanceId, "b", said)).toMatchObject({ status: "rolling_back" });
    expect((await handle.get()).error).toMatchObject({ code: "DEAD_LETTER_DISCARDED" });
    // What failed may have had an effect, so it is undone first.
    for (const name of ["undo-b", "undo-a"]) {
      await database.complete(name, null);
      await database.review();
    }
    expect(await codeOf(handle.result())).toBe("INSTANCE_FAILED");
  });
});

describe("a dead letter of a compensation", () => {
  const dead = async (): Promise<InstanceHandle> => {
    const handle = await start([task("a"), task("b")]);
    await database.complete("a", 1);
    await handle.cancel(said);
    await database.fail("undo-a", "till is shut");
    await database.review();
    return handle;
  };

  it("goes on when the compensation is called again", async () => {
    const handle = await dead();
    expect(await handle.get()).toMatchObject({ status: "dlq", pausedFrom: "cancelling" });
    expect(await stepOf(handle, "a")).toMatchObject({ deadLetter: { kind: "compensation" }, input: { n: 1 } });
    const options = { ...said, input: { by: "cheque" } };
    expect(await client.retryCompensation(handle.instanceId, "a", options)).toMatchObject({ status: "cancelling" });
    await database.complete("undo-a", null);
    await database.review();
    expect(await handle.waitForEnd()).toMatchObject({ status: "cancelled" });
  });

  it("goes on without it when a person has dealt with it", async () => {
    const handle = await dead();
    expect(await client.skipCompensation(handle.instanceId, "a", said)).toMatchObject({ status: "cancelled" });
    expect(await stepOf(handle, "a")).toMatchObject({ status: "skipped", outcome: "happened", deadLetter: null });
    const types = (await client.events(handle.instanceId)).map(({ type }) => type);
    expect(types).toContain("compensation.skipped");
  });
});

describe("resume", () => {
  it("goes forward from the savepoint with another value, in another run and without a deadline", async () => {
    const { name } = await client.register(
      definitionOf("resumable", [task("a"), { kind: "savepoint", name: "sp" }, task("b")], { deadlineMs: 60_000 }),
    );
    const handle = await client.start(name, 1, { deadlineMs: 120_000 });
    expect(Number((await handle.get()).deadlineAt) - Date.now()).toBeGreaterThan(60_000);
    await database.complete("a", 1);
    await database.fail("b");
    await database.review();
    await database.complete("undo-b", null);
    await database.review();
    expect(await handle.waitForEnd()).toMatchObject({ status: "failed", savepoint: "sp", run: 0 });
    expect(await client.resume(handle.instanceId, { ...said, input: 9 })).toMatchObject({ status: "running" });
    expect(await handle.get()).toMatchObject({ run: 1, deadlineAt: null, error: null });
    expect(await stepOf(handle, "b")).toMatchObject({ status: "pending", run: 1 });
    await database.complete("b", "done");
    expect(await handle.result()).toBe("done");
  });
});

describe("reprioritise", () => {
  it("changes the instance and what waits, so that it is leased before what came earlier", async () => {
    const { name } = await client.register(definitionOf("urgent", [task("u")]));
    const first = await client.start(name, 1);
    const second = await client.start(name, 2);
    expect(await client.reprioritise(second.instanceId, { ...said, priority: 100 })).toMatchObject({ changed: true });
    expect(await second.get()).toMatchObject({ priority: 100 });
    expect((await database.lease("u")).instanceId).toBe(second.instanceId);
    expect((await database.lease("u")).instanceId).toBe(first.instanceId);
  });
});

describe("pausing a definition", () => {
  it("keeps its steps from being leased until it goes on, and shows why", async () => {
    const { name } = await client.register(definitionOf("pausable", [task("p")]));
    const before = await client.start(name, 1);
    expect(await client.pauseDefinition(name, said)).toEqual({ changed: true });
    expect(await client.pauseDefinition(name, said)).toEqual({ changed: false });
    const after = await client.start(name, 2);
    await expect(database.lease("p")).rejects.toThrow("no step of p is ready");
    expect((await after.get()).pause).toEqual({ ...said, at: expect.any(Date) });
    expect(await stepOf(before, "p")).toMatchObject({ status: "pending", queueState: "held" });
    expect(await client.unpauseDefinition(name, said)).toEqual({ changed: true });
    expect(await client.unpauseDefinition(name, said)).toEqual({ changed: false });
    expect((await before.get()).pause).toBeNull();
    await database.complete("p", 1);
    await database.complete("p", 2);
    expect(await Promise.all([before.result(), after.result()])).toEqual([1, 2]);
  });
});

describe("what an act has made possible", () => {
  it("is told to those who listen, once it is committed", async () => {
    const told: string[] = [];
    let ready = (): void => {};
    const listening = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const listener = openListener({
      connectionString: database.url,
      schema: "floxy",
      applicationName: "test",
      channels: ["ready", "finished", "abort"],
      onNotification: (channel, payload) =>
        told.push(...parseNotification(payload).map((item) => `${channel} ${item}`)),
      onResync: ready,
    });
    listener.start();
    await listening;
    const running = await start([task("t1")]);
    await database.lease("t1");
    const waiting = await start([{ kind: "human", name: "approve" }, task("t2")]);
    told.length = 0;
    await waiting.decide("approve", { kind: "confirm", by: "ann" });
    await waiting.abort(said);
    await running.cancel(said);
    const expected = ["ready t2", `finished ${waiting.instanceId}`, `abort ${running.instanceId}`];
    await eventually(async () => expected.every((one) => told.includes(one)));
    await listener.close();
  });
});

describe("deprecating a version", () => {
  it("keeps new instances from it unless it is asked for by number, and can be taken back", async () => {
    await client.register(definitionOf("old", [task("o")]));
    await client.register(definitionOf("old", [task("o")], { version: 2 }));
    expect(await client.deprecate("old", 2, said)).toEqual({ changed: true });
    expect(await client.deprecate("old", 2, said)).toEqual({ changed: false });
    const versionOf = async (version?: number) =>
      (await (await client.start("old", 1, { version })).get()).definition.version;
    expect([await versionOf(), await versionOf(2)]).toEqual([1, 2]);
    expect(await client.undeprecate("old", 2, said)).toEqual({ changed: true });
    expect(await versionOf()).toBe(2);
  });
});
