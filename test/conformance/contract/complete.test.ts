import type { Database, LeasedStep } from "@floxy/shared";
import type { CompleteParams, Completion } from "@floxy/shared/store";
import { complete, readSnapshot } from "@floxy/shared/store";
import { expect, it } from "vitest";
import { bothStores } from "./bench.ts";
import {
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

const completed = (leased: LeasedStep | undefined, options: Partial<Completion> = {}): Completion => ({
  ...result(leased, options),
  take: options.take ?? [],
});

const completeAll = (db: Database, completions: readonly Completion[], options: Partial<CompleteParams> = {}) =>
  complete(db, {
    completions,
    workerId: "w",
    handlers: [{ handler: "h" }, { handler: "undo" }],
    leaseMs: 1_000,
    ...options,
  });

bothStores("completing a step", (bench) => {
  it("writes its output, what was passed and what follows, in the instance's priority", async () => {
    const instanceId = await start(bench.db, ["a"], { priority: 7 });
    const { a } = await lease(bench.db);
    const records = [record("c", { side: "else" }), record("s", { status: "waiting", due: { inMs: 10 } })];
    const advance = follows({ records, enqueue: [queued("b", { inputFrom: "a" }), queued("z", { delayMs: 100 })] });
    expect(await completeAll(bench.db, [completed(a, { advance })])).toEqual({
      results: ["settled"],
      taken: [],
      noted: false,
      ready: [],
    });
    expect(await stepOf(bench.db, instanceId, "a")).toMatchObject({ status: "completed", output: '"out"' });
    expect(await stepOf(bench.db, instanceId, "c")).toMatchObject({ status: "completed", side: "else" });
    expect(await queuedOf(bench.db, instanceId, "z")).toMatchObject({ state: "delayed" });
    expect((await lease(bench.db)).b).toMatchObject({ priority: 7, value: '"out"', attempt: 1 });
    expect(await story(bench.db, instanceId)).toEqual([
      ...["instance.started", "step.leased a", "step.completed a", "step.completed c", "step.waiting s"],
      "step.leased b",
    ]);
  });

  it("completes the instance at its end", async () => {
    const instanceId = await start(bench.db, ["a"], { deadlineMs: 10 });
    const { a } = await lease(bench.db);
    await completeAll(bench.db, [completed(a, { advance: follows({ finished: { outputFrom: "a" } }) })]);
    expect((await readSnapshot(bench.db, instanceId))?.instance).toMatchObject({
      status: "completed",
      outputFrom: "a",
    });
    expect((await story(bench.db, instanceId)).slice(-2)).toEqual(["step.completed a", "instance.completed"]);
  });

  it("says which leases were lost, also of what was written before, and writes nothing of them but the others", async () => {
    const [one, two] = [await start(bench.db, ["a"]), await start(bench.db, ["b"])];
    const { a, b } = await lease(bench.db);
    await settleAll(bench.db, [result(a)]);
    expect((await completeAll(bench.db, [completed(b), completed(a)])).results).toEqual(["settled", "lost"]);
    expect((await story(bench.db, one)).slice(-2)).toEqual(["step.leased a", "step.completed a"]);
    expect((await story(bench.db, two)).at(-1)).toBe("step.completed b");
  });

  it("writes nothing under a token that is not the row's any more", async () => {
    const instanceId = await start(bench.db, ["a"]);
    const { a } = await lease(bench.db);
    await settleAll(bench.db, [result(a, { verdict: "released", output: null })]);
    const again = (await lease(bench.db)).a;
    expect((await completeAll(bench.db, [completed(a)])).results).toEqual(["lost"]);
    expect(await stepOf(bench.db, instanceId, "a")).toBeUndefined();
    expect((await completeAll(bench.db, [completed(again)])).results).toEqual(["settled"]);
  });

  it("adopts it when the instance was frozen since: nothing follows, and somebody looks", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a } = await lease(bench.db);
    await setStatus(bench.db, instanceId, "rolling_back", { freeze: true });
    const advance = follows({ enqueue: [queued("n")], joins: "f" });
    await enqueue(bench.db, instanceId, queued("m", { fork: "f" }));
    expect(await completeAll(bench.db, [completed(a, { advance })])).toMatchObject({
      results: ["adopted"],
      noted: true,
    });
    expect(await queuedOf(bench.db, instanceId, "n")).toBeUndefined();
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("leases what follows to the caller, unless something that waits comes first", async () => {
    await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    const first = follows({ enqueue: [queued("c", { inputFrom: "a" }), queued("d", { delayMs: 5 }), queued("e")] });
    const { taken } = await completeAll(bench.db, [completed(a, { advance: first, take: [true, true, false] })]);
    expect(taken).toMatchObject([{ completion: 0, place: 0, priority: 50, run: 0 }]);
    bench.pass(100);
    const second = follows({ enqueue: [queued("f")] });
    expect((await completeAll(bench.db, [completed(b, { advance: second, take: [true] })])).taken).toEqual([]);
    expect(Object.keys(await lease(bench.db)).sort()).toEqual(["e", "f"]);
  });
});

bothStores("a branch that arrives at a join that needs all", (bench) => {
  const arrives = follows({ joins: "f" });
  const begin = async () => {
    const steps = ["a", "b"].map((node) => queued(node, { fork: "f" }));
    const instanceId = await start(bench.db, [], { advance: follows({ enqueue: steps }) });
    const { a, b } = await lease(bench.db);
    return { instanceId, a, b };
  };

  it("is noted when nothing of its fork is left in the queue, and not before", async () => {
    const { instanceId, a, b } = await begin();
    expect(await completeAll(bench.db, [completed(a, { advance: arrives })])).toMatchObject({ noted: false });
    expect(await noted(bench.db)).toEqual([]);
    expect(await completeAll(bench.db, [completed(b, { advance: arrives })])).toMatchObject({ noted: true });
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("is noted although steps of no fork, or of another, are left in the queue", async () => {
    const { instanceId, a, b } = await begin();
    for (const step of [queued("x"), queued("y", { fork: "g" })]) await enqueue(bench.db, instanceId, step);
    await completeAll(bench.db, [completed(a, { advance: arrives })]);
    expect(await completeAll(bench.db, [completed(b, { advance: arrives })])).toMatchObject({ noted: true });
  });

  it("is noted once for all that arrive together, and not while what follows one of them is queued", async () => {
    const { instanceId, a, b } = await begin();
    const next = follows({ enqueue: [queued("n", { fork: "f" })] });
    const both = [completed(a, { advance: arrives }), completed(b, { advance: next })];
    expect(await completeAll(bench.db, both)).toMatchObject({ noted: false });
    const { n } = await lease(bench.db);
    await enqueue(bench.db, instanceId, queued("m", { fork: "f" }), queued("o", { fork: "g" }));
    const { m } = await lease(bench.db);
    await completeAll(bench.db, [completed(n, { advance: arrives }), completed(m, { advance: arrives })]);
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("is always noted by the statement that cannot know", async () => {
    const { instanceId, a } = await begin();
    await settleAll(bench.db, [result(a, { advance: arrives })]);
    expect(await noted(bench.db)).toEqual([instanceId]);
    await start(bench.db, [], { advance: follows({ joins: "f", enqueue: [queued("z", { fork: "f" })] }) });
    expect(await noted(bench.db)).toHaveLength(1);
  });
});

bothStores("a compensation with a chain", (bench) => {
  const link = (node: string, rolledBack: readonly string[] = []) => {
    return { node, handler: "undo", priority: null, timeoutMs: 5_000, inputFrom: null, rolledBack };
  };
  const begin = async () => {
    const instanceId = await start(bench.db, ["a", "b", "c"], { priority: 30 });
    const { a, b, c } = await lease(bench.db);
    const advance = follows({ records: [record("s")] });
    await settleAll(bench.db, [result(a), result(b, { advance }), result(c)]);
    await setStatus(bench.db, instanceId, "rolling_back", { freeze: true });
    const chain = [link("b", ["s"]), { ...link("a"), priority: 80 }];
    await enqueue(bench.db, instanceId, queued("c", { lane: "compensation", chain }));
    return { instanceId, undo: (await lease(bench.db)).c };
  };

  it("is followed by the next link, which has the rest of it, and by a note at its end", async () => {
    const { instanceId, undo } = await begin();
    const answer = await completeAll(bench.db, [completed(undo, { output: null })]);
    expect(answer).toEqual({ results: ["settled"], taken: [], noted: false, ready: ["undo"] });
    expect(await stepOf(bench.db, instanceId, "c")).toMatchObject({ status: "rolled_back", compensationAttempt: 1 });
    expect(await stepOf(bench.db, instanceId, "s")).toMatchObject({ status: "rolled_back", compensationAttempt: 0 });
    expect(await stepOf(bench.db, instanceId, "b")).toMatchObject({ status: "compensating", output: '"out"' });
    expect((await story(bench.db, instanceId)).slice(-3)).toEqual([
      ...["step.rolled_back c", "step.rolled_back s", "compensation.queued b"],
    ]);
    const { b } = await lease(bench.db);
    expect(b).toMatchObject({ lane: "compensation", handler: "undo", priority: 30, output: '"out"', inputFrom: null });
    await completeAll(bench.db, [completed(b, { output: null })]);
    const { a } = await lease(bench.db);
    expect(a).toMatchObject({ lane: "compensation", priority: 80 });
    expect(await noted(bench.db)).toEqual([]);
    expect(await completeAll(bench.db, [completed(a, { output: null })])).toMatchObject({ noted: true, ready: [] });
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it.each([
    ["was frozen anew", "cancelling", true],
    ["goes forward again", "running", false],
  ] as const)("ends with a note when the instance %s", async (_what, status, freeze) => {
    const { instanceId, undo } = await begin();
    await setStatus(bench.db, instanceId, status, { freeze });
    expect(await completeAll(bench.db, [completed(undo, { output: null })])).toMatchObject({ noted: true, ready: [] });
    expect(await queuedOf(bench.db, instanceId, "b")).toBeUndefined();
    expect(await stepOf(bench.db, instanceId, "b")).toMatchObject({ status: "completed" });
    expect(await noted(bench.db)).toEqual([instanceId]);
  });

  it("ends with a note when it is settled by the statement that leaves what follows to a look", async () => {
    const { instanceId, undo } = await begin();
    await settleAll(bench.db, [result(undo, { output: null })]);
    expect(await queuedOf(bench.db, instanceId, "b")).toBeUndefined();
    expect(await noted(bench.db)).toEqual([instanceId]);
  });
});
