import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import type { NodeJson } from "../definition/model.ts";
import { openDatabase } from "../store/database.ts";
import { ringTimers } from "../store/inbox.ts";
import { takeReconciling } from "../store/reconcile.ts";
import { sql } from "../store/testing/database.ts";
import { noHints } from "./hints.ts";
import { pauseDefinition } from "./operate/definition.ts";
import type { Reconciled } from "./reconcile.ts";
import { reconcile } from "./reconcile.ts";
import { done, failed, fork, Stand, task } from "./testing/stand.ts";
import { buildTown } from "./testing/town.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
}, 30_000);

afterEach(async () => {
  for (const table of ["queue", "inbox", "timer", "step", "instance", "stuck", "pause", "dead_letter"]) {
    await sql(stand.db, `TRUNCATE {schema}.${table}`);
  }
});

afterAll(() => stand.close());

const round = (graceMs = 0): Promise<Reconciled> => reconcile(stand.db, { graceMs, limit: 100, hints: stand.hints });
const nothing: Reconciled = { timers: 0, noted: 0, released: 0, held: 0, stuck: [], stuckCount: 0 };
const both = fork("both", { x: [task("x")], y: [task("y")] });
const lose = (table: string): Promise<object[]> => sql(stand.db, `DELETE FROM {schema}.${table}`);

/** Lets whatever waits for a time be due. */
const letTimePass = async (): Promise<void> => {
  await sql(stand.db, "UPDATE {schema}.step SET due_at = now() WHERE due_at IS NOT NULL");
  await sql(stand.db, "UPDATE {schema}.instance SET deadline_at = now() WHERE deadline_at IS NOT NULL");
  await sql(stand.db, "UPDATE {schema}.timer SET due_at = now()");
  await ringTimers(stand.db, 100);
  await stand.review();
};

const statusOf = async (instanceId: string): Promise<string> => (await stand.view(instanceId)).status;

describe("reconciling", () => {
  it("has nothing to do in a healthy town, and tells nobody anything", async () => {
    const own = await Stand.open(inject("databaseUrl"));
    try {
      await buildTown(own);
      const hints = noHints();
      expect(await reconcile(own.db, { graceMs: 0, limit: 100, hints })).toEqual(nothing);
      expect(hints).toEqual(noHints());
    } finally {
      await own.close();
    }
  }, 30_000);

  it("lets a join fire whose note was lost", async () => {
    const id = await stand.start([both]);
    const leased = await stand.lease();
    await stand.settle([leased.get("x"), done], [leased.get("y"), done]);
    await lose("inbox");
    await stand.review();
    expect(await statusOf(id)).toBe("running");
    expect(await round()).toEqual({ ...nothing, noted: 1 });
    await stand.review();
    expect(await statusOf(id)).toBe("completed");
    expect(await round()).toEqual(nothing);
  });

  it("lets a rollback begin whose note was lost", async () => {
    const id = await stand.start([task("a"), task("b")]);
    await stand.settle([(await stand.lease()).get("a"), done]);
    await stand.settle([(await stand.lease()).get("b"), failed()]);
    await lose("inbox");
    expect(await round()).toEqual({ ...nothing, noted: 1 });
    await stand.review();
    expect([...(await stand.lease()).keys()]).toEqual(["undo:b"]);
    expect(await statusOf(id)).toBe("rolling_back");
  });

  it("leaves an instance alone that is younger than the grace", async () => {
    await stand.start([both]);
    await lose("queue");
    expect(await round(60_000)).toEqual(nothing);
    expect(await round()).toEqual({ ...nothing, noted: 1 });
  });

  it.each<[string, NodeJson, string]>([
    ["sleep", { kind: "sleep", name: "wait", durationMs: 3_600_000 }, "completed"],
    ["human", { kind: "human", name: "wait", timeoutMs: 3_600_000, onTimeout: "confirm" }, "completed"],
    ["signal", { kind: "signal", name: "wait", timeoutMs: 3_600_000 }, "failed"],
  ])("sets the lost timer of a %s anew", async (_, node, status) => {
    const id = await stand.start([node]);
    await stand.review();
    await lose("timer");
    await letTimePass();
    expect(await statusOf(id)).toBe("running");
    expect(await round()).toEqual({ ...nothing, timers: 1 });
    expect(stand.hints.delayed).toBe(true);
    await letTimePass();
    expect(await statusOf(id)).toBe(status);
  });

  it("sets the lost timer of a deadline anew", async () => {
    const id = await stand.start([{ kind: "signal", name: "never" }]);
    await stand.review();
    await sql(stand.db, "UPDATE {schema}.instance SET deadline_at = now()");
    expect(await round()).toEqual({ ...nothing, timers: 1 });
    await letTimePass();
    expect(await statusOf(id)).toBe("cancelled");
  });

  it("releases what is held though its definition is not paused, and holds what is ready though it is", async () => {
    const id = await stand.start([task("a")]);
    const { definition } = await stand.view(id);
    await sql(stand.db, "UPDATE {schema}.queue SET state = 'held'");
    expect(await round()).toEqual({ ...nothing, released: 1 });
    expect(stand.hints.ready).toContain("h");
    await pauseDefinition(stand.db, { name: definition.name, requestedBy: "mayor", hints: noHints() });
    await sql(stand.db, "UPDATE {schema}.queue SET state = 'ready'");
    expect(await round()).toEqual({ ...nothing, held: 1 });
    expect(await round()).toEqual(nothing);
  });

  it("says of what a look did not help that it is stuck, until it is no longer so", async () => {
    const lost = await stand.start([task("a")]);
    await lose("queue");
    expect(await round()).toEqual({ ...nothing, noted: 1 });
    // It was not looked at yet.
    expect(await round()).toEqual(nothing);
    await stand.review();
    expect(await round()).toEqual({ ...nothing, noted: 1, stuck: [lost], stuckCount: 1 });
    await stand.review();
    await sql(stand.db, "UPDATE {schema}.instance SET status = 'aborted', finished_at = now()");
    expect(await round()).toEqual(nothing);
    expect(await sql(stand.db, "SELECT * FROM {schema}.stuck")).toEqual([]);
  });

  it("counts an instance in dlq without a dead letter as stuck", async () => {
    const id = await stand.start([task("a")]);
    await lose("queue");
    await sql(stand.db, "UPDATE {schema}.instance SET status = 'dlq', paused_from = 'running'");
    await round();
    await stand.review();
    expect((await round()).stuck).toEqual([id]);
  });

  it("leaves it to the one that is at it", async () => {
    await stand.start([task("a")]);
    await lose("queue");
    const other = openDatabase({ connectionString: stand.url });
    try {
      await other.transaction(async (tx) => {
        expect(await takeReconciling(tx)).toBe(true);
        expect(await round()).toEqual(nothing);
      });
      expect(await round()).toEqual({ ...nothing, noted: 1 });
    } finally {
      await other.close();
    }
  });
});
