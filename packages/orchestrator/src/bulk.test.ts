import type { Database } from "@floxy/shared";
import { getBulk, listBulkItems, newId, noHints, openDatabase, startBulk } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";
import { runOrchestrator } from "./testing/process.ts";
import { lease, registerSagas, settleSteps, startSagas } from "./testing/saga.ts";

let database: TestDatabase;
let db: Database;
const cleanup: (() => Promise<unknown> | void)[] = [];

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
  // What somebody does meanwhile: the last three come to their ends before their turn.
  const last = new Set(ids.slice(-3));
  await sql(db, "UPDATE floxy.queue SET key = 0 WHERE instance_id = ANY ($1)", [[...last]]);
  for (let step = 0; step < 2; step++) {
    const leased = (await lease(db, "worker")).filter(({ instanceId }) => last.has(instanceId));
    expect(leased).toHaveLength(3);
    await settleSteps(db, leased);
    await sql(db, "UPDATE floxy.queue SET key = 0 WHERE instance_id = ANY ($1)", [[...last]]);
  }

  const first = [startProcess(), startProcess()];
  await eventually(async () => expect((await getBulk(db, bulkId))?.done).toBeGreaterThan(20));
  for (const child of first) child.kill("SIGKILL");
  for (const { ended } of first) expect(await ended).toMatchObject({ signal: "SIGKILL" });
  const left = await getBulk(db, bulkId);
  expect(left?.pending).toBeGreaterThan(0);
  expect(left?.finishedAt).toBeNull();

  for (const child of [startProcess(), startProcess()]) expect(child.output()).toBe("");
  await eventually(async () => expect((await getBulk(db, bulkId))?.finishedAt).not.toBeNull());
  expect(await getBulk(db, bulkId)).toMatchObject({ count: 1_000, pending: 0, done: 997, failed: 0, skipped: 3 });
  const items = await listBulkItems(db, { bulkId, after: 0, states: ["skipped"], limit: 10 });
  expect(items.map(({ instanceId, code }) => [instanceId, code])).toEqual(
    [...last].sort().map((id) => [id, "INSTANCE_TERMINAL"]),
  );
  expect(await count("audit WHERE act = 'cancel' AND instance_id IS NOT NULL")).toBe(997);
  expect(await count("event WHERE type = 'instance.cancelling'")).toBe(997);
  // What was leased when its instance was cancelled comes to its end, and then all is over.
  const handlers = openDatabase({ connectionString: database.url });
  cleanup.push(() => handlers.close());
  await sql(db, "UPDATE floxy.queue SET lease_until = now() WHERE state = 'leased'");
  await eventually(async () => expect(await count("instance WHERE finished_at IS NULL")).toBe(await stillUndoing()));
}, 90_000);

const stillUndoing = (): Promise<number> => count("queue WHERE lane = 'compensation'");
