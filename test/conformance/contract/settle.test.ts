import { buryDead, findExpired, getDeadLetters, listDeadLetters, readSnapshot, ringTimers } from "@floxy/shared/store";
import { expect, it } from "vitest";
import { bothStores } from "./bench.ts";
import {
  broken,
  enqueue,
  follows,
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
  story,
} from "./fixtures.ts";

bothStores("settling a step that completed", (bench) => {
  it("writes its output and queues what follows in the instance's priority", async () => {
    const instanceId = await start(bench.db, ["a"], { priority: 7 });
    const { a } = await lease(bench.db);
    const advance = follows({
      records: [record("c", { side: "else" })],
      enqueue: [queued("b", { inputFrom: "a" }), queued("z", { delayMs: 100 })],
    });
    expect(await settleAll(bench.db, [result(a, { advance })])).toEqual(["settled"]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({
      status: "completed",
      outcome: "happened",
      output: '"out"',
    });
    expect(await stepOf(bench.db, instanceId, "c")).toMatchObject({ status: "completed", side: "else", output: null });
    expect(await queuedOf(bench.db, instanceId, "a")).toBeUndefined();
    expect(await queuedOf(bench.db, instanceId, "z")).toMatchObject({ state: "delayed" });
    expect((await lease(bench.db)).b).toMatchObject({ priority: 7, value: '"out"', attempt: 1 });
    expect(await story(bench.db, instanceId)).toEqual([
      ...["instance.started", "step.leased a", "step.completed a", "step.completed c", "step.leased b"],
    ]);
    expect(await noted(bench.db)).toEqual([]);
  });

  it("completes the instance at its end, which has no timers then", async () => {
    const instanceId = await start(bench.db, ["a"], { deadlineMs: 10 });
    const { a } = await lease(bench.db);
    await settleAll(bench.db, [result(a, { advance: follows({ finished: { outputFrom: "a" } }) })]);
    const snapshot = await readSnapshot(bench.db, instanceId);
    expect(snapshot?.instance).toMatchObject({ status: "completed", outputFrom: "a", finishedAt: new Date(bench.now) });
    bench.pass(100);
    expect(await ringTimers(bench.db, 10)).toBe(0);
    expect((await story(bench.db, instanceId)).slice(-2)).toEqual(["step.completed a", "instance.completed"]);
  });

  it("makes one note when somebody must look at the instance", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    const advance = follows({ review: true });
    await settleAll(bench.db, [result(a, { advance }), result(b, { advance })]);
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("writes what waits with its timer", async () => {
    const instanceId = await start(bench.db, ["a"]);
    const { a } = await lease(bench.db);
    const at = new Date(bench.now + 50).toISOString();
    const records = [
      record("y", { status: "waiting", due: { at } }),
      record("z", { status: "waiting_decision", due: { inMs: 99.5 } }),
    ];
    await settleAll(bench.db, [result(a, { advance: follows({ records }) })]);
    expect((await stepOf(bench.db, instanceId, "y"))?.dueAt).toEqual(new Date(bench.now + 50));
    expect((await stepOf(bench.db, instanceId, "z"))?.dueAt).toEqual(new Date(bench.now + 100));
    bench.pass(50);
    expect([await ringTimers(bench.db, 10), await noted(bench.db)]).toEqual([1, [instanceId]]);
  });

  it("writes nothing at all when a successor stands in the queue, or the output is no JSON", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a } = await lease(bench.db);
    const advance = follows({ records: [record("c")], enqueue: [queued("b")] });
    await expect(settleAll(bench.db, [result(a, { advance })])).rejects.toMatchObject({ code: "23505" });
    await expect(settleAll(bench.db, [result(a, { output: "{" })])).rejects.toMatchObject({ code: "22P02" });
    expect((await readSnapshot(bench.db, instanceId))?.steps).toEqual([]);
    expect(await queuedOf(bench.db, instanceId, "a")).toMatchObject({ state: "leased" });
    expect(await settleAll(bench.db, [result(a)])).toEqual(["settled"]);
  });
});

