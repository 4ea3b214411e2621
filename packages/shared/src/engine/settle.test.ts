import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { InstanceRow } from "../store/instance.ts";
import { getInstances } from "../store/instance.ts";
import type { LeasedStep } from "../store/queue.ts";
import { lockInstances } from "../store/state.ts";
import { eventually, sql } from "../store/testing/database.ts";
import { noHints } from "./hints.ts";
import { settleAttempts } from "./settle.ts";
import { insertStarts, prepareStart } from "./start.ts";
import { takeOverExpired } from "./takeover.ts";
import { done, failed, fork, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const newGate = () => {
  let resolve = (): void => {};
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
};

const unexpected = (_: string, error: unknown): never => {
  throw error;
};

const twoBranches = () => [
  task("first"),
  fork("both", { left: [task("a1"), task("a2")], right: [task("b1"), task("b2")] }),
];

describe("a failure", () => {
  it("freezes the instance in the statement that settles it, before any orchestrator looks", async () => {
    const id = await stand.start(twoBranches());
    await stand.settle([(await stand.lease()).get("first"), done]);
    const leased = await stand.lease();
    stand.hints = noHints();
    expect(await stand.settle([leased.get("a1"), failed("no")])).toEqual(["settled"]);
    expect(await stand.view(id)).toMatchObject({ status: "rolling_back", error: { message: "no" } });
    expect(stand.hints).toMatchObject({ review: true, abort: new Set([id]) });
    // The sibling was running: it completes, and nothing follows.
    expect(await stand.settle([leased.get("b1"), done])).toEqual(["adopted"]);
    expect((await stand.lease()).size).toBe(0);
    await stand.review();
    const undo = await stand.lease();
    expect([...undo.keys()].sort()).toEqual(["undo:a1", "undo:b1"]);
  });

  it("takes back what waits in the queue: what was never called is skipped, what waits for a retry is undone", async () => {
    const retry = { maxAttempts: 3, delayMs: 60_000 };
    const id = await stand.start([
      fork("f", { x: [task("x")], y: [task("y", { retry })], z: [task("z", { delayMs: 60_000 })] }),
    ]);
    const leased = await stand.lease();
    await stand.settle([leased.get("y"), failed("later")]);
    await stand.settle([leased.get("x"), failed("now")]);
    const view = await stand.view(id);
    expect(view.steps.map(({ step, status, outcome }) => [step, status, outcome])).toEqual([
      ["f", "waiting", "happened"],
      ["x", "failed", "unknown"],
      ["y", "failed", "unknown"],
      ["z", "skipped", "absent"],
    ]);
    await stand.review();
    expect([...(await stand.lease()).keys()].sort()).toEqual(["undo:x", "undo:y"]);
  });

  it("adopts siblings that are settled in the same statement", async () => {
    const id = await stand.start(twoBranches());
    await stand.settle([(await stand.lease()).get("first"), done]);
    const leased = await stand.lease();
    const results = await stand.settle([leased.get("b1"), done], [leased.get("a1"), failed()]);
    expect(results).toEqual(["adopted", "settled"]);
    expect((await stand.lease()).size).toBe(0);
    expect(await stand.statuses(id)).toMatchObject({ a1: "failed", b1: "completed", b2: "pending" });
  });

  it("takes back a step that was queued while the freeze waited for the instance", async () => {
    const id = await stand.start(twoBranches());
    await stand.settle([(await stand.lease()).get("first"), done]);
    const leased = await stand.lease();
    // The instance is locked by another who queues a step; what the freeze saw before it had to wait is old then.
    const gate = newGate();
    const locked = newGate();
    const other = stand.db.transaction(async (tx) => {
      await sql(tx, "SELECT FROM {schema}.instance WHERE instance_id = $1 FOR UPDATE", id);
      await sql(
        tx,
        `INSERT INTO {schema}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms)
         VALUES ($1, 'b2', 'forward', 'h', 'ready', 50, 0, now(), 0, 1000)`,
        id,
      );
      locked.resolve();
      await gate.promise;
    });
    await locked.promise;
    const freezing = stand.settle([leased.get("a1"), failed()]);
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    await expect.poll(() => sql(stand.db, waiting)).toHaveLength(1);
    gate.resolve();
    await Promise.all([other, freezing]);
    expect((await stand.lease()).size).toBe(0);
    expect(await stand.statuses(id)).toMatchObject({ b2: "skipped" });
  });

  it("fails siblings that would be retried in the same statement, with an unknown outcome", async () => {
    const retry = { maxAttempts: 3, delayMs: 0 };
    const id = await stand.start([fork("f", { x: [task("x")], y: [task("y", { retry })] })]);
    const leased = await stand.lease();
    await stand.settle([leased.get("y"), failed("again")], [leased.get("x"), failed("for good")]);
    const view = await stand.view(id);
    expect(view.error?.message).toBe("for good");
    expect(view.steps).toContainEqual(expect.objectContaining({ step: "y", status: "failed", outcome: "unknown" }));
    expect((await stand.lease()).size).toBe(0);
  });

  it("of a condition freezes the instance too, and no branch beside it starts", async () => {
    const broken = { kind: "condition" as const, name: "c", when: "value.no.such > 1", then: [task("t")], else: [] };
    const id = await stand.start([task("first"), fork("f", { x: [broken, task("x")], y: [task("y")] })]);
    const leased = await stand.lease();
    expect(await stand.settle([leased.get("first"), { kind: "completed", output: "{}" }])).toEqual(["settled"]);
    expect((await stand.lease()).size).toBe(0);
    expect(await stand.view(id)).toMatchObject({ status: "rolling_back", error: { code: "EXPRESSION_FAILED" } });
    await stand.review();
    await stand.settle([(await stand.lease()).get("undo:first"), done]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "failed" });
    expect(await stand.statuses(id)).toEqual({
      first: "rolled_back",
      f: "skipped",
      c: "failed",
      t: "skipped",
      x: "skipped",
      y: "skipped",
    });
  });

  it("stops at the savepoint that was passed last", async () => {
    const id = await stand.start([task("before"), { kind: "savepoint", name: "paid" }, task("after")]);
    await stand.settle([(await stand.lease()).get("before"), done]);
    await stand.settle([(await stand.lease()).get("after"), failed()]);
    await stand.review();
    await stand.settle([(await stand.lease()).get("undo:after"), done]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "failed", savepoint: "paid" });
    expect(await stand.statuses(id)).toEqual({ before: "completed", paid: "completed", after: "rolled_back" });
  });
});

