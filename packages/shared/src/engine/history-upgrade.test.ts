/** The migration that makes partitions, on databases with instances that run. */
import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, inject, it, onTestFinished } from "vitest";
import { openDatabase } from "../store/database.ts";
import type { Database } from "../store/executor.ts";
import { historyState } from "../store/history.ts";
import { migrate } from "../store/migrate.ts";
import { claim } from "../store/queue.ts";
import type { TestDatabase } from "../store/testing/database.ts";
import { createTestDatabase, sql } from "../store/testing/database.ts";
import { newId } from "../vocabulary/id.ts";
import { runDoctor } from "./doctor.ts";
import { createGraphCache, registerDefinition } from "./graphs.ts";
import { noHints } from "./hints.ts";
import { lookAfterHistory } from "./history.ts";
import { settleAttempts } from "./settle.ts";
import { insertStarts, prepareStart } from "./start.ts";

let database: TestDatabase;
let db: Database;

beforeEach(async () => {
  database = await createTestDatabase(inject("databaseUrl"), { migrate: false });
  db = openDatabase({ connectionString: database.url });
});

afterEach(async () => {
  await db.close();
  await database.drop();
});

const migrations = new URL("../store/migrations/", import.meta.url);

/** Migrates up to a version. */
const migrateTo = async (version: number): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), "floxy-upgrade-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const files = (await readdir(migrations)).filter((file) => Number(file.slice(0, 4)) <= version);
  for (const file of files) await copyFile(fileURLToPath(new URL(file, migrations)), join(path, file));
  await migrate({ connectionString: database.url, directory: pathToFileURL(`${path}/`) });
};

const upgrade = () => migrate({ connectionString: database.url });

const definition = { format: 1, name: "d", version: 1, nodes: [{ kind: "task", name: "a", handler: "h" }] } as const;

const graphs = createGraphCache();

/** Leases and completes what is ready; answers how much that was. */
const work = async (): Promise<number> => {
  const handlers = [{ handler: "h", slots: 10 }];
  const leased = await claim(db, { workerId: "w", handlers, limit: 10, leaseMs: 60_000 });
  const graph = await graphs.get(db, "d", 1);
  const attempts = leased.map((step) => ({ ...step, graph, result: { kind: "completed", output: '"done"' } as const }));
  const hints = noHints();
  if (attempts.length > 0) await settleAttempts(db, { attempts, workerId: "w", random: () => 0, hints });
  return leased.length;
};

const countsOf = async (): Promise<object | undefined> => {
  const [row] = await sql(
    db,
    `SELECT (SELECT count(*)::int FROM {schema}.step) AS step, (SELECT count(*)::int FROM {schema}.event) AS event,
            (SELECT max(event_id)::int FROM {schema}.event) AS last,
            (SELECT md5(string_agg(s::text, ' ' ORDER BY instance_id)) FROM {schema}.step s) AS steps`,
  );
  return row;
};

