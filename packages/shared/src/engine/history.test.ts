import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { openDatabase } from "../store/database.ts";
import type { Database } from "../store/executor.ts";
import { historyState, pruneHistory, upkeepHistory } from "../store/history.ts";
import { listAudit } from "../store/operator.ts";
import type { TestDatabase } from "../store/testing/database.ts";
import { createTestDatabase, sql } from "../store/testing/database.ts";
import { newId } from "../vocabulary/id.ts";
import { runDoctor } from "./doctor.ts";
import type { RetentionParams } from "./history.ts";
import { keepLimits, lookAfterHistory, prune, readRetention, removeRetention, setRetention } from "./history.ts";
import type { PastInstance } from "./testing/past.ts";
import { putPast } from "./testing/past.ts";

const dayMs = 86_400_000;
const said = { requestedBy: "ann" };

let database: TestDatabase;
let db: Database;

beforeEach(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = openDatabase({ connectionString: database.url });
});

afterEach(async () => {
  const { findings } = await runDoctor(db);
  await db.close();
  await database.drop();
  expect(findings).toEqual([]);
});

/** Puts instances into the past, into partitions of their own time. */
const put = async (instances: readonly PastInstance[]): Promise<string[]> => {
  const ids = await putPast(db, instances);
  expect(await lookAfterHistory(db)).toMatchObject({ blocked: null });
  expect((await historyState(db)).defaultRows).toBe(0);
  return ids;
};

const keep = (days: number | null, target: Partial<RetentionParams> = {}): Promise<boolean> =>
  setRetention(db, { ...said, ...target, keepMs: days === null ? null : days * dayMs });

const many = (count: number, one: PastInstance): PastInstance[] => Array.from({ length: count }, () => one);

/** What is left of instances, by table. */
const countOf = async (table: string): Promise<number> => {
  const [row] = await sql<{ count: number }>(db, `SELECT count(*)::int AS count FROM {schema}.${table}`);
  return row?.count ?? 0;
};

const remaining = async (): Promise<string[]> => {
  const rows = await sql<{ id: string }>(db, `SELECT instance_id AS id FROM {schema}.instance ORDER BY 1`);
  return rows.map(({ id }) => id);
};

/** Expects that these instances are left whole, and of others nothing. */
const expectLeft = async (ids: readonly string[]): Promise<void> => {
  expect(await remaining()).toEqual([...ids].sort());
  const tables = ["instance", "step", "event", "vote", "signal"];
  const counts = Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await countOf(table)])));
  const { length } = ids;
  expect(counts).toEqual({ instance: length, step: length, event: 2 * length, vote: length, signal: length });
};

const partitions = async (): Promise<string[]> => {
  const rows = await sql<{ name: string }>(
    db,
    "SELECT step_table::text AS name FROM {schema}.history_partition ORDER BY lower",
  );
  return rows.map(({ name }) => name.replace("floxy.", ""));
};

