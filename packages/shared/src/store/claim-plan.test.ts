/** How PostgreSQL carries out a claim: by indexes only, however many instances there are. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openDatabase } from "./database.ts";
import type { Database, Executor } from "./executor.ts";
import { claim } from "./queue.ts";
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

/** The plan of a claim, as it is made without knowing its parameters. */
const planOfClaim = async (): Promise<string> => {
  let plan = "";
  const explain = (tx: Executor): Executor => ({
    schema: tx.schema,
    async query({ text }, [, , limit, leaseMs, workerId] = []) {
      await sql(tx, "SET LOCAL plan_cache_mode = force_generic_plan");
      await sql(tx, `PREPARE claiming AS ${text(tx.schema)}`);
      const values = `'{h}', '{5}', ${limit}, ${leaseMs}, '${workerId}', '{false}'`;
      const rows = await sql<{ "QUERY PLAN": string }>(tx, `EXPLAIN EXECUTE claiming (${values})`);
      plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      return [];
    },
  });
  const handlers = [{ handler: "h", slots: 5 }];
  await db.transaction((tx) => claim(explain(tx), { workerId: "w", handlers, limit: 5, leaseMs: 1_000 }));
  return plan;
};

describe("a claim while a definition is paused", () => {
  it("asks of its candidates only to which definition they belong, and does not read all instances", async () => {
    const ids = "'01' || lpad(g::text, 24, '0')";
    await sql(
      db,
      `INSERT INTO {schema}.instance (instance_id, definition_name, definition_version, status, priority, input)
       SELECT ${ids}, 'd' || g % 20, 1, 'running', 50, '{}' FROM generate_series(1, 20000) g`,
    );
    await sql(
      db,
      `INSERT INTO {schema}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms)
       SELECT ${ids}, 'a', 'forward', 'h', 'ready', 50, g, now(), 0, 1000 FROM generate_series(1, 2000) g`,
    );
    await sql(db, "INSERT INTO {schema}.pause (definition_name, requested_by) VALUES ('d0', 'op')");
    for (const table of ["instance", "queue", "pause"]) await sql(db, `ANALYZE {schema}.${table}`);
    const plan = await planOfClaim();
    expect(plan).toContain("queue_ready");
    expect(plan).not.toMatch(/Seq Scan on instance/);
  });
});
