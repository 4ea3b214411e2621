import { ringTimers } from "@floxy/shared";
import {
  buryDead,
  changeSteps,
  disownQueued,
  exhumeDead,
  forgetSteps,
  getDeadLetters,
  insertRecords,
  insertSignal,
  insertVote,
  loadAffairs,
  loadQueue,
  loadSteps,
  lockInstances,
  prepareResume,
  readSnapshot,
  removeQueued,
  takeSignals,
} from "@floxy/shared/store";
import { expect, it } from "vitest";
import { bothStores } from "./bench.ts";
import {
  broken,
  enqueue,
  lease,
  noted,
  queued,
  queuedOf,
  record,
  result,
  setStatus,
  settleAll,
  start,
  stepOf,
} from "./fixtures.ts";

bothStores("changing instances", (bench) => {
  it("keeps what it is not told: cause, boundary and output", async () => {
    const instanceId = await start(bench.db, []);
    const cause = JSON.stringify(broken());
    await setStatus(bench.db, instanceId, "rolling_back", { cause, bounds: true, boundary: "s", outputFrom: "a" });
    await setStatus(bench.db, instanceId, "dlq", { pausedFrom: "rolling_back" });
    const kept = { status: "dlq", cause: broken(), boundary: "s", outputFrom: "a", pausedFrom: "rolling_back" };
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject(kept);
    await setStatus(bench.db, instanceId, "running", { bounds: true, restart: true });
    const restarted = { status: "running", cause: null, boundary: null, outputFrom: "a", pausedFrom: null, run: 1 };
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject(restarted);
  });

  it("ends an instance with its timers, and takes that back", async () => {
    const instanceId = await start(bench.db, [], { deadlineMs: 5 });
    await setStatus(bench.db, instanceId, "failed", { finish: true });
    expect((await readSnapshot(bench.db, instanceId))?.instance.finishedAt).toEqual(new Date(bench.now));
    await setStatus(bench.db, instanceId, "running");
    expect((await readSnapshot(bench.db, instanceId))?.instance.finishedAt).toBeNull();
    bench.pass(5);
    expect(await ringTimers(bench.db, 10)).toBe(0);
  });

  it("takes from what was queued before a freeze, and from losers, the right to advance the graph", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    await disownQueued(bench.db, [{ instanceId, node: "b" }]);
    const current = async () => (await loadQueue(bench.db, [instanceId])).map((row) => row.current);
    expect(await current()).toEqual([true, false]);
    await setStatus(bench.db, instanceId, "running", { freeze: true });
    await enqueue(bench.db, instanceId, queued("c"));
    expect(await current()).toEqual([false, false, true]);
    const { b } = await lease(bench.db);
    expect(await settleAll(bench.db, [result(b)])).toEqual(["adopted"]);
  });

  it("says which instances are overdue, in the order of their ids, and leaves out what does not exist", async () => {
    const ids = [await start(bench.db, [], { deadlineMs: 10 }), await start(bench.db, [])];
    bench.pass(9);
    expect((await lockInstances(bench.db, ids)).map(({ overdue }) => overdue)).toEqual([false, false]);
    bench.pass(1);
    const locked = await lockInstances(bench.db, [...ids].reverse().concat("none"));
    expect(locked.map(({ instanceId, overdue }) => [instanceId, overdue])).toEqual([
      [ids[0], true],
      [ids[1], false],
    ]);
  });
});

