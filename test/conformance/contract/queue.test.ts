import { claim, extend, nextDue, wakeDue } from "@floxy/shared";
import {
  deletePause,
  disownQueued,
  findExpired,
  holdPaused,
  insertPause,
  loadPayloads,
  putInbox,
  releaseHeld,
  updatePriority,
} from "@floxy/shared/store";
import { expect, it } from "vitest";
import { bothStores } from "./bench.ts";
import {
  broken,
  enqueue,
  follows,
  lease,
  newInstance,
  queued,
  record,
  result,
  setStatus,
  settleAll,
  start,
  story,
} from "./fixtures.ts";

const handler = (name: string, slots = 100) => ({ handler: name, slots });
const asWorker = { workerId: "w", limit: 100, leaseMs: 1_000 };

bothStores("claiming", (bench) => {
  const nodesOf = async (options: Partial<Parameters<typeof claim>[1]> = {}): Promise<string[]> =>
    (await claim(bench.db, { ...asWorker, handlers: [handler("h"), handler("undo")], ...options })).map(
      ({ node }) => node,
    );

  it("leases what was ready first, the higher priority before, and two seconds of waiting are worth a point", async () => {
    await start(bench.db, ["old"], { priority: 50 });
    bench.pass(1_999);
    await start(bench.db, ["higher"], { priority: 51 });
    await start(bench.db, ["highest"], { priority: 52 });
    bench.pass(2_000);
    await start(bench.db, ["young"], { priority: 51 });
    expect(await nodesOf()).toEqual(["highest", "higher", "old", "young"]);
  });

  it("leases compensations before all forward work", async () => {
    const instanceId = await start(bench.db, ["a"], { priority: 100 });
    bench.pass(1_000_000);
    await enqueue(bench.db, instanceId, queued("b", { lane: "compensation", priority: 0 }));
    expect(await nodesOf({ limit: 1 })).toEqual(["b"]);
  });

  it("leases nothing of other handlers, at most the slots of each and the limit of all, and nothing twice", async () => {
    const enqueued = ["a", "b", "c"].map((node) => queued(node));
    const others = [queued("x", { handler: "g" }), queued("y", { handler: "g" }), queued("z", { handler: "f" })];
    await start(bench.db, [], { advance: follows({ enqueue: [...enqueued, ...others] }) });
    expect(await nodesOf({ handlers: [handler("h", 2), handler("g", 1)] })).toHaveLength(3);
    expect(await nodesOf({ handlers: [handler("h"), handler("g")], limit: 1 })).toHaveLength(1);
    expect(await nodesOf({ handlers: [handler("h"), handler("g")] })).toHaveLength(1);
    expect(await nodesOf({ handlers: [handler("h"), handler("g")] })).toEqual([]);
    expect(await nodesOf({ handlers: [handler("f")] })).toEqual(["z"]);
  });

  it("leaves what is delayed until it was woken in its time", async () => {
    await start(bench.db, [], { advance: follows({ enqueue: [queued("a", { delayMs: 500 })] }) });
    bench.pass(499);
    expect(await wakeDue(bench.db, 10)).toEqual({ woken: 0, handlers: [] });
    bench.pass(1);
    expect(await nodesOf()).toEqual([]);
    expect(await wakeDue(bench.db, 10)).toEqual({ woken: 1, handlers: ["h"] });
    expect(await nodesOf()).toEqual(["a"]);
  });

  it("wakes at most so many, and names each handler once", async () => {
    const steps = ["a", "b", "c"].map((node) => queued(node, { delayMs: 1 }));
    await start(bench.db, [], { advance: follows({ enqueue: steps }) });
    bench.pass(1);
    expect(await wakeDue(bench.db, 2)).toEqual({ woken: 2, handlers: ["h"] });
    expect(await wakeDue(bench.db, 2)).toEqual({ woken: 1, handlers: ["h"] });
  });

  it("passes over forward steps of paused definitions, whether they were put aside or not", async () => {
    const instanceId = await start(bench.db, ["a"]);
    await start(bench.db, ["free"], { definitionName: "other" });
    await enqueue(bench.db, instanceId, queued("b", { lane: "compensation" }));
    await insertPause(bench.db, { name: "d", requestedBy: "op", reason: null });
    expect(await nodesOf()).toEqual(["b", "free"]);
    expect(await holdPaused(bench.db, 10)).toBe(1);
    expect(await releaseHeld(bench.db, 10)).toEqual({ released: 0, handlers: [] });
    await deletePause(bench.db, "d");
    expect(await nodesOf()).toEqual([]);
    expect(await releaseHeld(bench.db, 10)).toEqual({ released: 1, handlers: ["h"] });
    expect(await nodesOf()).toEqual(["a"]);
  });

  it("gives what was passed to the step: the instance's input, or the output of the node before", async () => {
    const instanceId = await start(bench.db, ["a"], { metadata: '{"m":[1]}' });
    const { a } = await lease(bench.db);
    expect(a).toMatchObject({
      value: '{"n":1}',
      inputFrom: null,
      attempt: 1,
      priority: 50,
      metadata: { m: [1] },
      run: 0,
    });
    const advance = follows({ enqueue: [queued("b", { inputFrom: "a", priority: 7 })] });
    await settleAll(bench.db, [result(a, { output: '{"of": "a"}', advance })]);
    const { b } = await lease(bench.db);
    expect(b).toMatchObject({
      instanceId,
      value: '{"of": "a"}',
      inputFrom: "a",
      priority: 7,
      input: null,
      output: null,
    });
    expect(b).toMatchObject({ definitionName: "d", definitionVersion: 1, outcome: null, cause: null, stepInput: null });
  });

  it("gives a compensation what it undoes and why", async () => {
    const instanceId = await start(bench.db, ["a"]);
    const { a } = await lease(bench.db);
    await settleAll(bench.db, [result(a, { output: "[1]" })]);
    await setStatus(bench.db, instanceId, "rolling_back", { freeze: true, cause: JSON.stringify(broken("why")) });
    await enqueue(bench.db, instanceId, queued("a", { lane: "compensation" }));
    const { a: undo } = await lease(bench.db);
    const what = { lane: "compensation", output: "[1]", outcome: "happened", cause: broken("why"), value: '{"n":1}' };
    expect(undo).toMatchObject(what);
  });

  it("tells of each lease, with a token of its own and the attempts counted", async () => {
    const instanceId = await start(bench.db);
    const { a: first } = await lease(bench.db);
    await settleAll(bench.db, [result(first, { verdict: "retry" })]);
    const { a: second } = await lease(bench.db);
    expect(second?.attempt).toBe(2);
    expect(second?.token).not.toBe(first?.token);
    expect(await story(bench.db, instanceId)).toEqual([
      "instance.started",
      "step.leased a",
      "step.retried a",
      "step.leased a",
    ]);
  });

  it("follows another priority, and so does what is leased once it comes back", async () => {
    const low = await start(bench.db, ["low"], { priority: 10 });
    await start(bench.db, ["high"], { priority: 90 });
    await updatePriority(bench.db, { instanceId: low, priority: 100 });
    const [leased] = await claim(bench.db, { ...asWorker, handlers: [handler("h")], limit: 1 });
    expect(leased).toMatchObject({ node: "low", priority: 100 });
    await updatePriority(bench.db, { instanceId: low, priority: 0 });
    await settleAll(bench.db, [result(leased, { verdict: "retry" })]);
    expect(await nodesOf()).toEqual(["high", "low"]);
  });
});

