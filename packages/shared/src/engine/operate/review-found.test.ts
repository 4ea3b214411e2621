/** Promises that hold where two things meet: a requeue and a rollback, a compensation and a failure, an act and its repeat. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { NodeJson } from "../../definition/model.ts";
import { claim } from "../../store/queue.ts";
import { sql } from "../../store/testing/database.ts";
import { reviewLoaded } from "../apply.ts";
import { noHints } from "../hints.ts";
import type { AttemptResult } from "../settle.ts";
import { loadInstances } from "../state.ts";
import { done, failed, fork, Stand, task } from "../testing/stand.ts";
import { discardStep, requeueStep } from "./dead-letter.ts";
import { reprioritise } from "./resume.ts";
import { abortInstance, cancelInstance } from "./stop.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

/** The failure of an attempt whose handler was not called. */
const uncalled: AttemptResult = { ...failed("bad input"), retryable: false, called: false } as AttemptResult;

describe("a step that was requeued after an attempt that may have had effects", () => {
  const requeued = async (nodes: readonly NodeJson[] = [task("pay")]): Promise<string> => {
    const id = await stand.start(nodes, {}, { onFailure: "dlq" });
    const leased = await stand.lease();
    await stand.settle([leased.get("pay"), failed()], ...(leased.has("b") ? [[leased.get("b"), done] as const] : []));
    await stand.review();
    await stand.act(requeueStep, { instanceId: id, step: "pay" });
    return id;
  };

  it("is undone when the instance is cancelled before it is called again", async () => {
    const id = await requeued();
    await stand.act(cancelInstance, { instanceId: id });
    const leased = await stand.lease();
    expect([...leased.keys()]).toEqual(["undo:pay"]);
    expect(leased.get("undo:pay")?.outcome).toBe("unknown");
    await stand.settle([leased.get("undo:pay"), done]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "cancelled", steps: [{ status: "rolled_back" }] });
  });

  it("is undone when it fails again without a call, or in a transaction, and is given up", async () => {
    for (const transactional of [false, true]) {
      const id = await requeued();
      const handlers = [{ handler: "h", slots: 1, transactional }];
      const [again] = await claim(stand.db, { workerId: "w", handlers, limit: 1, leaseMs: 60_000 });
      await stand.settle([again, transactional ? failed() : uncalled]);
      await stand.review();
      await stand.act(discardStep, { instanceId: id, step: "pay", reason: "no" });
      const leased = await stand.lease();
      expect([...leased.keys()]).toEqual(["undo:pay"]);
      await stand.settle([leased.get("undo:pay"), done]);
      await stand.review();
    }
  });

  it("is undone when it was only leased and given back, and a failure by definition freezes the instance meanwhile", async () => {
    const end: NodeJson = { kind: "end", name: "no", how: "fail" };
    const id = await stand.start(
      [fork("both", { x: [task("pay")], y: [task("b"), task("c"), end] })],
      {},
      { onFailure: "dlq" },
    );
    const first = await stand.lease();
    await stand.settle([first.get("pay"), failed()], [first.get("b"), done]);
    await stand.review();
    const second = await stand.lease();
    await stand.act(requeueStep, { instanceId: id, step: "pay" });
    await stand.settle([second.get("c"), done]);
    await stand.review();
    expect([...(await stand.lease()).keys()].sort()).toEqual(["undo:c", "undo:pay"]);
    await stand.abort(id);
  });

  it("cannot be requeued any more once its instance goes back", async () => {
    const end: NodeJson = { kind: "end", name: "no", how: "fail" };
    const id = await stand.start([fork("both", { x: [task("pay")], y: [task("b"), end] })], {}, { onFailure: "dlq" });
    const leased = await stand.lease();
    await stand.settle([leased.get("pay"), failed()]);
    await stand.settle([leased.get("b"), done]);
    expect((await stand.view(id)).status).toBe("rolling_back");
    await expect(stand.act(requeueStep, { instanceId: id, step: "pay" })).rejects.toMatchObject({
      code: "DEAD_LETTER_NOT_FOUND",
    });
    await stand.review();
    expect([...(await stand.lease()).keys()].sort()).toEqual(["undo:b", "undo:pay"]);
    await stand.abort(id);
  });
});

