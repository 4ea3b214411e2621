import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { openDatabase } from "../store/database.ts";
import { analyzeHistory, historyState, upkeepHistory } from "../store/history.ts";
import { sql } from "../store/testing/database.ts";
import { runDoctor } from "./doctor.ts";
import { lookAfterHistory } from "./history.ts";
import { putPast } from "./testing/past.ts";
import { done, failed, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeEach(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterEach(() => stand.close());

interface Part {
  readonly lower: string;
  readonly upper: string;
  readonly from: Date | null;
  readonly to: Date;
  readonly step: string;
  readonly event: string;
}

const partitions = (): Promise<Part[]> =>
  sql<Part>(
    stand.db,
    `SELECT lower, upper, {schema}.id_time(lower) AS from, {schema}.id_time(upper) AS to,
            replace(step_table::text, 'floxy.', '') AS step, replace(event_table::text, 'floxy.', '') AS event
     FROM {schema}.history_partition ORDER BY lower`,
  );

/** As if nobody had made partitions for a long time. */
const dropPartitions = async (): Promise<void> => {
  for (const { step, event } of await partitions())
    await sql(stand.db, `DROP TABLE {schema}.${step}, {schema}.${event}`);
};

const setSpan = (span: string): Promise<object[]> =>
  sql(stand.db, "UPDATE {schema}.setting SET value = to_jsonb($1::text) WHERE name = 'history_span'", span);

const countOf = async (table: string): Promise<number> => {
  const [row] = await sql<{ count: number }>(stand.db, `SELECT count(*)::int AS count FROM {schema}.${table}`);
  return row?.count ?? 0;
};

/** Runs an instance of one step to its end. */
const run = async (): Promise<string> => {
  const id = await stand.start([task("a")]);
  await stand.settle([(await stand.lease()).get("a"), done]);
  return id;
};

describe("the partitions of history", () => {
  it.each([
    ["day", 8, 1],
    ["week", 3, 7],
    ["month", 3, 31],
  ])("are made ahead by the %s, without a gap", async (span, count, days) => {
    await dropPartitions();
    await setSpan(span);
    expect(await lookAfterHistory(stand.db)).toEqual({ created: count, blocked: null });
    const made = await partitions();
    const now = Date.now();
    expect(made[0]?.from?.getTime()).toBeLessThanOrEqual(now);
    expect(made[0]?.to.getTime()).toBeGreaterThan(now);
    expect(made.slice(1).map(({ lower }) => lower)).toEqual(made.slice(0, -1).map(({ upper }) => upper));
    const { aheadMs, spanMs } = await historyState(stand.db);
    expect(aheadMs).toBeGreaterThan(2 * spanMs - 3 * 86_400_000);
    expect((made[0]?.to.getTime() ?? 0) - (made[0]?.from?.getTime() ?? 0)).toBeLessThanOrEqual(days * 86_400_000);
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 0, blocked: null });
  });

  it("stay when the span changes, and what is made then begins where they end", async () => {
    const before = await partitions();
    for (const span of ["month", "day", "week"]) {
      await setSpan(span);
      await lookAfterHistory(stand.db);
    }
    const after = await partitions();
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after.slice(1).map(({ lower }) => lower)).toEqual(after.slice(0, -1).map(({ upper }) => upper));
  });

  it("have the storage parameters of the default partition, and its indexes", async () => {
    await sql(stand.db, "ALTER TABLE {schema}.step_default SET (autovacuum_vacuum_cost_delay = 0)");
    await dropPartitions();
    await lookAfterHistory(stand.db);
    const [{ step = "", event = "" } = {}] = await partitions();
    const rows = await sql(
      stand.db,
      `SELECT reloptions AS options, array(SELECT replace(pg_get_indexdef(indexrelid), 'floxy.', '') FROM pg_index i
         WHERE i.indrelid = c.oid) AS indexes
       FROM pg_class c WHERE oid IN ('floxy.${step}'::regclass, 'floxy.${event}'::regclass) ORDER BY relname DESC`,
    );
    expect(rows).toEqual([
      {
        options: ["fillfactor=90", "autovacuum_vacuum_cost_delay=0"],
        indexes: [`CREATE UNIQUE INDEX ${step}_pkey ON ${step} USING btree (instance_id, node)`],
      },
      {
        options: null,
        indexes: [`CREATE INDEX ${event}_instance_id_event_id_idx ON ${event} USING btree (instance_id, event_id)`],
      },
    ]);
  });

  it("are touched only where the rows are: by starting, leasing, settling, undoing and reading", async () => {
    const own = openDatabase({ connectionString: stand.url });
    // In small tables it would not matter, and the planner knows that.
    for (const daysAgo of [20, 40, 60]) await putPast(own, Array(2_000).fill({ daysAgo }) as { daysAgo: number }[]);
    await lookAfterHistory(own);
    await analyzeHistory(own);
    await own.close();
    const other = openDatabase({ connectionString: stand.url });
    await sql(other, "SELECT pg_stat_reset()");
    await other.close();
    // Often enough that prepared statements have generic plans.
    for (let n = 0; n < 8; n++) {
      const id = await stand.start([task("a"), task("b")]);
      await stand.settle([(await stand.lease()).get("a"), done]);
      await stand.settle([(await stand.lease()).get("b"), failed()]);
      await stand.review();
      for (let undo = await stand.leaseAll(); undo.length > 0; undo = await stand.leaseAll()) {
        await stand.settle(...undo.map((one) => [one, done] as const));
        await stand.review();
      }
      expect((await stand.view(id)).status).toBe("failed");
      await stand.story(id);
    }
    // What a session has counted shows when it has ended.
    const { url } = stand;
    await stand.db.close();
    const reader = openDatabase({ connectionString: url });
    try {
      const touched = await sql<{ lower: string; now: boolean }>(
        reader,
        `SELECT lower, {schema}.id_at(now()) BETWEEN lower AND upper AS now FROM {schema}.history_partition
         CROSS JOIN LATERAL (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd) AS touched
           FROM pg_stat_user_tables WHERE relid IN (step_table, event_table)) t WHERE touched > 0`,
      );
      expect(touched.map(({ now }) => now)).toEqual([true]);
    } finally {
      await reader.close();
    }
  });

  it("are one in the plan of an insert and of a lookup by key, whose parameters are not known", async () => {
    const plans = await stand.db.transaction(async (tx) => {
      await sql(tx, "SET LOCAL plan_cache_mode = force_generic_plan");
      const explain = async (name: string, types: string, text: string, values: string): Promise<string> => {
        await sql(tx, `PREPARE ${name} (${types}) AS ${text}`);
        const lines = await sql<{ "QUERY PLAN": string }>(
          tx,
          `EXPLAIN (ANALYZE, COSTS OFF) EXECUTE ${name} (${values})`,
        );
        return lines.map((line) => line["QUERY PLAN"]).join("\n");
      };
      const id = "'01M00000000000000000000000'";
      return [
        await explain("insert_one", "text", "INSERT INTO {schema}.event (instance_id, type) VALUES ($1, 'x')", id),
        await explain("look", "text", "SELECT output FROM {schema}.step WHERE instance_id = $1 AND node = 'a'", id),
        await explain(
          "join_one",
          "text[]",
          `SELECT s.output FROM unnest($1) AS w(id) CROSS JOIN LATERAL (
             SELECT output FROM {schema}.step WHERE instance_id = w.id AND node = 'a' OFFSET 0) AS s`,
          `ARRAY[${id}]`,
        ),
      ];
    });
    expect(plans[0]).not.toContain("Append");
    expect(plans[1]).toContain("Subplans Removed: 3");
    expect(plans[2]?.match(/never executed/g)).toHaveLength(3);
  });
});