bothStores("extending", (bench) => {
  const extended = async (token: number, instanceId: string, leaseMs = 1_000) =>
    (await extend(bench.db, { leases: [{ instanceId, node: "a", token }], leaseMs }))[0];
  const isExpired = async (): Promise<boolean> => (await findExpired(bench.db, 10)).length > 0;

  it("makes a lease last from now on", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db);
    bench.pass(900);
    expect(await extended(a?.token ?? 0, instanceId)).toEqual({ held: true, frozen: false });
    bench.pass(1_000);
    expect(await isExpired()).toBe(false);
    bench.pass(1);
    expect(await isExpired()).toBe(true);
  });

  it("never makes it last longer than its timeout and one lease period after it was taken", async () => {
    const advance = follows({ enqueue: [queued("a", { timeoutMs: 500 })] });
    const instanceId = await start(bench.db, [], { advance });
    const { a } = await lease(bench.db);
    bench.pass(900);
    await extended(a?.token ?? 0, instanceId);
    bench.pass(600);
    expect(await isExpired()).toBe(false);
    bench.pass(1);
    expect(await isExpired()).toBe(true);
  });

  it("says that a lease is lost when it was settled, taken over, or never was, each in its place", async () => {
    const instanceId = await start(bench.db, ["a", "b"]);
    const { a, b } = await lease(bench.db);
    await settleAll(bench.db, [result(a)]);
    const ref = { instanceId, node: "b" };
    const leases = [
      { ...ref, node: "a", token: a?.token ?? 0 },
      { ...ref, token: b?.token ?? 0 },
      { ...ref, token: -5 },
    ];
    const lost = { held: false, frozen: false };
    expect(await extend(bench.db, { leases, leaseMs: 1 })).toEqual([lost, { held: true, frozen: false }, lost]);
  });

  it("says that handlers should stop when the instance goes forward no more or their branch has lost", async () => {
    const instanceId = await start(bench.db);
    const { a } = await lease(bench.db);
    await disownQueued(bench.db, [{ instanceId, node: "a" }]);
    expect(await extended(a?.token ?? 0, instanceId)).toEqual({ held: true, frozen: true });
    const other = await start(bench.db);
    const { a: second } = await lease(bench.db);
    await setStatus(bench.db, other, "cancelling", { freeze: true });
    expect(await extended(second?.token ?? 0, other)).toEqual({ held: true, frozen: true });
  });

  it("never says so of a compensation", async () => {
    const instanceId = await start(bench.db, []);
    await enqueue(bench.db, instanceId, queued("a", { lane: "compensation" }));
    await setStatus(bench.db, instanceId, "rolling_back", { freeze: true });
    const { a } = await lease(bench.db);
    expect(await extended(a?.token ?? 0, instanceId)).toEqual({ held: true, frozen: false });
  });
});