describe("a result", () => {
  it("that is sent again because its answer was lost is answered as the first time, and written once", async () => {
    const id = await stand.start([task("a"), task("b")]);
    const leased = await stand.lease();
    expect(await stand.settle([leased.get("a"), done])).toEqual(["settled"]);
    expect(await stand.settle([leased.get("a"), done])).toEqual(["settled"]);
    expect((await stand.story(id)).filter((event) => event === "step.completed a")).toHaveLength(1);
    expect(await stand.story(id)).not.toContain("step.refused a");
  });

  it("of a retry that is sent again counts once, also when the step was leased again meanwhile", async () => {
    const id = await stand.start([task("a", { retry: { maxAttempts: 3, delayMs: 0 } })]);
    const first = await stand.lease();
    await stand.settle([first.get("a"), failed()]);
    const second = await stand.lease();
    expect(await stand.settle([first.get("a"), failed()])).toEqual(["settled"]);
    expect(second.get("a")?.attempt).toBe(2);
    expect(await stand.settle([second.get("a"), done])).toEqual(["settled"]);
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });

  it("that comes after the lease was taken over changes nothing and is told", async () => {
    const id = await stand.start([task("a", { retry: { maxAttempts: 2, delayMs: 0 } })]);
    const zombie = await stand.lease(1);
    await expect
      .poll(async () => {
        const params = { limit: 10, workerId: "orchestrator", hints: stand.hints, onNotTakenOver: unexpected };
        return takeOverExpired(stand.db, stand.graphs, params);
      })
      .toBe(1);
    const heir = await stand.lease();
    expect(await stand.settle([zombie.get("a"), { kind: "completed", output: '"zombie"' }])).toEqual(["lost"]);
    expect(await stand.settle([heir.get("a"), { kind: "completed", output: '"heir"' }])).toEqual(["settled"]);
    expect(await stand.view(id)).toMatchObject({ status: "completed", output: "heir" });
    expect(await stand.story(id)).toContain("step.refused a");
  });

  it("is taken over though another instance's definition cannot be loaded, and that one is reported", async () => {
    const good = await stand.start([task("a", { retry: { maxAttempts: 2, delayMs: 0 } })]);
    const bad = await stand.start([task("b")]);
    await stand.lease(1);
    await sql(stand.db, "UPDATE {schema}.instance SET definition_name = 'gone' WHERE instance_id = $1", bad);
    const expired = "SELECT FROM {schema}.queue WHERE lease_until < now() AND instance_id = ANY ($1)";
    await expect.poll(() => sql(stand.db, expired, [good, bad])).toHaveLength(2);
    const left: string[] = [];
    const onNotTakenOver = (instanceId: string) => left.push(instanceId);
    const params = { limit: 10, workerId: "orchestrator", hints: stand.hints, onNotTakenOver };
    expect(await takeOverExpired(stand.db, stand.graphs, params)).toBe(1);
    expect(left).toEqual([bad]);
    expect((await stand.lease()).get("a")?.attempt).toBe(2);
  });

  it("that the database refuses fails its own step and holds up no other", async () => {
    const good = await stand.start([task("a")]);
    const bad = await stand.start([task("b")]);
    const leased = await stand.lease();
    const notJson = { kind: "completed", output: "{not json" } as const;
    expect(await stand.settle([leased.get("a"), done], [leased.get("b"), notJson])).toEqual(["settled", "settled"]);
    expect(await stand.view(good)).toMatchObject({ status: "completed" });
    expect(await stand.view(bad)).toMatchObject({ status: "rolling_back", error: { code: "INTERNAL" } });
  });

  it("that gives the lease back before the call does not count as an attempt", async () => {
    const id = await stand.start([task("a", { idempotent: false })]);
    await stand.settle([(await stand.lease()).get("a"), { kind: "released" }]);
    const again = await stand.lease();
    expect(again.get("a")?.attempt).toBe(1);
    await stand.settle([again.get("a"), done]);
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });
});

