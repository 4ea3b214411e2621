/**
 * How PostgreSQL carries out the hot path: by indexes only, whatever it knows of the tables. The functions are planned
 * when they are first called on a connection, here while the queue is empty, and are then called with 1,000,000 ready steps
 * that nobody has analysed.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { complete } from "./complete.ts";
import { openDatabase } from "./database.ts";
import type { Database, Executor } from "./executor.ts";
import { claim } from "./queue.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";

const readyCount = 1_000_000;
const instanceCount = 20_000;

let database: TestDatabase;
let db: Database;

const handlers = Array.from({ length: 50 }, (_, index) => ({ handler: `h${index}`, slots: 5 }));
const claiming = { workerId: "w", handlers, limit: 5, leaseMs: 1_000 };
const none = { workerId: "w", completions: [], handlers: [], leaseMs: 1_000 };

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = openDatabase({ connectionString: database.url, maxConnections: 1 });
  for (let plan = 0; plan < 2; plan++) {
    await claim(db, claiming);
    await complete(db, none);
  }
  const id = (n: string) => `'01' || lpad((${n})::text, 24, '0')`;
  await sql(
    db,
    `INSERT INTO {schema}.instance (instance_id, definition_name, definition_version, status, priority, input)
     SELECT ${id("g")}, 'd' || g % 20, 1, 'running', 50, '{}' FROM generate_series(1, ${instanceCount}) g`,
  );
  await sql(
    db,
    `INSERT INTO {schema}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms)
     SELECT ${id(`g % ${instanceCount} + 1`)}, 'n' || g, 'forward', 'h' || g % 50, 'ready', 50, g, now(), 0, 1000
     FROM generate_series(1, ${readyCount}) g`,
  );
}, 120_000);

afterAll(async () => {
  await db.close();
  await database.drop();
});

interface Reads {
  readonly scans: number;
  readonly rows: number;
}

/** How a call reads: how often a whole table was read, and how many rows were looked at by an index. */
const readsOf = (call: (tx: Executor) => Promise<unknown>): Promise<Reads> =>
  db.transaction(async (tx) => {
    const before = await counters(tx);
    await call(tx);
    const after = await counters(tx);
    return { scans: after.scans - before.scans, rows: after.rows - before.rows };
  });

const counters = async (tx: Executor): Promise<Reads> => {
  const [reads] = await sql<Reads>(
    tx,
    `SELECT sum(seq_scan)::int AS scans, sum(idx_tup_fetch)::int AS rows FROM pg_stat_xact_user_tables
     WHERE schemaname = 'floxy' AND relname NOT IN ('pause', 'setting')`,
  );
  return reads as Reads;
};

describe("with 1,000,000 ready steps, none of them analysed", () => {
  it("a claim for 50 handlers looks at little more than the heads of their ranges", async () => {
    const reads = await readsOf((tx) => claim(tx, claiming));
    expect(reads.scans).toBe(0);
    expect(reads.rows).toBeLessThan(50 * 2 * 10);
  });

  it("completing looks at the rows of its steps only", async () => {
    const steps = await claim(db, claiming);
    const completions = steps.map(({ instanceId, node, token }) => ({
      ...{ instanceId, node, token, verdict: "completed", output: "1", error: null, outcome: null, onFail: "freeze" },
      ...{ delayMs: 0, advance: null, take: [] },
    })) as Parameters<typeof complete>[1]["completions"];
    const reads = await readsOf((tx) => complete(tx, { ...none, completions }));
    expect(reads.scans).toBe(0);
    expect(reads.rows).toBeLessThan(steps.length * 10);
    expect(await sql(db, "SELECT FROM {schema}.step")).toHaveLength(steps.length);
  });

  it("of paused definitions a claim asks its candidates only, and does not read all instances", async () => {
    await sql(db, "INSERT INTO {schema}.pause (definition_name, requested_by) VALUES ('d0', 'op')");
    const reads = await readsOf((tx) => claim(tx, claiming));
    expect(reads.scans).toBe(0);
    expect(reads.rows).toBeLessThan(50 * 5 * 10);
  });
});
