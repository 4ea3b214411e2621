import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openDatabase } from "./database.ts";
import { priorityKeyText } from "./enqueue.ts";
import type { Database } from "./executor.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = openDatabase({ connectionString: database.url });
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

const rows = `
  SELECT ready_at, priority, lane
  FROM unnest(ARRAY['2001-02-03 04:05:06.789499+00', '2024-02-29 23:59:59.9995+00', '2038-01-19 03:14:08+00',
                    '1969-12-31 23:59:59.9991+00', '2999-12-31 12:00:00.123456+02']::timestamptz[] || statement_timestamp()) AS ready_at
  CROSS JOIN generate_series(0, 100) AS priority
  CROSS JOIN unnest(ARRAY['forward', 'compensation']) AS lane`;

describe("the priority key in place", () => {
  it("is what priority_key() makes of every priority, lane and time, at any rate of aging", async () => {
    const key = priorityKeyText(db.schema, { readyAt: "r.ready_at", priority: "r.priority", lane: "r.lane" });
    for (const rate of ["0.5", "1", "0.3", "7", "0.0001"]) {
      await sql(db, "UPDATE {schema}.setting SET value = $1::jsonb WHERE name = 'aging_points_per_second'", rate);
      const [found] = await sql<{ same: number; all: number }>(
        db,
        `SELECT count(*) AS "all", count(*) FILTER (WHERE ${key} = {schema}.priority_key(r.ready_at, r.priority, r.lane)) AS same
         FROM (${rows}) AS r`,
      );
      expect(found).toEqual({ all: 6 * 101 * 2, same: 6 * 101 * 2 });
    }
  });

  it("is so of a smallint, as the queue keeps priorities, and reads the rate once", async () => {
    const key = priorityKeyText(db.schema, { readyAt: "r.ready_at", priority: "r.priority", lane: "'forward'" });
    const small = `SELECT ready_at, priority::smallint AS priority FROM (${rows}) AS r WHERE lane = 'forward'`;
    const differing = await sql(
      db,
      `SELECT 1 FROM (${small}) AS r WHERE ${key} IS DISTINCT FROM {schema}.priority_key(r.ready_at, r.priority, 'forward')`,
    );
    expect(differing).toEqual([]);
    const plan = await sql<{ "QUERY PLAN": string }>(db, `EXPLAIN SELECT ${key} FROM (${small}) AS r`);
    const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
    expect(text).toContain("InitPlan");
    expect(text).not.toContain("SubPlan");
  });
});