bothStores("what is due", (bench) => {
  it("finds expired leases, the oldest first, at most so many", async () => {
    const instanceId = await start(bench.db, ["a"]);
    await lease(bench.db, { leaseMs: 2_000 });
    await enqueue(bench.db, instanceId, queued("b"));
    const { b } = await lease(bench.db, { leaseMs: 1_000 });
    bench.pass(1_000);
    expect(await findExpired(bench.db, 10)).toEqual([]);
    bench.pass(1_001);
    const found = await findExpired(bench.db, 10);
    expect(found.map(({ node }) => node)).toEqual(["b", "a"]);
    const what = { token: b?.token, lane: "forward", handler: "h", attempt: 1, workerId: "w", definitionName: "d" };
    expect(found[0]).toMatchObject(what);
    expect(await findExpired(bench.db, 1)).toHaveLength(1);
  });

  it("says when the next step, timer or lease is due, and whether there is a note", async () => {
    expect(await nextDue(bench.db)).toEqual({ delayedMs: null, leaseMs: null, review: false });
    const records = [record("z", { status: "waiting", due: { inMs: 300 } })];
    const advance = follows({ records, enqueue: [queued("a"), queued("b", { delayMs: 700 })] });
    const instanceId = await start(bench.db, [], { advance });
    await lease(bench.db);
    expect(await nextDue(bench.db)).toEqual({ delayedMs: 300, leaseMs: 1_000, review: false });
    await putInbox(bench.db, [{ instanceId }]);
    bench.pass(400);
    expect(await nextDue(bench.db)).toEqual({ delayedMs: -100, leaseMs: 600, review: true });
  });
});

bothStores("payloads", (bench) => {
  it("gives the outputs and sides of nodes and the inputs of instances, each once, without what does not exist", async () => {
    const instance = newInstance(["a"]);
    const { instanceId } = instance;
    await start(bench.db, ["a"], {
      ...instance,
      advance: follows({ ...instance.advance, records: [record("c", { side: "then" })] }),
    });
    await settleAll(bench.db, [result((await lease(bench.db)).a)]);
    const wanted = ["a", "c", null, "a", "missing"].map((node) => ({ instanceId, node }));
    const rows = await loadPayloads(bench.db, [...wanted, { instanceId: "none", node: null }]);
    expect(rows.sort((x, y) => ((x.node ?? "") < (y.node ?? "") ? -1 : 1))).toEqual([
      { instanceId, node: null, output: '{"n":1}', side: null },
      { instanceId, node: "a", output: '"out"', side: null },
      { instanceId, node: "c", output: null, side: "then" },
    ]);
    expect(await loadPayloads(bench.db, [])).toEqual([]);
  });
});