describe("functions of the database", () => {
  it("that pin their plans are not compiled: all partitions count in the price that the planner puts on them", async () => {
    const compiled = await sql(
      stand.db,
      `SELECT proname FROM pg_proc WHERE pronamespace = 'floxy'::regnamespace
         AND 'plan_cache_mode=force_generic_plan' = ANY (proconfig) AND NOT 'jit=off' = ANY (proconfig)`,
    );
    expect(compiled).toEqual([]);
  });
});

describe("the default partitions", () => {
  it("take what is started when nobody has made partitions, and are emptied when somebody does", async () => {
    await dropPartitions();
    const ids = [await run(), await run()];
    const before = [await countOf("step"), await countOf("event")];
    expect((await historyState(stand.db)).defaultRows).toBe((before[0] ?? 0) + (before[1] ?? 0));
    expect((await runDoctor(stand.db, { graceMs: 0 })).findings).toMatchObject([
      { check: "history_default_is_empty", count: 2 },
    ]);
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 3, blocked: null });
    expect(await historyState(stand.db)).toMatchObject({ partitions: 3, defaultRows: 0 });
    expect([await countOf("step"), await countOf("event")]).toEqual(before);
    expect(await stand.statuses(ids[0] ?? "")).toEqual({ a: "completed" });
    expect((await runDoctor(stand.db, { graceMs: 0 })).findings).toEqual([]);
  });

  it("are emptied of what clocks that were off have left in them, whenever that was", async () => {
    await putPast(stand.db, [{ daysAgo: 20_000 }, { daysAgo: 300 }, { daysAgo: -300 }, { daysAgo: 300 }]);
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 3, blocked: null });
    expect(await historyState(stand.db)).toMatchObject({ partitions: 6, defaultRows: 0 });
  });

  it("keep what is no id of ours, and the rest goes on", async () => {
    await sql(stand.db, "INSERT INTO {schema}.event (instance_id, type) VALUES ('NOBODY', 'x'), ('zzz', 'x')");
    await putPast(stand.db, [{ daysAgo: 300 }]);
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 1, blocked: null });
    expect(await historyState(stand.db)).toMatchObject({ partitions: 4, defaultRows: 2 });
  });

  const fill = (): Promise<object[]> =>
    sql(
      stand.db,
      `INSERT INTO {schema}.event (instance_id, type) SELECT {schema}.id_at(now()) || lpad(g::text, 16, '0'), repeat('x', 50)
       FROM generate_series(1, 60000) g`,
    );

  it("become partitions themselves when they hold too much to be moved, while instances start and run", async () => {
    await dropPartitions();
    await run();
    await fill();
    const before = await countOf("event");
    const steps: object[] = [];
    let started = 0;
    for (let more = true; more; ) {
      const step = await upkeepHistory(stand.db);
      ({ more } = step);
      steps.push(step);
      await run();
      started += 1;
    }
    // Declared, checked, taken.
    expect(steps).toHaveLength(3);
    expect(steps.every((step) => "blocked" in step && step.blocked === null)).toBe(true);
    expect(await historyState(stand.db)).toMatchObject({ defaultRows: 0 });
    expect(await countOf("step")).toBe(started + 1);
    expect(await countOf("event")).toBeGreaterThanOrEqual(before + started);
    expect((await partitions())[0]?.lower).toBe("");
    await sql(stand.db, "DELETE FROM {schema}.event WHERE type LIKE 'xxx%'");
    expect((await runDoctor(stand.db)).findings).toEqual([]);
  });

  it("stay as they are when what is too much to be moved is not of one span, and say so", async () => {
    await fill();
    await dropPartitions();
    await fill();
    await sql(stand.db, "INSERT INTO {schema}.event (instance_id, type) VALUES ('NOBODY', 'x')");
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 0, blocked: "scattered" });
    await run();
  });

  it("are not waited for while somebody reads them, and nobody waits behind", async () => {
    await dropPartitions();
    await stand.db.transaction(async (reader) => {
      await sql(reader, "SELECT 1 FROM {schema}.step LIMIT 1");
      expect(await lookAfterHistory(stand.db)).toEqual({ created: 0, blocked: "locked" });
      await run();
    });
    expect(await lookAfterHistory(stand.db)).toEqual({ created: 3, blocked: null });
  });
});
