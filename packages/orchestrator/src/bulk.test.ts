import type { Database } from "@floxy/shared";
import { abortInstance, createGraphCache, getBulk, listBulkItems, newId, noHints, startBulk } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";
import { runOrchestrator } from "./testing/process.ts";
import { registerSagas, startSagas } from "./testing/saga.ts";

let database: TestDatabase;
let db: Database;
const cleanup: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = database.db;
  await registerSagas(db);
});

afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

afterAll(() => database.drop());

const eventually = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 40_000, interval: 5 });

const startProcess = () => {
  const environment = { DATABASE_URL: database.url, FLOXY_HTTP_PORT: "off", FLOXY_LOG_LEVEL: "warn" };
  const child = runOrchestrator([], environment);
  cleanup.push(() => {
    child.kill("SIGKILL");
    return child.ended;
  });
  return child;
};

const count = async (text: string): Promise<number> => {
  const [row] = await sql<{ count: number }>(db, `SELECT count(*)::int AS count FROM floxy.${text}`);
  return row?.count ?? 0;
};

test("1,000 instances are cancelled in bulk, each once, though every orchestrator is killed in the middle", async () => {
  const ids = await startSagas(db, "chain", 1_000);
  const bulkId = newId();
  const filter = { definition: "chain", statuses: ["running"] } as const;
  const params = { bulkId, act: "cancel", filter, requestedBy: "ops", reason: "drill", hints: noHints() } as const;
  expect(await startBulk(db, params)).toBe(1_000);
  // Somebody ends the last three before their turn comes.
  const last = ids.toSorted().slice(-3);
  const said = { requestedBy: "other", hints: noHints() };
  for (const instanceId of last) await abortInstance(db, createGraphCache(), { ...said, instanceId });

  const first = [startProcess(), startProcess()];
  await eventually(async () => expect((await getBulk(db, bulkId))?.done).toBeGreaterThan(200));
  for (const child of first) child.kill("SIGKILL");
  for (const { ended } of first) expect(await ended).toMatchObject({ signal: "SIGKILL" });
  const left = await getBulk(db, bulkId);
  expect(left?.pending).toBeGreaterThan(0);
  expect(left?.finishedAt).toBeNull();

  for (const child of [startProcess(), startProcess()]) expect(child.output()).toBe("");
  await eventually(async () => expect((await getBulk(db, bulkId))?.finishedAt).not.toBeNull());
  expect(await getBulk(db, bulkId)).toMatchObject({ count: 1_000, pending: 0, done: 997, failed: 0, skipped: 3 });
  const items = await listBulkItems(db, { bulkId, after: 0, states: ["skipped"], limit: 10 });
  expect(items.map(({ instanceId, code }) => [instanceId, code])).toEqual(last.map((id) => [id, "INSTANCE_TERMINAL"]));
  expect(await count("audit WHERE act = 'cancel' AND instance_id IS NOT NULL")).toBe(997);
  expect(await count("event WHERE type = 'instance.cancelling'")).toBe(997);
  expect(await count("instance WHERE status = 'cancelled'")).toBe(997);
}, 90_000);
