import type { Database } from "@floxy/shared";
import { setRetention } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import type { Logger } from "../log.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { createOrchestrator } from "../orchestrator.ts";
import type { TestDatabase } from "../testing/database.ts";
import { createTestDatabase, sql } from "../testing/database.ts";
import { registerSagas, startSagas } from "../testing/saga.ts";

let database: TestDatabase;
let db: Database;
const running: Orchestrator[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = database.db;
  await registerSagas(db);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((orchestrator) => orchestrator.stop()));
  await sql(db, "TRUNCATE floxy.queue, floxy.inbox, floxy.instance, floxy.step, floxy.event, floxy.retention");
});

afterAll(() => database.drop());

const eventually = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 15_000, interval: 10 });

const startOrchestrator = async (historyIntervalMs: number | false) => {
  const errors: string[] = [];
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (_, message) => errors.push(message) };
  const orchestrator = createOrchestrator({
    connectionString: database.url,
    listenConnectionString: false,
    historyIntervalMs,
    processMetrics: false,
    logger,
  });
  running.push(orchestrator);
  await orchestrator.start();
  const metric = async (name: string): Promise<number> => {
    const text = await orchestrator.registry.getSingleMetricAsString(name);
    return Number(text.trim().split(" ").at(-1));
  };
  return { orchestrator, errors, metric };
};

/** Instances that ended long ago, and one that goes on. */
const startInThePast = async (count: number): Promise<void> => {
  const ids = await startSagas(db, "chain", count + 1);
  const [alive] = ids;
  await sql(db, "DELETE FROM floxy.queue WHERE instance_id <> $1", [alive]);
  for (const table of ["instance", "event"]) {
    const id = "floxy.id_at(now() - interval '60 days') || substr(instance_id, 11)";
    await sql(db, `UPDATE floxy.${table} SET instance_id = ${id} WHERE instance_id <> $1`, [alive]);
  }
  await sql(
    db,
    `UPDATE floxy.instance SET status = 'completed', finished_at = now() - interval '59 days' WHERE instance_id <> $1`,
    [alive],
  );
};

const counts = async () => {
  const [row] = await sql<{ instances: number; strays: number }>(
    db,
    `SELECT (SELECT count(*)::int FROM floxy.instance) AS instances,
            (SELECT count(*)::int FROM floxy.event_default) AS strays`,
  );
  return row;
};

test("it empties the default partitions, removes what retention lets go, drops the partition, and counts it", async () => {
  await startInThePast(20);
  expect(await counts()).toEqual({ instances: 21, strays: 20 });
  await setRetention(db, { keepMs: 30 * 86_400_000, requestedBy: "ann" });
  const { metric, errors } = await startOrchestrator(100);
  await eventually(async () => expect(await metric("floxy_orchestrator_dropped_partitions_total")).toBe(1));
  expect(await counts()).toEqual({ instances: 1, strays: 0 });
  expect(await metric("floxy_orchestrator_pruned_instances_total")).toBe(20);
  await eventually(async () => expect(await metric("floxy_history_partitions")).toBe(3));
  expect(await metric("floxy_history_default_rows")).toBe(0);
  expect(await metric("floxy_history_ahead_seconds")).toBeGreaterThan(13 * 86_400);
  expect(errors).toEqual([]);
});

test("many orchestrators do it together, and count each instance once", async () => {
  await startInThePast(50);
  await setRetention(db, { keepMs: 30 * 86_400_000, requestedBy: "ann" });
  const all = await Promise.all([100, 100, 100].map(startOrchestrator));
  const sum = async (name: string): Promise<number> =>
    (await Promise.all(all.map(({ metric }) => metric(name)))).reduce((a, b) => a + b, 0);
  await eventually(async () => expect(await sum("floxy_orchestrator_dropped_partitions_total")).toBe(1));
  expect(await sum("floxy_orchestrator_pruned_instances_total")).toBe(50);
  expect(await counts()).toEqual({ instances: 1, strays: 0 });
  expect(all.flatMap(({ errors }) => errors)).toEqual([]);
});

test("while somebody holds the tables it says so, and goes on when they are let go", async () => {
  await startInThePast(5);
  await setRetention(db, { keepMs: 30 * 86_400_000, requestedBy: "ann" });
  const { metric } = await startOrchestrator(1_000);
  await eventually(async () => expect(await metric("floxy_orchestrator_dropped_partitions_total")).toBe(1));
  await startInThePast(5);
  let whileHeld: { blocked: string; dropped: number } | undefined;
  const { orchestrator, metric: second } = await startOrchestrator(false);
  expect(orchestrator.health().services.map(({ service }) => service)).not.toContain("history");
  await db.transaction(async (reader) => {
    await reader.query({ name: "reading", text: (schema) => `SELECT 1 AS one FROM ${schema}.event LIMIT 1` });
    const blocked = /floxy_orchestrator_history_blocked\{obstacle="locked"\} 1/;
    await eventually(async () =>
      expect(await running[0]?.registry.getSingleMetricAsString("floxy_orchestrator_history_blocked")).toMatch(blocked),
    );
    whileHeld = { blocked: "locked", dropped: await metric("floxy_orchestrator_dropped_partitions_total") };
  });
  expect(whileHeld).toEqual({ blocked: "locked", dropped: 1 });
  await eventually(async () => expect(await metric("floxy_orchestrator_dropped_partitions_total")).toBe(2));
  expect(await second("floxy_orchestrator_dropped_partitions_total")).toBe(0);
});