describe("a compensation that is settled in one statement with a failure of its instance", () => {
  it("is tried again when attempts are left, and given back when it was not called", async () => {
    for (const result of [failed("later"), { kind: "released" } as const]) {
      const race = {
        ...fork("race", { x: [task("x")], y: [task("y"), task("z")] }),
        join: "any",
        losers: "compensate",
      };
      const id = await stand.start([race as NodeJson, task("b")]);
      const first = await stand.lease();
      await stand.settle([first.get("y"), done]);
      await stand.settle([first.get("x"), done]);
      await stand.review();
      const second = await stand.lease();
      expect([...second.keys()].sort()).toEqual(["b", "undo:y"]);
      await stand.settle([second.get("b"), failed()], [second.get("undo:y"), result]);
      await stand.review();
      expect(await stand.view(id)).toMatchObject({ status: "rolling_back" });
      const again = await stand.lease();
      await stand.pass(60_000);
      const later = await stand.lease();
      expect([...again.keys(), ...later.keys()]).toContain("undo:y");
      await stand.abort(id);
    }
  });
});

describe("another priority", () => {
  it("holds for a step that runs just now when it is tried again", async () => {
    const id = await stand.start([task("a", { retry: { maxAttempts: 2, delayMs: 0, jitter: 0 } })]);
    const leased = await stand.lease();
    await stand.act(reprioritise, { instanceId: id, priority: 90 });
    await stand.settle([leased.get("a"), failed()]);
    const rows = await sql(stand.db, "SELECT priority, state FROM {schema}.queue WHERE instance_id = $1", id);
    expect(rows).toEqual([{ priority: 90, state: "ready" }]);
    await stand.act(abortInstance, { instanceId: id });
  });
});

describe("a signal", () => {
  it("that is repeated after it has led the instance to its end is still the same signal", async () => {
    const id = await stand.start([{ kind: "signal", name: "go" }]);
    await stand.review();
    expect(await stand.signal(id, "go", 1, "s1")).toMatchObject({ status: "completed", changed: true });
    expect(await stand.signal(id, "go", 1, "s1")).toMatchObject({ status: "completed", changed: false });
    await expect(stand.signal(id, "go", 1, "s2")).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
  });
});

describe("an abort", () => {
  it("tells a compensation that runs to stop, like any other handler", async () => {
    const id = await stand.start([task("a"), task("b")]);
    await stand.settle([(await stand.lease()).get("a"), done]);
    await stand.settle([(await stand.lease()).get("b"), failed()]);
    await stand.review();
    expect([...(await stand.lease()).keys()]).toEqual(["undo:b"]);
    stand.hints = noHints();
    await stand.abort(id);
    expect([...stand.hints.abort]).toEqual([id]);
  });
});

describe("the cause of a rollback", () => {
  it("is the first failure, also when a look that began before it has stopped a step beside it", async () => {
    const again = { maxAttempts: 2, delayMs: 60_000, jitter: 0 };
    const inner = fork("inner", { p: [task("p")], q: [task("q", { retry: again })] });
    const race = { ...fork("race", { x: [inner], y: [task("y")] }), join: "any" } as NodeJson;
    const id = await stand.start([race]);
    const leased = await stand.lease();
    await stand.settle([leased.get("q"), failed("not yet")]);
    await stand.db.transaction(async (tx) => {
      await sql(tx, "SELECT now()");
      await stand.settle([leased.get("p"), failed("the first")]);
      await reviewLoaded(tx, stand.graphs, await loadInstances(tx, stand.graphs, [id]), stand.hints);
    });
    expect(await stand.statuses(id)).toMatchObject({ p: "failed", q: "failed" });
    await stand.settle([leased.get("y"), failed("the last")]);
    await stand.review();
    const [row] = await sql(stand.db, "SELECT cause::jsonb FROM {schema}.instance WHERE instance_id = $1", id);
    expect(row).toMatchObject({ cause: { message: "the first" } });
    await stand.abort(id);
  });
});