bothStores("fencing", (bench) => {
  it("writes nothing for a token that is not the lease's, and tells that it was refused", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db);
    const stale = { ...result(a), token: (a?.token ?? 0) + 1_000 };
    expect(await settleAll(bench.db, [stale, { ...stale, instanceId: "unknown" }])).toEqual(["lost", "lost"]);
    expect(await queuedOf(bench.db, instanceId, "a")).toMatchObject({ state: "leased" });
    expect((await story(bench.db, instanceId)).at(-1)).toBe("step.refused a");
  });

  it("answers a repeat as settled and writes nothing twice", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    const results = [result(a), result(b, { verdict: "retry", delayMs: 5 })];
    expect(await settleAll(bench.db, results)).toEqual(["settled", "settled"]);
    const before = await story(bench.db, instanceId);
    expect(await settleAll(bench.db, results)).toEqual(["settled", "settled"]);
    expect(await story(bench.db, instanceId)).toEqual(before);
    expect(await queuedOf(bench.db, instanceId, "b")).toMatchObject({ state: "delayed", attempt: 1 });
  });

  it("knows a repeat of a retry also while the next attempt runs, and no longer after that", async () => {
    const instanceId = await start(bench.db);
    const { a: first } = await lease(bench.db);
    const retry = result(first, { verdict: "retry" });
    await settleAll(bench.db, [retry]);
    const { a: second } = await lease(bench.db);
    expect(await settleAll(bench.db, [retry])).toEqual(["settled"]);
    expect(await settleAll(bench.db, [result(second)])).toEqual(["settled"]);
    expect(await settleAll(bench.db, [retry])).toEqual(["lost"]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({ status: "completed", attempt: 2 });
  });

  it("takes over only what has expired, and leaves no token to the worker that lost it", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db, { leaseMs: 100 });
    const lost = result(a, { verdict: "retry" });
    bench.pass(100);
    expect(await settleAll(bench.db, [lost], { onlyExpired: true })).toEqual(["lost"]);
    bench.pass(1);
    expect(await settleAll(bench.db, [lost], { onlyExpired: true })).toEqual(["settled"]);
    expect(await settleAll(bench.db, [lost], { onlyExpired: true })).toEqual(["lost"]);
    expect(await settleAll(bench.db, [lost])).toEqual(["lost"]);
    expect(await findExpired(bench.db, 10)).toEqual([]);
    expect((await story(bench.db, instanceId)).slice(1)).toEqual([
      "step.leased a",
      "lease.expired a",
      "step.refused a",
    ]);
  });
});

