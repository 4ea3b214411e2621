import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, inject, it, onTestFinished } from "vitest";
import { instanceStatuses } from "../vocabulary/status.ts";
import { openDatabase } from "./database.ts";
import type { Database } from "./executor.ts";
import { migrate } from "./migrate.ts";
import { readMigrations } from "./migration-file.ts";
import { assertMigrated, migrationStatus, planMigrations } from "./migration-status.ts";
import { createTestDatabase, sql } from "./testing.ts";

let url: string;
let db: Database;
beforeEach(async () => {
  const database = await createTestDatabase(inject("databaseUrl"), { migrate: false });
  url = database.url;
  db = openDatabase({ connectionString: url, prepare: false });
  onTestFinished(async () => {
    await db.close();
    await database.drop();
  });
});

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
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'floxy' ORDER BY tablename COLLATE \"C\"",
  );
  return rows.map((row) => row.name);
};

describe("our own migrations", () => {
  it("make the schema and can be repeated", async () => {
    const count = (await readMigrations()).length;
    const first = await migrate({ connectionString: url });
    expect(first.version).toBe(count);
    expect(first.applied[0]).toEqual({ version: 1, name: "initial", breaking: false });
    expect(await migrate({ connectionString: url })).toEqual({ version: count, applied: [] });
    await assertMigrated(db);
  });

  it("are applied once when several processes start at once", async () => {
    const reports = await Promise.all([1, 2, 3, 4].map(() => migrate({ connectionString: url })));
    const count = (await readMigrations()).length;
    expect(reports.flatMap((report) => report.applied)).toHaveLength(count);
    expect(reports.map((report) => report.version)).toEqual([count, count, count, count]);
  });

  it("take the statuses from the vocabulary", async () => {
    await migrate({ connectionString: url });
    const [check] = await sql<{ text: string }>(
      db,
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
       WHERE conrelid = '{schema}.instance'::regclass AND conname = 'instance_status_check'`,
    );
    expect([...(check?.text ?? "").matchAll(/'(\w+)'::text/g)].map(([, status]) => status)).toEqual(instanceStatuses);
  });

  it("live in a schema with an odd name, beside another", async () => {
    const odd = openDatabase({ connectionString: url, schema: 'we"ird $1 {{schema}}' });
    onTestFinished(() => odd.close());
    await migrate({ connectionString: url, schema: 'we"ird $1 {{schema}}' });
    await assertMigrated(odd);
    await expect(assertMigrated(db)).rejects.toMatchObject({ code: "SCHEMA_OUTDATED" });
    await migrate({ connectionString: url });
    const keys = await sql(odd, "SELECT {schema}.priority_key(now(), 0, 'forward') > 0 AS fine");
    expect(keys).toEqual([{ fine: true }]);
  });

  it("need no right to create schemas when the schema is there", async () => {
    const role = `floxy_owner_${url.slice(-12)}`;
    await sql(db, `CREATE ROLE ${role} LOGIN`);
    onTestFinished(async () => {
      const server = openDatabase({ connectionString: inject("databaseUrl") });
      await sql(server, `DROP ROLE ${role}`).finally(() => server.close());
    });
    await sql(db, `CREATE SCHEMA {schema} AUTHORIZATION ${role}`);
    await sql(db, `ALTER ROLE ${role} IN DATABASE "${new URL(url).pathname.slice(1)}" SET statement_timeout = 0`);
    await migrate({ connectionString: `${url}?options=-c%20role%3D${role}` });
    await assertMigrated(db);
  });

  it("are planned as the SQL that would run", async () => {
    const plan = await planMigrations(db);
    expect(plan[0]?.sql).toContain('CREATE TABLE "floxy".instance');
    expect(plan.map((one) => one.sql).join()).not.toContain("{{");
    await migrate({ connectionString: url });
    expect(await planMigrations(db)).toEqual([]);
  });
});

describe("a folder of migrations", () => {
  const one = "CREATE TABLE {{schema}}.one (n int);";

  it("goes on from where the database is", async () => {
    await migrate({ connectionString: url, directory: await folder({ "0001-one.sql": one }) });
    const two = await folder({ "0001-one.sql": one, "0002-two.sql": "--! breaking\nCREATE TABLE {{schema}}.two ();" });
    expect(await migrate({ connectionString: url, directory: two })).toEqual({
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
    await expect(migrate({ connectionString: url, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("0002-bad.sql, line 4: 'column \"nothing\" does not exist'"),
      data: { file: "0002-bad.sql", line: 4 },
      cause: { code: "42703" },
    });
    expect(await tablesOf()).toEqual(["migration", "one"]);
  });

  it("names the file also when a table is missing", async () => {
    const directory = await folder({ "0001-bad.sql": "SELECT FROM {{schema}}.missing" });
    await expect(migrate({ connectionString: url, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      data: { file: "0001-bad.sql", line: 1 },
    });
  });

  it("refuses a file that was changed after it had been applied, but not other line ends", async () => {
    const text = "-- first\nSELECT 1;\n";
    await migrate({ connectionString: url, directory: await folder({ "0001-one.sql": text }) });
    const windows = await folder({ "0001-one.sql": text.replaceAll("\n", "\r\n") });
    expect((await migrate({ connectionString: url, directory: windows })).applied).toEqual([]);
    const changed = await folder({ "0001-one.sql": text.replace("1", "2") });
    await expect(migrate({ connectionString: url, directory: changed })).rejects.toMatchObject({
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
    await migrate({ connectionString: url, directory: await folder({ "0001-one.sql": one, "0002-two.sql": two }) });
    const again = migrate({ connectionString: url, directory: old });
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
    await expect(migrate({ connectionString: url, directory })).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("{{unknown}}"),
    });
  });
});
