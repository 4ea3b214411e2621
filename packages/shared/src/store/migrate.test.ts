import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from "vitest";
import { instanceStatuses } from "../vocabulary/status.ts";
import { openDatabase } from "./database.ts";
import type { Database } from "./executor.ts";
import { migrate } from "./migrate.ts";
import { readMigrations } from "./migration-file.ts";
import { assertMigrated, migrationStatus, planMigrations } from "./migration-status.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"), { migrate: false });
});
afterAll(() => database.drop());

/** Each test has a schema of its own. */
let target: { readonly connectionString: string; readonly schema: string };
let db: Database;
let schemas = 0;
beforeEach(() => {
  schemas += 1;
  target = { connectionString: database.url, schema: `schema ${schemas}` };
  db = openDatabase({ ...target, prepare: false });
});
afterEach(() => db.close());

/** A folder with migrations, as a URL. */
const folder = async (files: Record<string, string>): Promise<URL> => {
  const path = await mkdtemp(join(tmpdir(), "floxy-migrations-"));
  onTestFinished(() => rm(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return pathToFileURL(`${path}/`);
};

const tablesOf = async (): Promise<string[]> => {
  const rows = await sql<{ name: string }>(
    db,
    'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY tablename COLLATE "C"',
    target.schema,
  );
  return rows.map((row) => row.name);
};

describe("our own migrations", () => {
  it("make the schema and can be repeated", async () => {
    const count = (await readMigrations()).length;
    const first = await migrate(target);
    expect(first.version).toBe(count);
    expect(first.applied[0]).toEqual({ version: 1, name: "initial", breaking: false });
    expect(await migrate(target)).toEqual({ version: count, applied: [] });
    await assertMigrated(db);
  });

  it("are applied once when several processes start at once", async () => {
    const reports = await Promise.all([1, 2, 3, 4].map(() => migrate(target)));
    const count = (await readMigrations()).length;
    expect(reports.flatMap((report) => report.applied)).toHaveLength(count);
    expect(reports.map((report) => report.version)).toEqual([count, count, count, count]);
  });

  it("take the statuses from the vocabulary", async () => {
    await migrate(target);
    const [check] = await sql<{ text: string }>(
      db,
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
       WHERE conrelid = '{schema}.instance'::regclass AND conname = 'instance_status_check'`,
    );
    expect([...(check?.text ?? "").matchAll(/'(\w+)'::text/g)].map(([, status]) => status)).toEqual(instanceStatuses);
  });

  it("live in a schema with an odd name, beside another", async () => {
    const weird = { ...target, schema: 'we"ird $1 {{schema}}' };
    const odd = openDatabase(weird);
    onTestFinished(() => odd.close());
    await migrate(weird);
    await assertMigrated(odd);
    await expect(assertMigrated(db)).rejects.toMatchObject({ code: "SCHEMA_OUTDATED" });
    await migrate(target);
    const keys = await sql(odd, "SELECT {schema}.priority_key(now(), 0, 'forward') > 0 AS fine");
    expect(keys).toEqual([{ fine: true }]);
  });

  it("need no right to create schemas when the schema is there", async () => {
    // A role that every server has, and that owns nothing.
    await sql(db, "CREATE SCHEMA {schema} AUTHORIZATION pg_monitor");
    await migrate({ ...target, connectionString: `${database.url}?options=-c%20role%3Dpg_monitor` });
    await assertMigrated(db);
  });

  it("are planned as the SQL that would run", async () => {
    const plan = await planMigrations(db);
    expect(plan[0]?.sql).toContain(`CREATE TABLE "${target.schema}".instance`);
    expect(plan.map((one) => one.sql).join()).not.toContain("{{");
    await migrate(target);
    expect(await planMigrations(db)).toEqual([]);
  });
});

describe("a folder of migrations", () => {
  const one = "CREATE TABLE {{schema}}.one (n int);";

  it("goes on from where the database is", async () => {
    await migrate({ ...target, directory: await folder({ "0001-one.sql": one }) });
    const two = await folder({ "0001-one.sql": one, "0002-two.sql": "--! breaking\nCREATE TABLE {{schema}}.two ();" });
    expect(await migrate({ ...target, directory: two })).toEqual({
      version: 2,
      applied: [{ version: 2, name: "two", breaking: true }],
    });
    expect(await tablesOf()).toEqual(["migration", "one", "two"]);
  });

  it("stops at a file that fails, says where, and keeps what was applied before", async () => {
    const directory = await folder({
      "0001-one.sql": one,
      "0002-bad.sql": "-- ä 🎉\nCREATE TABLE {{schema}}.two ();\n\nSELECT nothing FROM {{schema}}.one;\n",
    });
    await expect(migrate({ ...target, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("0002-bad.sql, line 4: 'column \"nothing\" does not exist'"),
      data: { file: "0002-bad.sql", line: 4 },
      cause: { code: "42703" },
    });
    expect(await tablesOf()).toEqual(["migration", "one"]);
  });

  it("names the file also when a table is missing", async () => {
    const directory = await folder({ "0001-bad.sql": "SELECT FROM {{schema}}.missing" });
    await expect(migrate({ ...target, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      data: { file: "0001-bad.sql", line: 1 },
    });
  });

  it("refuses a file that was changed after it had been applied, but not other line ends", async () => {
    const text = "-- first\nSELECT 1;\n";
    await migrate({ ...target, directory: await folder({ "0001-one.sql": text }) });
    const windows = await folder({ "0001-one.sql": text.replaceAll("\n", "\r\n") });
    expect((await migrate({ ...target, directory: windows })).applied).toEqual([]);
    const changed = await folder({ "0001-one.sql": text.replace("1", "2") });
    await expect(migrate({ ...target, directory: changed })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      data: { file: "0001-one.sql" },
    });
    expect((await migrationStatus(db, await readMigrations(changed))).changed).toEqual(["0001-one.sql"]);
  });

  it.each([
    { breaking: "", works: true },
    { breaking: "-- why\n--! breaking\n", works: false },
  ])("works with a database that newer code has migrated: $works", async ({ breaking, works }) => {
    const old = await folder({ "0001-one.sql": one });
    const two = `${breaking}CREATE TABLE {{schema}}.two ();`;
    await migrate({ ...target, directory: await folder({ "0001-one.sql": one, "0002-two.sql": two }) });
    const again = migrate({ ...target, directory: old });
    if (works) expect(await again).toEqual({ version: 2, applied: [] });
    else await expect(again).rejects.toMatchObject({ code: "SCHEMA_OUTDATED" });
    expect((await migrationStatus(db, await readMigrations(old))).newer).toHaveLength(1);
  });

  it.each([
    ["one.sql", "is not numbered"],
    ["0002-two.sql", "leaves a gap"],
    ["0001-A.sql", "has a capital in its name"],
  ])("refuses %s, which %s", async (name) => {
    await expect(readMigrations(await folder({ [name]: "" }))).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      data: { file: name },
    });
  });

  it("refuses a placeholder that nobody knows", async () => {
    const directory = await folder({ "0001-one.sql": "SELECT {{unknown}}" });
    await expect(migrate({ ...target, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("{{unknown}}"),
    });
  });
});