bothStores("settling a step that did not complete", (bench) => {
  it("queues it again, at once or with its delay, and counts an attempt only if it was made", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    const results = [result(a, { verdict: "retry", delayMs: 10 }), result(b, { verdict: "released" })];
    expect(await settleAll(bench.db, results)).toEqual(["settled", "settled"]);
    const readyAt = new Date(bench.now + 10);
    expect(await queuedOf(bench.db, instanceId, "a")).toMatchObject({
      state: "delayed",
      attempt: 1,
      readyAt,
      workerId: null,
    });
    expect(await queuedOf(bench.db, instanceId, "b")).toMatchObject({ state: "ready", attempt: 0, leasedAt: null });
    expect(await noted(bench.db)).toEqual([]);
  });

  it("freezes the instance: what never ran is skipped, what waits for a retry may have had effects", async () => {
    const instanceId = await start(bench.db, ["a", "b", "c", "d"]);
    const { a, b, d } = await lease(bench.db);
    await settleAll(bench.db, [result(b, { verdict: "retry", delayMs: 10 }), result(d, { verdict: "released" })]);
    expect(await settleAll(bench.db, [result(a, { verdict: "failed" })])).toEqual(["settled"]);
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject({
      status: "rolling_back",
      cause: broken(),
    });
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({
      status: "failed",
      outcome: "unknown",
      error: broken(),
    });
    expect(await stepOf(bench.db, instanceId, "b")).toMatchObject({ status: "failed", outcome: "unknown", attempt: 1 });
    expect(await stepOf(bench.db, instanceId, "d")).toMatchObject({ status: "skipped", outcome: "absent", attempt: 0 });
    expect(await queuedOf(bench.db, instanceId, "c")).toMatchObject({ state: "leased" });
    expect(await noted(bench.db)).toEqual([instanceId]);
    const told = await story(bench.db, instanceId);
    expect(told.indexOf("step.failed a")).toBeLessThan(told.indexOf("instance.rolling_back"));
    expect(told.indexOf("instance.rolling_back")).toBeLessThan(told.indexOf("step.skipped d"));
  });

  it("adopts what completes after a freeze, and makes failures of what would be tried again", async () => {
    const instanceId = await start(bench.db, ["a", "b", "c", "d"]);
    const { a, b, c, d } = await lease(bench.db);
    await settleAll(bench.db, [result(a, { verdict: "failed" })]);
    await noted(bench.db);
    const advance = follows({ records: [record("n")], enqueue: [queued("m")], finished: { outputFrom: null } });
    const late = [result(b, { advance }), result(c, { verdict: "retry" }), result(d, { verdict: "released" })];
    expect(await settleAll(bench.db, late.slice(0, 1))).toEqual(["adopted"]);
    expect(await noted(bench.db)).toEqual([instanceId]);
    expect(await settleAll(bench.db, late.slice(1))).toEqual(["adopted", "adopted"]);
    const snapshot = await readSnapshot(bench.db, instanceId);
    expect(snapshot?.instance.status).toBe("rolling_back");
    expect(snapshot?.queue).toEqual([]);
    expect(
      Object.fromEntries(snapshot?.steps.map(({ node, status, outcome }) => [node, `${status} ${outcome}`]) ?? []),
    ).toEqual({
      ...{ a: "failed unknown", b: "completed happened", c: "failed unknown", d: "skipped absent" },
    });
    expect(await story(bench.db, instanceId)).toContain("step.adopted b");
  });

  it("adopts siblings that are settled in the statement of the failure, whichever comes first in it", async () => {
    const instanceId = await start(bench.db, ["a", "b", "c"]);
    const { a, b, c } = await lease(bench.db);
    const advance = follows({ enqueue: [queued("m")] });
    const failures = [
      result(b, { verdict: "failed", error: JSON.stringify(broken("first")) }),
      result(c, { verdict: "failed", error: JSON.stringify(broken("second")) }),
    ];
    expect(await settleAll(bench.db, [result(a, { advance }), ...failures])).toEqual(["adopted", "settled", "adopted"]);
    const snapshot = await readSnapshot(bench.db, instanceId);
    expect(snapshot?.instance.cause).toEqual(broken("first"));
    expect(snapshot?.queue).toEqual([]);
  });

  it("does not freeze when the failure is contained, but has the instance looked at", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    expect(await settleAll(bench.db, [result(a, { verdict: "failed", onFail: "contain" })])).toEqual(["settled"]);
    expect(await noted(bench.db)).toEqual([instanceId]);
    expect(await settleAll(bench.db, [result(b)])).toEqual(["settled"]);
  });

  it("pauses with a dead letter when a person is to decide", async () => {
    const instanceId = await start(bench.db);
    await settleAll(bench.db, [result((await lease(bench.db)).a, { verdict: "failed", onFail: "pause" })]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({ status: "paused", outcome: "unknown" });
    const letters = await getDeadLetters(bench.db, [instanceId]);
    expect(letters).toMatchObject([{ node: "a", lane: "forward", error: broken(), attempt: 1, input: null }]);
    expect(await noted(bench.db)).toEqual([instanceId]);
    expect((await story(bench.db, instanceId)).at(-1)).toBe("step.dead_lettered a");
  });

  it("leaves an instance that is being cancelled as it is when a step of it fails", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db);
    await setStatus(bench.db, instanceId, "cancelling", { freeze: true, cause: JSON.stringify(broken("why")) });
    expect(await settleAll(bench.db, [result(a, { verdict: "failed" })])).toEqual(["adopted"]);
    const instance = { status: "cancelling", cause: broken("why") };
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject(instance);
  });

  it("writes no dead letter for what fails once the instance is frozen", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db);
    await setStatus(bench.db, instanceId, "cancelling", { freeze: true });
    await settleAll(bench.db, [result(a, { verdict: "failed", onFail: "pause" })]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({ status: "failed" });
    expect(await getDeadLetters(bench.db, [instanceId])).toEqual([]);
  });

  it("knows that attempts in transactions had no effect, unless one was not", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const first = await lease(bench.db, { transactional: true });
    await settleAll(bench.db, [result(first.b, { verdict: "retry" })]);
    const second = await lease(bench.db, { transactional: false });
    await settleAll(bench.db, [result(second.b, { verdict: "retry" })]);
    second.b = (await lease(bench.db, { transactional: true })).b as NonNullable<typeof second.b>;
    const fails = { verdict: "failed", onFail: "contain", outcome: "unknown" } as const;
    await settleAll(bench.db, [result(first.a, fails), result(second.b, fails)]);
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({ outcome: "absent" });
    expect(await stepOf(bench.db, instanceId, "b")).toMatchObject({ outcome: "unknown" });
  });

  it("fails the instance when a condition behind the step could not be decided, unless a join may do without", async () => {
    const error = broken("condition");
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    const contained = follows({ records: [record("c", { status: "failed", error, contained: true })] });
    expect(await settleAll(bench.db, [result(a, { advance: contained })])).toEqual(["settled"]);
    expect((await readSnapshot(bench.db, instanceId))?.instance.status).toBe("running");
    const failed = follows({ records: [record("e", { status: "failed", error })], enqueue: [queued("m")] });
    expect(await settleAll(bench.db, [result(b, { advance: failed })])).toEqual(["settled"]);
    const snapshot = await readSnapshot(bench.db, instanceId);
    expect(snapshot?.instance).toMatchObject({ status: "rolling_back", cause: error });
    expect(snapshot?.queue).toEqual([]);
    expect(await stepOf(bench.db, instanceId, "e")).toMatchObject({ status: "failed", outcome: "absent", error });
  });

  it("buries a condition that a person is to decide", async () => {
    const error = broken("condition");
    const instanceId = await start(bench.db);
    const advance = follows({ records: [record("c", { status: "paused", error, contained: true })] });
    await settleAll(bench.db, [result((await lease(bench.db)).a, { advance })]);
    expect(await getDeadLetters(bench.db, [instanceId])).toMatchObject([
      { node: "c", lane: "forward", error, attempt: 0 },
    ]);
    expect((await story(bench.db, instanceId)).at(-1)).toBe("step.dead_lettered c");
  });
});

