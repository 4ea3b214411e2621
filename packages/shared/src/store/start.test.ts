/** How PostgreSQL carries out a start: without a choice of plans, whatever it knows or does not know of the tables. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Advance } from "../core/model.ts";
import { newId } from "../vocabulary/id.ts";
import { openDatabase } from "./database.ts";
import type { Database, Executor } from "./executor.ts";
import type { NewInstance } from "./start.ts";
import { findExisting, insertInstances } from "./start.ts";
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

const step = { lane: "forward", handler: "h", delayMs: 0, timeoutMs: 1_000, inputFrom: null, fork: null } as const;

const advanceOf = (more: Partial<Advance> = {}): Advance => ({
  ...{ records: [], enqueue: [{ ...step, node: "a", priority: null }], review: false, joins: null, finished: null },
  ...more,
});

const instance = (more: Partial<NewInstance> = {}): NewInstance => ({
  ...{ instanceId: newId(), definitionName: "d", definitionVersion: 1, priority: 50, input: '{"n":1}', metadata: "{}" },
  ...{ idempotencyKey: null, deadlineMs: null, advance: advanceOf() },
  ...more,
});

/** The plans of all that a call sends, as they are made without knowing the parameters. */
const plansOf = async (call: (db: Executor) => Promise<unknown>): Promise<string[]> => {
  const plans: string[] = [];
  await db.transaction(async (tx) => {
    await sql(tx, "SET LOCAL plan_cache_mode = force_generic_plan");
    await call({
      schema: tx.schema,
      async query({ name, text }, values = []) {
        await sql(tx, `PREPARE ${name} AS ${text(tx.schema)}`);
        const rows = await sql<{ "QUERY PLAN": string }>(
          tx,
          `EXPLAIN EXECUTE ${name} (${values.map(() => "NULL").join(",")})`,
        );
        await sql(tx, `DEALLOCATE ${name}`);
        plans.push(rows.map((row) => row["QUERY PLAN"]).join("\n"));
        return [];
      },
    });
  });
  return plans;
};

describe("the plan of a start", () => {
  const waits = instance({ deadlineMs: 5, advance: advanceOf({ review: true }) });

  it("has no join, in any of its forms, neither with empty tables nor with large ones that were never analysed", async () => {
    const look = async () => {
      for (const alone of [true, false]) {
        for (const one of [instance(), waits]) {
          const [plan] = await plansOf((tx) => insertInstances(tx, [one], { alone }));
          expect(plan).toMatch(/Insert on queue/);
          expect(plan).not.toMatch(/Join|Nested Loop|Scan (using \S+ )?on (instance|queue|step|event|timer)/);
        }
      }
    };
    await look();
    await sql(db, "ALTER TABLE {schema}.instance SET (autovacuum_enabled = false)");
    await sql(
      db,
      `INSERT INTO {schema}.instance (instance_id, definition_name, definition_version, status, priority, input, idempotency_key)
       SELECT '01' || lpad(g::text, 24, '0'), 'd', 1, 'running', 50, '{}', 'k' || g FROM generate_series(1, 100000) g`,
    );
    await look();
    const [plan] = await plansOf((tx) => findExisting(tx, [instance({ idempotencyKey: "k7" })]));
    expect(plan).not.toContain("Seq Scan on instance");
  });
});

describe("a start of many at once", () => {
  it("gives each what is its own: definition, priority, steps in parallel, and the order of its events", async () => {
    const both = advanceOf({
      enqueue: ["a", "b"].map((node) => ({ ...step, node, priority: node === "a" ? null : 90 })),
    });
    const all = [
      instance({ priority: 10, advance: both }),
      instance({ priority: 20, advance: both, definitionName: "e", metadata: '{"m":1}' }),
      instance({ priority: 10, advance: advanceOf({ finished: { outputFrom: null }, enqueue: [] }) }),
      instance({ priority: 10, deadlineMs: 60_000 }),
    ];
    expect(await insertInstances(db, all, { alone: true })).toEqual([true, true, true, true]);
    const ids = all.map(({ instanceId }) => instanceId);
    const queued = await sql<{ instance_id: string; node: string; priority: number }>(
      db,
      "SELECT instance_id, node, priority FROM {schema}.queue WHERE instance_id = ANY ($1) ORDER BY instance_id, node",
      ids,
    );
    expect(queued.map(({ instance_id, node, priority }) => [ids.indexOf(instance_id), node, priority])).toEqual([
      ...[
        [0, "a", 10],
        [0, "b", 90],
        [1, "a", 20],
        [1, "b", 90],
        [3, "a", 10],
      ],
    ]);
    const rows = await sql<Record<string, unknown>>(
      db,
      `SELECT definition_name AS name, priority, status, metadata::text, deadline_at IS NOT NULL AS "hasDeadline"
       FROM {schema}.instance WHERE instance_id = ANY ($1) ORDER BY instance_id`,
      ids,
    );
    const usual = { name: "d", priority: 10, status: "running", metadata: "{}", hasDeadline: false };
    expect(rows).toEqual([
      usual,
      { ...usual, name: "e", priority: 20, metadata: '{"m": 1}' },
      { ...usual, status: "completed" },
      { ...usual, hasDeadline: true },
    ]);
  });

  it("is recognised when it is sent again, alone or not, and then writes nothing", async () => {
    const all = [instance(), instance({ idempotencyKey: "sent" }), instance({ deadlineMs: 9 })];
    expect(await insertInstances(db, all, { alone: true })).toEqual([true, true, true]);
    const count = async () => (await sql<{ n: number }>(db, "SELECT count(*) AS n FROM {schema}.event"))[0]?.n;
    const before = await count();
    for (const alone of [true, false]) {
      expect(await insertInstances(db, all, { alone })).toEqual([false, false, false]);
      expect(await insertInstances(db, all.slice(0, 2), { alone })).toEqual([false, false]);
    }
    expect(await count()).toBe(before);
    const again = instance({ idempotencyKey: "sent" });
    expect(await insertInstances(db, [all[0] as NewInstance, instance(), again], { alone: true })).toEqual([
      false,
      true,
      false,
    ]);
  });
});
