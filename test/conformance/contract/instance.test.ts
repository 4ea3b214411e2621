import { claim, getEvents, listInstances, newId, ringTimers, sampleQueue, statesOf } from "@floxy/shared";
import {
  appendEvents,
  findDefinition,
  findExisting,
  findVersion,
  getDefinition,
  getInstances,
  hasAct,
  hasDefinition,
  insertAudit,
  insertDefinition,
  insertInstances,
  insertPause,
  listAudit,
  listDefinitions,
  postponeInbox,
  putInbox,
  readSnapshot,
  takeInbox,
  updateDeprecated,
} from "@floxy/shared/store";
import { expect, it } from "vitest";
import { bothStores } from "./bench.ts";
import {
  broken,
  follows,
  lease,
  newInstance,
  noted,
  queued,
  record,
  setStatus,
  start,
  stepOf,
  story,
} from "./fixtures.ts";

bothStores("starting instances", (bench) => {
  it("inserts an instance with its first steps, records and timers", async () => {
    const records = [record("c", { side: "then" }), record("z", { status: "waiting", due: { inMs: 9 } })];
    const advance = follows({ records, enqueue: [queued("a")], review: true });
    const instanceId = await start(bench.db, [], { advance, deadlineMs: 5 });
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject({
      ...{ status: "running", run: 0, idempotencyKey: null, deadlineAt: new Date(bench.now + 5), finishedAt: null },
      ...{ createdAt: new Date(bench.now), metadata: {}, priority: 50 },
    });
    expect(await story(bench.db, instanceId)).toEqual(["instance.started", "step.completed c", "step.waiting z"]);
    expect(await noted(bench.db)).toEqual([instanceId]);
    bench.pass(9);
    expect(await ringTimers(bench.db, 10)).toBe(2);
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("completes at once one that has nothing to do; it has no deadline", async () => {
    const advance = follows({ finished: { outputFrom: null } });
    const instanceId = await start(bench.db, [], { advance, deadlineMs: 5 });
    expect(await getInstances(bench.db, [instanceId])).toMatchObject([
      { status: "completed", output: '{"n":1}', deadlineAt: null },
    ]);
    expect(await story(bench.db, instanceId)).toEqual(["instance.started", "instance.completed"]);
  });

  it("inserts none whose id or idempotency key exists, nor two with the same key", async () => {
    const first = newInstance(["a"], { idempotencyKey: "k" });
    const sameKey = newInstance(["a"], { idempotencyKey: "k" });
    const other = newInstance(["a"], { idempotencyKey: "k", definitionName: "e" });
    expect(await insertInstances(bench.db, [sameKey, other, first])).toEqual(
      [sameKey, other, first].map(
        (one) => one === other || one.instanceId === [first, sameKey].map((x) => x.instanceId).sort()[0],
      ),
    );
    expect(await insertInstances(bench.db, [first, newInstance([], { instanceId: other.instanceId })])).toEqual([
      false,
      false,
    ]);
    expect(Object.keys(await lease(bench.db))).toEqual(["a"]);
  });

  it("finds by id and by idempotency key what exists, each once", async () => {
    const first = newInstance([], { idempotencyKey: "k" });
    const second = newInstance([]);
    await insertInstances(bench.db, [first, second]);
    const again = newInstance([], { idempotencyKey: "k" });
    const found = await findExisting(bench.db, [first, again, second, newInstance([])]);
    expect(found.map(({ instanceId }) => instanceId).sort()).toEqual([first.instanceId, second.instanceId].sort());
    expect(found.find(({ instanceId }) => instanceId === first.instanceId)).toEqual({
      ...{
        instanceId: first.instanceId,
        definitionName: "d",
        definitionVersion: 1,
        idempotencyKey: "k",
        input: '{"n":1}',
      },
    });
  });

  it("buries a condition that a person is to decide before anything has run", async () => {
    const advance = follows({ records: [record("c", { status: "paused", error: broken() })] });
    const instanceId = await start(bench.db, [], { advance });
    expect(await stepOf(bench.db, instanceId, "c")).toMatchObject({ status: "paused", outcome: "absent" });
    expect((await readSnapshot(bench.db, instanceId))?.deadLetters).toMatchObject([
      { node: "c", error: broken(), attempt: 0 },
    ]);
  });
});

bothStores("looking at instances", (bench) => {
  it("lists by name, status and where the page before ended, the newest first", async () => {
    const ids = [
      await start(bench.db, []),
      await start(bench.db, []),
      await start(bench.db, [], { definitionName: "e" }),
    ];
    await setStatus(bench.db, ids[1] ?? "", "failed", { finish: true });
    const list = async (filter: object) =>
      (await listInstances(bench.db, { limit: 10, ...filter })).map(({ instanceId }) => ids.indexOf(instanceId));
    expect(await list({})).toEqual([2, 1, 0]);
    expect(await list({ limit: 2 })).toEqual([2, 1]);
    expect(await list({ before: ids[1] })).toEqual([0]);
    expect(await list({ definitionName: "d" })).toEqual([1, 0]);
    expect(await list({ statuses: ["failed", "aborted"] })).toEqual([1]);
    const states = await statesOf(bench.db, [...ids, "none"]);
    expect(states.filter(({ finished }) => finished)).toEqual([
      { instanceId: ids[1], status: "failed", finished: true },
    ]);
  });

  it("reads events after a cursor, at most so many", async () => {
    const instanceId = await start(bench.db, []);
    const data = JSON.stringify({ by: "ada" });
    await appendEvents(bench.db, [
      { instanceId, type: "decision.made", node: "h", data },
      { instanceId, type: "instance.failed", node: null, data: null },
    ]);
    const [first, ...others] = await getEvents(bench.db, { instanceId, limit: 2 });
    expect([first?.type, others.length]).toEqual(["instance.started", 1]);
    const rest = await getEvents(bench.db, { instanceId, after: first?.eventId, limit: 10 });
    const made = { node: "h", attempt: null, workerId: null, data: { by: "ada" }, createdAt: new Date(bench.now) };
    expect(rest).toMatchObject([made, { type: "instance.failed", data: null }]);
  });

  it("samples the queue", async () => {
    await start(bench.db, [], {
      advance: follows({ enqueue: [queued("a"), queued("b", { delayMs: 10 }), queued("c", { handler: "g" })] }),
    });
    await lease(bench.db);
    bench.pass(1_500);
    await start(bench.db, ["d"]);
    await putInbox(bench.db, [{ instanceId: "x" }]);
    bench.pass(500);
    const handlers = [
      { handler: "g", ready: 1, oldestSeconds: 2 },
      { handler: "h", ready: 1, oldestSeconds: 0.5 },
    ];
    const counts = { delayed: 1, leased: 1, inbox: 1, postponed: 0, deadLetters: { forward: 0, compensation: 0 } };
    expect(await sampleQueue(bench.db)).toEqual({ handlers, ...counts });
  });
});

bothStores("the inbox", (bench) => {
  it("gives each note once, at most so many", async () => {
    await putInbox(
      bench.db,
      ["i", "j", "i"].map((instanceId) => ({ instanceId })),
    );
    expect((await takeInbox(bench.db, 2)).map(({ instanceId }) => instanceId).sort()).toEqual(["i", "j"]);
    expect(await takeInbox(bench.db, 2)).toMatchObject([{ instanceId: "i", attempt: 0 }]);
    expect(await takeInbox(bench.db, 2)).toEqual([]);
  });

  it("puts a note off that could not be handled", async () => {
    await putInbox(bench.db, [{ instanceId: "i" }]);
    const taken = await bench.db
      .transaction(async (tx) => {
        const [note] = await takeInbox(tx, 1);
        throw Object.assign(new Error("cannot be handled"), { note });
      })
      .catch((error: { note: { inboxId: number } }) => error.note);
    await postponeInbox(bench.db, { inboxId: taken.inboxId, delayMs: 10, error: "because" });
    bench.pass(9);
    expect(await takeInbox(bench.db, 1)).toEqual([]);
    bench.pass(1);
    expect(await takeInbox(bench.db, 1)).toEqual([{ ...taken, instanceId: "i", attempt: 1 }]);
  });
});

bothStores("definitions and the audit", (bench) => {
  it("keeps what was registered first under a name and version", async () => {
    const row = { name: "d", version: 1, fingerprint: "f", body: '{"b":1}' };
    expect(await insertDefinition(bench.db, row)).toBe("f");
    expect(await insertDefinition(bench.db, { ...row, fingerprint: "g", body: "{}" })).toBe("f");
    expect(await getDefinition(bench.db, "d", 1)).toEqual(row);
    expect([await hasDefinition(bench.db, "d"), await hasDefinition(bench.db, "e")]).toEqual([true, false]);
  });

  it("gives the highest version that is not deprecated", async () => {
    for (const version of [2, 10, 9])
      await insertDefinition(bench.db, { name: "d", version, fingerprint: "f", body: "{}" });
    expect(await findVersion(bench.db, "d")).toBe(10);
    const deprecate = (version: number, deprecated: boolean) =>
      updateDeprecated(bench.db, { name: "d", version, deprecated });
    expect(await deprecate(10, true)).toEqual({ before: false });
    expect(await deprecate(10, true)).toEqual({ before: true });
    expect(await deprecate(11, true)).toBeUndefined();
    expect([await findVersion(bench.db, "d"), (await getDefinition(bench.db, "d", null))?.version]).toEqual([9, 9]);
    expect((await getDefinition(bench.db, "d", 10))?.version).toBe(10);
    await deprecate(10, false);
    expect(await findVersion(bench.db, "d")).toBe(10);
    expect(await findVersion(bench.db, "none")).toBeUndefined();
  });

  it("lists definitions with their state and what runs of them", async () => {
    for (const version of [1, 2])
      await insertDefinition(bench.db, { name: "d", version, fingerprint: "f", body: '{"b":1}' });
    await insertDefinition(bench.db, { name: "c", version: 1, fingerprint: "g", body: "{}" });
    await start(bench.db, []);
    await setStatus(bench.db, await start(bench.db, []), "failed", { finish: true });
    await insertPause(bench.db, { name: "d", requestedBy: "op", reason: null });
    await updateDeprecated(bench.db, { name: "d", version: 2, deprecated: true });
    const createdAt = new Date(bench.now);
    const first = {
      name: "d",
      version: 1,
      fingerprint: "f",
      createdAt,
      deprecatedAt: null,
      paused: true,
      instances: { running: 1 },
    };
    const second = { ...first, version: 2, deprecatedAt: new Date(bench.now), instances: {} };
    expect(await listDefinitions(bench.db, "d")).toEqual([second, first]);
    expect((await listDefinitions(bench.db, null)).map(({ name }) => name)).toEqual(["c", "d", "d"]);
    expect(await findDefinition(bench.db, "d", null)).toEqual({ ...first, body: '{"b":1}' });
    expect(await findDefinition(bench.db, "d", 3)).toBeUndefined();
  });

  it("records acts, each once, and lists the newest first", async () => {
    const nowhere = { node: null, definitionName: null, definitionVersion: null, reason: null } as const;
    const act = { ...nowhere, act: "cancel", requestedBy: "op", actId: null, data: null, instanceId: "i" } as const;
    await insertAudit(bench.db, [{ ...act, actId: "x", data: '{"a":1}' }, act]);
    await insertAudit(bench.db, [{ ...act, instanceId: "j" }]);
    await expect(insertAudit(bench.db, [act, { ...act, actId: "x" }])).rejects.toMatchObject({ code: "23505" });
    expect([await hasAct(bench.db, "x"), await hasAct(bench.db, "y")]).toEqual([true, false]);
    const all = await listAudit(bench.db, { instanceId: null, before: null, limit: 10 });
    expect(all.map(({ instanceId }) => instanceId)).toEqual(["j", "i", "i"]);
    const older = await listAudit(bench.db, { instanceId: "i", before: all[1]?.auditId ?? 0, limit: 10 });
    expect(older).toMatchObject([{ actId: "x", data: { a: 1 }, requestedBy: "op", createdAt: new Date(bench.now) }]);
  });
});

bothStores("transactions", (bench) => {
  it("leave nothing of what was done when they throw", async () => {
    const before = await start(bench.db, ["a"]);
    const broke = bench.db.transaction(async (tx) => {
      await insertInstances(tx, [newInstance(["b"], { instanceId: newId(), idempotencyKey: "k" })]);
      await appendEvents(tx, [{ instanceId: before, type: "instance.failed", node: null, data: null }]);
      await claim(tx, { workerId: "w", handlers: [{ handler: "h", slots: 9 }], limit: 9, leaseMs: 1 });
      throw new Error("mine");
    });
    await expect(broke).rejects.toThrow("mine");
    expect(await story(bench.db, before)).toEqual(["instance.started"]);
    const { a, ...others } = await lease(bench.db);
    expect([a?.attempt, others]).toEqual([1, {}]);
    expect(await insertInstances(bench.db, [newInstance([], { idempotencyKey: "k" })])).toEqual([true]);
  });

  it("fail with a verb that failed, also when its error was caught", async () => {
    const instanceId = await start(bench.db, []);
    const caught = bench.db.transaction(async (tx) => {
      await putInbox(tx, [{ instanceId }]);
      await appendEvents(tx, [{ instanceId, type: "instance.failed", node: null, data: "{" }]).catch(() => {});
    });
    await expect(caught).rejects.toMatchObject({ code: "22P02" });
    expect(await noted(bench.db)).toEqual([]);
  });

  it("take no more verbs when they are over", async () => {
    const tx = await bench.db.transaction(async (one) => one);
    await expect(putInbox(tx, [{ instanceId: "i" }])).rejects.toMatchObject({ code: "INTERNAL" });
    expect(await noted(bench.db)).toEqual([]);
  });
});