bothStores("settling a compensation", (bench) => {
  const undoing = async () => {
    const instanceId = await start(bench.db);
    await settleAll(bench.db, [result((await lease(bench.db)).a)]);
    await setStatus(bench.db, instanceId, "rolling_back", { freeze: true });
    await enqueue(bench.db, instanceId, queued("a", { lane: "compensation" }));
    return { instanceId, a: (await lease(bench.db)).a };
  };

  it("rolls the step back, whose output stays", async () => {
    const { instanceId, a } = await undoing();
    expect(await settleAll(bench.db, [result(a, { output: '"undone"' })])).toEqual(["settled"]);
    const kept = { status: "rolled_back", outcome: "happened", output: '"out"', attempt: 1, compensationAttempt: 1 };
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject(kept);
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("tries again, and at last buries it", async () => {
    const { instanceId, a } = await undoing();
    expect(await settleAll(bench.db, [result(a, { verdict: "retry" })])).toEqual(["settled"]);
    expect(await noted(bench.db)).toEqual([]);
    expect(await settleAll(bench.db, [result((await lease(bench.db)).a, { verdict: "failed" })])).toEqual(["settled"]);
    const step = await stepOf(bench.db, instanceId, "a");
    expect(step).toMatchObject({ status: "paused", compensationAttempt: 2, compensationError: broken(), error: null });
    const letters = await getDeadLetters(bench.db, [instanceId]);
    expect(letters).toMatchObject([{ node: "a", lane: "compensation", attempt: 2, error: broken() }]);
    expect((await story(bench.db, instanceId)).at(-1)).toBe("compensation.failed a");
    await buryDead(bench.db, [{ instanceId, node: "a", lane: "compensation", error: broken("again"), attempt: 3 }]);
    const filter = { lane: null, definitionName: null, handler: null, after: null, limit: 10 };
    const [letter] = await listDeadLetters(bench.db, filter);
    expect(letter).toMatchObject({
      instanceId,
      handler: "undo",
      attempt: 3,
      definitionName: "d",
      status: "rolling_back",
    });
    expect(await listDeadLetters(bench.db, { ...filter, handler: "h" })).toEqual([]);
    expect(await listDeadLetters(bench.db, { ...filter, lane: "forward" })).toEqual([]);
    const after = { position: letter?.position ?? "", instanceId, node: "a" };
    expect(await listDeadLetters(bench.db, { ...filter, after })).toEqual([]);
    expect(await listDeadLetters(bench.db, { ...filter, after: { ...after, node: "" } })).toHaveLength(1);
  });
});