describe("a compensation", () => {
  it("that exhausts its attempts is a dead letter; what does not depend on it goes on, then the instance waits", async () => {
    const compensation = { handler: "undo", retry: { maxAttempts: 2, delayMs: 0 } };
    const nodes = [fork("f", { x: [task("x0"), task("x1", { compensation })], y: [task("y0")] }), task("last")];
    const id = await stand.start(nodes);
    await stand.settle(...[...(await stand.lease()).values()].map((step) => [step, done] as const));
    await stand.settle([(await stand.lease()).get("x1"), done]);
    await stand.review();
    await stand.settle([(await stand.lease()).get("last"), failed()]);
    await stand.review();
    await stand.settle([(await stand.lease()).get("undo:last"), done]);
    await stand.review();
    const undo = await stand.lease();
    expect([...undo.keys()].sort()).toEqual(["undo:x1", "undo:y0"]);
    await stand.settle([undo.get("undo:y0"), done], [undo.get("undo:x1"), failed("cannot")]);
    await stand.review();
    await stand.settle([(await stand.lease()).get("undo:x1"), failed("cannot")]);
    await stand.review();
    expect((await stand.lease()).size).toBe(0);
    expect(await stand.view(id)).toMatchObject({ status: "dlq" });
    expect(await stand.statuses(id)).toMatchObject({
      x0: "completed",
      x1: "paused",
      y0: "rolled_back",
      last: "rolled_back",
    });
  });
});

describe("what follows a step", () => {
  it("is leased to the worker that has a slot for it; of what it has none for others are told", async () => {
    const first = await stand.start([task("a"), task("b")]);
    const { definitionName } = (await getInstances(stand.db, [first]))[0] as InstanceRow;
    const again = await prepareStart(stand.db, stand.graphs, { definitionName, input: {} });
    await insertStarts(stand.db, [again], noHints());
    const leased = await stand.leaseAll();
    expect(leased.map(({ node }) => node)).toEqual(["a", "a"]);
    const graph = await stand.graphs.get(stand.db, definitionName, null);
    const attempts = leased.map((one) => ({ ...one, graph, result: done, leased: one }));
    const [hints, taken] = [noHints(), [] as LeasedStep[]];
    let slots = 1;
    const take = { handlers: [], wants: () => slots-- > 0, leaseMs: 1_000, taken };
    await settleAttempts(stand.db, { attempts, workerId: "w", random: () => 0, hints, take });
    expect(taken).toMatchObject([{ node: "b", attempt: 1 }]);
    expect([...hints.ready]).toEqual(["h"]);
    expect((await stand.leaseAll()).map(({ node }) => node)).toEqual(["b"]);
  });
});

describe("a result that stands twice in one call", () => {
  it("comes to an end and is written once", async () => {
    const id = await stand.start([task("a")]);
    const leased = (await stand.lease()).get("a");
    await stand.settle([leased, done], [leased, done]).catch(() => {});
    expect((await stand.story(id)).filter((line) => line === "step.completed a").length).toBeLessThanOrEqual(1);
    await stand.settle([leased, done]);
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });
});

describe("a result that is sent again because its answer was lost", () => {
  it("is answered as settled, also while the first sending still waits for the instance, and nothing is told as refused", async () => {
    const id = await stand.start([task("a"), task("b")]);
    const leased = (await stand.lease()).get("a");
    if (leased === undefined) throw new Error("the step was not leased");
    const graph = await stand.graphs.get(stand.db, leased.definitionName, leased.definitionVersion);
    const attempts = [{ ...leased, graph, result: done }];
    const send = (isRepeat: boolean) =>
      settleAttempts(stand.db, { attempts, workerId: "w", random: () => 0, hints: noHints(), isRepeat });
    const [held, free] = [newGate(), newGate()];
    const holding = stand.db.transaction(async (tx) => {
      await lockInstances(tx, [id]);
      held.resolve();
      await free.promise;
    });
    await held.promise;
    const waiting = async (count: number): Promise<void> => {
      const text = "SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')";
      await eventually(async () => expect(await sql(stand.db, text)).toHaveLength(count));
    };
    const first = send(false);
    await waiting(1);
    const second = send(true);
    await waiting(2);
    free.resolve();
    expect(await Promise.all([first, second, holding])).toEqual([["settled"], ["settled"], undefined]);
    expect(await stand.story(id)).not.toContain("step.refused a");
    await stand.settle([(await stand.lease()).get("b"), done]);
    expect(await stand.view(id)).toMatchObject({ status: "completed" });
  });
});