describe("retention", () => {
  it("deletes nothing unless somebody has said so", async () => {
    const ids = await put([{ daysAgo: 4_000 }, { daysAgo: 400, status: "failed" }]);
    expect(await prune(db, { byRow: true })).toMatchObject({ instances: 0, done: true });
    await expectLeft(ids);
  });

  it("counts by definition and status, the most specific first, from the end of the instance on", async () => {
    const of = (definition: string, status: string, daysAgo: number, endedDaysAgo = daysAgo) => ({
      definition,
      status,
      daysAgo,
      endedDaysAgo,
    });
    const ids = await put([
      of("a", "completed", 100), // a, any: 30 days
      of("a", "completed", 20),
      of("a", "failed", 100), // a, failed: for ever
      of("b", "completed", 100), // any, any: 200 days
      of("b", "completed", 300),
      of("b", "failed", 100), // any, failed: 50 days
      of("b", "failed", 100, 10), // It ended only ten days ago.
    ]);
    await keep(200);
    await keep(30, { definition: "a" });
    await keep(null, { definition: "a", status: "failed" });
    await keep(50, { status: "failed" });
    expect(await prune(db, { byRow: true })).toMatchObject({ instances: 3, done: true });
    await expectLeft([1, 2, 3, 6].map((index) => ids[index] ?? ""));
  });

  it("never removes what is alive, waits for a person, or is named by a bulk act that goes on", async () => {
    const alive = ["running", "rolling_back", "cancelling", "pending"];
    const ids = await put([...alive.map((status) => ({ status, daysAgo: 90 })), { daysAgo: 90 }, { daysAgo: 90 }]);
    const [, , , , dead = "", named = ""] = ids;
    const letter = `INSERT INTO {schema}.dead_letter (instance_id, node, kind, error, attempt) VALUES ($1, 'a', 'forward', '{}', 1)`;
    await sql(db, letter, dead);
    await sql(
      db,
      `INSERT INTO {schema}.bulk (bulk_id, act, filter, requested_by, item_count) VALUES ('B', 'cancel', '{}', 'ann', 1)`,
    );
    await sql(db, `INSERT INTO {schema}.bulk_item (bulk_id, position, instance_id) VALUES ('B', 1, $1)`, named);
    await keep(1);
    expect(await prune(db, { byRow: true })).toMatchObject({ instances: 0, partitions: 0, done: true });
    expect(await remaining()).toEqual([...ids].sort());
    await sql(db, "DELETE FROM {schema}.dead_letter");
    await sql(db, "UPDATE {schema}.bulk SET finished_at = now()");
    expect(await prune(db, { byRow: true })).toMatchObject({ instances: 2, done: true });
    await sql(db, "DELETE FROM {schema}.instance");
    await sql(db, "DELETE FROM {schema}.step");
    await sql(db, "DELETE FROM {schema}.vote");
    await sql(db, "DELETE FROM {schema}.signal");
  });

  it("is set, listed and removed, with a row in the audit for each change", async () => {
    await put([{ daysAgo: 1 }]);
    const actId = newId();
    expect(await keep(30, { definition: "d", reason: "the law", actId })).toBe(true);
    expect(await keep(30, { definition: "d" })).toBe(false);
    expect(await keep(40, { definition: "d", reason: "the law", actId })).toBe(true);
    expect(await keep(null, { status: "failed" })).toBe(true);
    expect(await readRetention(db)).toEqual([
      { definition: "d", status: null, keepMs: 30 * dayMs, createdAt: expect.any(Date) },
      { definition: null, status: "failed", keepMs: null, createdAt: expect.any(Date) },
    ]);
    expect(await removeRetention(db, { ...said, definition: "d" })).toBe(true);
    expect(await removeRetention(db, { ...said, definition: "d" })).toBe(false);
    const acts = await listAudit(db, { instanceId: null, before: null, limit: 10 });
    expect(acts.map(({ act, definitionName, reason, data }) => [act, definitionName, reason, data])).toEqual([
      ["remove_retention", "d", null, {}],
      ["set_retention", null, null, { status: "failed", keepMs: null }],
      ["set_retention", "d", "the law", { keepMs: 30 * dayMs }],
    ]);
  });

  it.each([
    [{ keepMs: keepLimits.least - 1 }, "OPTION_INVALID"],
    [{ keepMs: Number.NaN }, "OPTION_INVALID"],
    [{ keepMs: undefined }, "OPTION_INVALID"],
    [{ keepMs: dayMs, status: "running" }, "OPTION_INVALID"],
    [{ keepMs: dayMs, requestedBy: "" }, "OPTION_INVALID"],
    [{ keepMs: dayMs, definition: "*" }, "NAME_INVALID"],
    [{ keepMs: dayMs, definition: "unknown" }, "DEFINITION_NOT_FOUND"],
  ])("refuses %o with %s", async (params, code) => {
    await expect(setRetention(db, { ...said, ...params } as never)).rejects.toMatchObject({ code });
    expect(await readRetention(db)).toEqual([]);
  });
});