it("keeps what is there, lets instances go on, and puts what is of another time where it belongs", async () => {
  await migrateTo(3);
  await registerDefinition(db, definition);
  const days = [0, 0, 1, 400, -60];
  // The first waits for a worker, the others have ended: now, long ago, and by a clock that was two months ahead.
  await sql(
    db,
    `INSERT INTO {schema}.instance (instance_id, definition_name, definition_version, status, priority, input, finished_at)
     SELECT id, 'd', 1, CASE place WHEN 1 THEN 'running' ELSE 'completed' END, 50, '{}', CASE WHEN place > 1 THEN now() END
     FROM unnest($1::text[]) WITH ORDINALITY AS i(id, place)`,
    days.map(() => newId()),
  );
  const ids = await sql<{ id: string }>(db, "SELECT instance_id AS id FROM {schema}.instance ORDER BY 1");
  await sql(
    db,
    `INSERT INTO {schema}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms)
     VALUES ($1, 'a', 'forward', 'h', 'ready', 50, 0, now(), 0, 1000)`,
    ids[0]?.id,
  );
  await sql(
    db,
    `INSERT INTO {schema}.step (instance_id, node, status, outcome, attempt, output)
     SELECT instance_id, 'a', 'completed', 'happened', 1, '{"n": 1}' FROM {schema}.instance WHERE finished_at IS NOT NULL`,
  );
  await sql(
    db,
    "INSERT INTO {schema}.event (instance_id, type) SELECT instance_id, 'instance.started' FROM {schema}.instance",
  );
  // Migrations of then had no function for this: the time of an id is moved by hand.
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const idAt = (time: number): string =>
    Array.from({ length: 10 }, (_, place) => alphabet[Math.floor(time / 32 ** (9 - place)) % 32]).join("");
  for (const [index, { id }] of ids.entries()) {
    const moved = idAt(Date.now() - (days[index] ?? 0) * 86_400_000) + id.slice(10);
    for (const table of ["instance", "queue", "step", "event"]) {
      await sql(db, `UPDATE {schema}.${table} SET instance_id = $1 WHERE instance_id = $2`, moved, id);
    }
  }
  await migrateTo(5);
  const before = await countsOf();
  await upgrade();
  expect(await countsOf()).toEqual(before);
  expect(await historyState(db)).toMatchObject({ partitions: 4, defaultRows: 0 });
  expect(await work()).toBe(1);
  const rows = await sql<{ status: string; last: number }>(
    db,
    `SELECT DISTINCT status, (SELECT max(event_id)::int FROM {schema}.event) AS last FROM {schema}.instance`,
  );
  expect(rows).toEqual([{ status: "completed", last: expect.any(Number) }]);
  expect(rows[0]?.last).toBeGreaterThan((before as { last: number }).last);
  expect(await lookAfterHistory(db)).toEqual({ created: 0, blocked: null });
  expect((await runDoctor(db)).findings).toEqual([]);
});

it("fails nothing that starts or is worked on meanwhile, and loses nothing", async () => {
  await migrateTo(5);
  await registerDefinition(db, definition);
  let isOver = false;
  let count = 0;
  const start = async (): Promise<void> => {
    const prepared = await prepareStart(db, graphs, { definitionName: "d", input: {} });
    await insertStarts(db, [prepared], noHints());
    count += 1;
  };
  const loops = [
    ...[1, 2].map(async () => {
      while (!isOver) await start();
    }),
    ...[1, 2].map(async () => {
      while (!isOver) await work();
    }),
  ];
  const over = Promise.all(loops);
  // Started and worked on before, while and after.
  const until = async (least: number): Promise<void> => {
    while (count < least) await Promise.race([over, new Promise((resolve) => setImmediate(resolve))]);
  };
  await until(50);
  await upgrade();
  await until(count + 50);
  isOver = true;
  await over;
  while ((await work()) > 0);
  const [row] = await sql(
    db,
    `SELECT count(*)::int AS count, count(*) FILTER (WHERE status = 'completed')::int AS completed,
            (SELECT count(*)::int FROM {schema}.step) AS steps FROM {schema}.instance`,
  );
  expect(row).toEqual({ count, completed: count, steps: count });
  expect(await historyState(db)).toMatchObject({ partitions: 3, defaultRows: 0 });
  expect((await runDoctor(db)).findings).toEqual([]);
}, 60_000);

it("carries on who may do what, with tables that were not empty and storage that was tuned", async () => {
  await migrateTo(5);
  await sql(db, "GRANT USAGE ON SCHEMA {schema} TO pg_monitor");
  await sql(db, "GRANT SELECT, INSERT ON {schema}.step, {schema}.event TO pg_monitor WITH GRANT OPTION");
  await sql(db, "GRANT SELECT ON {schema}.event TO PUBLIC");
  await sql(db, "ALTER TABLE {schema}.event SET (autovacuum_analyze_threshold = 7)");
  await sql(db, `INSERT INTO {schema}.event (instance_id, type) VALUES ('${newId()}', 'x')`);
  const rights = () =>
    sql(
      db,
      `SELECT table_name, grantee, privilege_type, is_grantable FROM information_schema.role_table_grants
       WHERE table_schema = 'floxy' AND table_name IN ('step', 'event') ORDER BY 1, 2, 3`,
    );
  const before = await rights();
  await upgrade();
  expect(await rights()).toEqual(before);
  expect(await sql(db, "SELECT reloptions FROM pg_class WHERE oid = '{schema}.event_default'::regclass")).toEqual([
    { reloptions: ["autovacuum_analyze_threshold=7"] },
  ]);
});