bothStores("changing steps", (bench) => {
  it("makes a row of a step that leaves the queue, with its run and the input that a person gave it", async () => {
    const instanceId = await start(bench.db, []);
    await setStatus(bench.db, instanceId, "running", { restart: true });
    await enqueue(bench.db, instanceId, { ...queued("a"), ...{ input: '{"given":1}' } });
    await changeSteps(bench.db, [{ instanceId, node: "a", status: "skipped", outcome: "absent", inputFrom: "b" }]);
    await removeQueued(bench.db, [{ instanceId, node: "a" }]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({
      status: "skipped",
      outcome: "absent",
      run: 1,
      attempt: 0,
    });
    expect(await queuedOf(bench.db, instanceId, "a")).toBeUndefined();
    await buryDead(bench.db, [{ instanceId, node: "a", lane: "forward", error: broken(), attempt: 0 }]);
    expect((await getDeadLetters(bench.db, [instanceId]))[0]?.input).toBe('{"given":1}');
  });

  it("keeps what a change does not name, but the time until which it waits", async () => {
    const instanceId = await start(bench.db, []);
    await insertRecords(bench.db, [
      { instanceId, ...record("f", { status: "waiting", due: { inMs: 10 }, inputFrom: "x" }) },
    ]);
    bench.pass(3);
    const change = {
      instanceId,
      node: "f",
      status: "completed",
      output: { o: null },
      side: "then",
      winners: ["l"],
    } as const;
    await changeSteps(bench.db, [{ ...change, attempt: 2 }]);
    const settled = {
      status: "completed",
      output: '{"o":null}',
      side: "then",
      winners: ["l"],
      dueAt: null,
      attempt: 2,
    };
    expect(await stepOf(bench.db, instanceId, "f")).toMatchObject({ ...settled, finishedAt: new Date(bench.now) });
    bench.pass(10);
    expect(await ringTimers(bench.db, 10)).toBe(0);
    await changeSteps(bench.db, [{ instanceId, node: "f", status: "rolled_back", attempt: 1 }]);
    const kept = { ...settled, status: "rolled_back", outcome: "happened", finishedAt: new Date(bench.now - 10) };
    expect(await stepOf(bench.db, instanceId, "f")).toMatchObject(kept);
  });

  it("lets a step wait for longer", async () => {
    const instanceId = await start(bench.db, []);
    await insertRecords(bench.db, [{ instanceId, ...record("h", { status: "waiting_decision", due: { inMs: 10 } }) }]);
    const at = new Date(bench.now + 50).toISOString();
    await changeSteps(bench.db, [{ instanceId, node: "h", status: "waiting_decision", due: { at } }]);
    bench.pass(49);
    expect([await ringTimers(bench.db, 10), (await loadSteps(bench.db, [instanceId]))[0]?.due]).toEqual([0, false]);
    bench.pass(1);
    expect([await ringTimers(bench.db, 10), (await loadSteps(bench.db, [instanceId]))[0]?.due]).toEqual([1, true]);
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("records a node anew in place of what was, in the instance's run, and buries one that a person is to decide", async () => {
    const instanceId = await start(bench.db, []);
    const error = broken();
    await insertRecords(bench.db, [{ instanceId, ...record("c", { side: "then" }) }]);
    await changeSteps(bench.db, [{ instanceId, node: "c", status: "rolled_back", output: 1, winners: [], attempt: 3 }]);
    await setStatus(bench.db, instanceId, "running", { restart: true });
    bench.pass(1);
    await insertRecords(bench.db, [{ instanceId, ...record("c", { status: "paused", error }) }]);
    const anew = {
      status: "paused",
      outcome: "absent",
      side: null,
      output: null,
      winners: null,
      attempt: 0,
      run: 1,
      error,
    };
    expect(await stepOf(bench.db, instanceId, "c")).toMatchObject({ ...anew, finishedAt: new Date(bench.now) });
    expect(await getDeadLetters(bench.db, [instanceId])).toMatchObject([{ node: "c", lane: "forward", attempt: 0 }]);
    await exhumeDead(bench.db, [{ instanceId, node: "c" }]);
    expect(await getDeadLetters(bench.db, [instanceId])).toEqual([]);
  });

  it("gives steps in the order in which they were settled, those of one moment by name", async () => {
    const instanceId = await start(bench.db, []);
    await insertRecords(
      bench.db,
      [record("z"), record("y")].map((one) => ({ ...one, instanceId })),
    );
    bench.pass(1);
    await insertRecords(bench.db, [{ instanceId, ...record("a") }]);
    expect((await loadSteps(bench.db, [instanceId])).map(({ node }) => node)).toEqual(["y", "z", "a"]);
  });

  it("forgets steps and the votes on them", async () => {
    const instanceId = await start(bench.db, []);
    await insertRecords(
      bench.db,
      [record("h"), record("i")].map((one) => ({ ...one, instanceId })),
    );
    for (const node of ["h", "i"]) {
      await insertVote(bench.db, { instanceId, node, voter: "ada", kind: "confirm", comment: null, form: null });
    }
    await forgetSteps(bench.db, [{ instanceId, node: "h" }]);
    expect((await loadSteps(bench.db, [instanceId])).map(({ node }) => node)).toEqual(["i"]);
    expect((await loadAffairs(bench.db, [instanceId])).map(({ node }) => node)).toEqual(["i"]);
  });

  it("queues in the instance's epoch and run, and refuses what stands in the queue", async () => {
    const instanceId = await start(bench.db, ["a"], { priority: 3 });
    await setStatus(bench.db, instanceId, "running", { freeze: true, restart: true });
    await enqueue(bench.db, instanceId, queued("b", { delayMs: 4 }));
    const row = { state: "delayed", run: 1, attempt: 0, readyAt: new Date(bench.now + 4), lane: "forward" };
    expect(await queuedOf(bench.db, instanceId, "b")).toMatchObject(row);
    await expect(enqueue(bench.db, instanceId, queued("c"), queued("b"))).rejects.toMatchObject({ code: "23505" });
    expect(await queuedOf(bench.db, instanceId, "c")).toBeUndefined();
  });
});

bothStores("votes and signals", (bench) => {
  const vote = { node: "h", comment: null, form: null } as const;
  const signal = { name: "paid", sentBy: null };

  it("gives votes in the order in which they were made, one of each voter", async () => {
    const instanceId = await start(bench.db, []);
    expect(
      await insertVote(bench.db, { ...vote, instanceId, voter: "zoe", kind: "confirm", form: '{"a":1}' }),
    ).toBeUndefined();
    bench.pass(1);
    expect(await insertVote(bench.db, { ...vote, instanceId, voter: "ada", kind: "confirm" })).toBeUndefined();
    expect(await insertVote(bench.db, { ...vote, instanceId, voter: "zoe", kind: "reject" })).toBe("confirm");
    const votes = (await loadAffairs(bench.db, [instanceId])).map(({ data }) => data);
    const at = new Date(bench.now - 1).toISOString();
    expect(votes[0]).toEqual({ by: "zoe", kind: "confirm", comment: null, form: { a: 1 }, at });
    expect(votes[1]).toMatchObject({ by: "ada", form: null });
  });

  it("keeps signals in the order in which they arrived until a node takes them, and gives them back", async () => {
    const instanceId = await start(bench.db, []);
    const kept = async () =>
      (await loadAffairs(bench.db, [instanceId])).map(({ data }) => ("signalId" in data ? data.signalId : ""));
    for (const signalId of ["s2", "s1"]) {
      expect(await insertSignal(bench.db, { ...signal, instanceId, signalId, payload: '{"p":1}' })).toBe(true);
    }
    expect(await insertSignal(bench.db, { ...signal, instanceId, signalId: "s1", payload: "2" })).toBe(false);
    expect(await kept()).toEqual(["s2", "s1"]);
    await takeSignals(bench.db, [{ instanceId, signalId: "s2", node: "w" }], []);
    expect(await loadAffairs(bench.db, [instanceId])).toMatchObject([
      { data: { signalId: "s1", name: "paid", payload: { p: 1 } } },
    ]);
    await takeSignals(bench.db, [{ instanceId, signalId: "s1", node: "v" }], [{ instanceId, node: "w" }]);
    expect(await kept()).toEqual(["s2"]);
  });
});

bothStores("resuming", (bench) => {
  it("replaces the input, or what the savepoint passes on, and takes the deadline away", async () => {
    const instanceId = await start(bench.db, [], { deadlineMs: 5 });
    await insertRecords(bench.db, [{ instanceId, ...record("s") }]);
    expect(await prepareResume(bench.db, { instanceId, savepoint: "s", value: "7" })).toBe('{"n":1}');
    expect(await stepOf(bench.db, instanceId, "s")).toMatchObject({ output: "7" });
    expect(await prepareResume(bench.db, { instanceId, savepoint: null, value: "8" })).toBe('{"n":1}');
    expect(await prepareResume(bench.db, { instanceId, savepoint: null, value: null })).toBe("8");
    bench.pass(10);
    expect((await lockInstances(bench.db, [instanceId]))[0]?.overdue).toBe(false);
  });
});