describe("pruning", () => {
  it("drops the partition of a span all of whose instances may go, and keeps the others", async () => {
    const old = many(30, { daysAgo: 60 });
    const [, ...ids] = [...(await put([...old, { daysAgo: 20 }]))].slice(old.length - 1);
    const before = await partitions();
    await keep(30);
    expect(await prune(db, { batchSize: 7 })).toEqual({
      instances: 30,
      partitions: 1,
      acts: 0,
      done: true,
      blocked: null,
    });
    expect(await partitions()).toEqual(before.slice(1));
    await expectLeft(ids);
  });

  it("waits for a partition that can soon be dropped, unless it is told to go by row", async () => {
    const now = await put([{ daysAgo: 36 }, { daysAgo: 29.5 }]);
    await keep(30);
    const before = await partitions();
    // However the weeks lie, the partition of the first is dropped, or waits for the second.
    const waited = await prune(db);
    expect(waited.instances).toBe(waited.partitions);
    await prune(db, { byRow: true });
    expect(await remaining()).toEqual(now.slice(1));
    expect(await partitions()).toEqual(before.slice(waited.partitions));
  });

  it("goes by row where some may stay for ever", async () => {
    const some = many(25, { daysAgo: 60, definition: "gone" });
    const [stays = ""] = await put([{ daysAgo: 60, definition: "kept" }, ...some]);
    const before = await partitions();
    await keep(30, { definition: "gone" });
    expect(await prune(db, { batchSize: 10 })).toMatchObject({ instances: 25, partitions: 0, done: true });
    expect(await partitions()).toEqual(before);
    await expectLeft([stays]);
  });

  it("stops at its limit, and goes on where it was", async () => {
    await put(many(30, { daysAgo: 60 }));
    await keep(30);
    expect(await prune(db, { limit: 10 })).toMatchObject({ instances: 10, partitions: 0, done: false });
    expect((await runDoctor(db)).findings).toEqual([]);
    expect(await prune(db)).toMatchObject({ instances: 20, partitions: 1, done: true });
    await expectLeft([]);
  });

  it("leaves nothing dangling wherever it is stopped, and the doctor finds nothing meanwhile", async () => {
    await put([...many(9, { daysAgo: 60 }), ...many(9, { daysAgo: 90 }), { daysAgo: 90, definition: "kept" }]);
    await keep(30, { definition: "d" });
    for (let more = true; more; ) {
      ({ more } = await pruneHistory(db, { limit: 2, byRow: false, since: null }));
      expect((await runDoctor(db)).findings).toEqual([]);
    }
    expect(await countOf("instance")).toBe(1);
  });

  it("keeps an instance that comes alive again while its partition is about to go", async () => {
    const ids = await put([...many(10, { daysAgo: 60 }), { daysAgo: 60, status: "failed" }]);
    await keep(30);
    const step = () => pruneHistory(db, { limit: 3, byRow: false, since: null });
    while ((await step()).instances === 0);
    const risen = ids.at(-1) ?? "";
    // As resuming does; it waits for nothing in this test, so it is put to rest before the doctor comes.
    await sql(db, "UPDATE {schema}.instance SET status = 'running', finished_at = NULL WHERE instance_id = $1", risen);
    const before = await partitions();
    while ((await step()).more);
    expect(await partitions()).toEqual(before);
    await expectLeft([risen]);
    await sql(db, "UPDATE {schema}.instance SET status = 'failed', finished_at = now() WHERE instance_id = $1", risen);
  });

  it("lets an idempotency key be used again when its instance is gone", async () => {
    await put([{ daysAgo: 60, idempotencyKey: "k" }]);
    await keep(30);
    await prune(db);
    await put([{ daysAgo: 1, idempotencyKey: "k" }]);
    expect(await countOf("instance")).toBe(1);
  });

  it("is done by one session at a time; another learns that it is busy", async () => {
    await put(many(50, { daysAgo: 60 }));
    await keep(30);
    await db.transaction(async (tx) => {
      await pruneHistory(tx, { limit: 5, byRow: false, since: null });
      expect(await pruneHistory(db, { limit: 5, byRow: false, since: null })).toMatchObject({
        instances: 0,
        blocked: "busy",
      });
      expect(await upkeepHistory(db)).toMatchObject({ created: 0, blocked: "busy" });
    });
    const results = await Promise.all([1, 2, 3, 4].map(() => prune(db, { batchSize: 5 })));
    while (!(await prune(db)).done);
    expect(results.every(({ instances }) => instances <= 50)).toBe(true);
    await expectLeft([]);
  });

  it("does not wait long for who reads the tables, and says that they are locked", async () => {
    await put(many(5, { daysAgo: 60 }));
    await keep(30);
    const before = await partitions();
    await db.transaction(async (reader) => {
      await sql(reader, "SELECT 1 FROM {schema}.step LIMIT 1");
      expect(await prune(db)).toMatchObject({ instances: 5, partitions: 0, done: false, blocked: "locked" });
      // By partition: the rows of steps and events are still there, and nobody has deleted them one by one.
      expect([await countOf("step"), await countOf("event")]).toEqual([5, 10]);
      expect((await runDoctor(db)).findings).toEqual([]);
    });
    expect(await prune(db)).toMatchObject({ instances: 0, partitions: 1, done: true });
    expect(await partitions()).toEqual(before.slice(1));
    await expectLeft([]);
  });

  it("removes audit rows and finished bulk acts by a setting, and keeps them without it", async () => {
    await keep(30);
    await sql(db, "UPDATE {schema}.audit SET created_at = now() - interval '400 days'");
    await sql(
      db,
      `INSERT INTO {schema}.bulk (bulk_id, act, filter, requested_by, item_count, finished_at)
       VALUES ('B', 'cancel', '{}', 'ann', 1, now() - interval '400 days')`,
    );
    await sql(
      db,
      `INSERT INTO {schema}.bulk_item (bulk_id, position, instance_id, state) VALUES ('B', 1, 'I', 'done')`,
    );
    expect(await prune(db)).toMatchObject({ acts: 0, done: true });
    await sql(db, `INSERT INTO {schema}.setting VALUES ('audit_keep', '"365 days"')`);
    expect(await prune(db)).toMatchObject({ acts: 1, done: true });
    expect(await Promise.all(["audit", "bulk", "bulk_item"].map(countOf))).toEqual([0, 0, 0]);
  });
});
