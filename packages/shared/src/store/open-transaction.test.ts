import { afterAll, beforeAll, expect, inject, it, onTestFinished } from "vitest";
import { openDatabase, openTransactionPool } from "./database.ts";
import type { Database } from "./executor.ts";
import type { TransactionPool } from "./open-transaction.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, eventually, sql } from "./testing/database.ts";

let database: TestDatabase;
let others: Database;

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"), { migrate: false });
  others = openDatabase({ connectionString: database.url });
  await sql(others, "CREATE TABLE mine (a bigint)");
});

afterAll(async () => {
  await others.close();
  await database.drop();
});

/** A pool of one connection. */
const setUp = (): TransactionPool => {
  const connectionString = database.url;
  const pool = openTransactionPool({ connectionString, maxConnections: 1, applicationName: "mine" }, others);
  onTestFinished(() => pool.close());
  return pool;
};

const insert = { text: "INSERT INTO mine VALUES ($1) RETURNING a", values: [7] };
const count = async () => (await sql<{ n: number }>(others, "SELECT count(*)::int AS n FROM mine"))[0]?.n;
const backends = () =>
  sql(others, "SELECT FROM pg_stat_activity WHERE application_name = 'mine' AND xact_start IS NOT NULL");

it("commits or rolls back what users and we have written, and goes on with the same connection", async () => {
  const pool = setUp();
  const pids: object[] = [];
  const write = async () => {
    const open = await pool.begin(10_000);
    await open.ask(insert);
    await sql(open.executor, "INSERT INTO mine VALUES (8)");
    pids.push(...(await sql<object>(open.executor, "SELECT pg_backend_pid()")));
    expect(await open.takeOver()).toBe(true);
    return open;
  };
  await (await write()).rollback();
  expect(await count()).toBe(0);
  await (await write()).commit();
  expect(await count()).toBe(2);
  expect(pids[1]).toEqual(pids[0]);
  await sql(others, "TRUNCATE mine");
});

it("gives users the driver's types, and us our own", async () => {
  const open = await setUp().begin(10_000);
  expect((await open.ask({ text: "SELECT 7::bigint AS a" })).rows).toEqual([{ a: "7" }]);
  expect(await sql(open.executor, "SELECT 7::bigint AS a")).toEqual([{ a: 7 }]);
  await open.rollback();
});

it("takes one statement at a time, so that no COMMIT can hide behind another", async () => {
  const open = await setUp().begin(10_000);
  await expect(open.ask({ text: "SELECT 1; COMMIT" })).rejects.toMatchObject({ code: "42601" });
  await open.rollback();
  const other = await setUp().begin(10_000);
  const block = "DO $$ BEGIN INSERT INTO mine VALUES (1); COMMIT; END $$";
  await expect(other.ask({ text: block })).rejects.toMatchObject({ code: "2D000" });
  await other.rollback();
  expect(await count()).toBe(0);
});

it.each([["COMMIT"], ["COMMIT", "BEGIN"], ["COMMIT AND CHAIN"]])(
  "sees that it is another one after %j %j",
  async (...texts) => {
    const open = await setUp().begin(10_000);
    for (const text of texts) await open.ask({ text });
    expect(await open.takeOver()).toBe(false);
    await open.rollback();
  },
);

it("is not taken over after a statement has failed in it", async () => {
  const open = await setUp().begin(10_000);
  await expect(open.ask({ text: "SELECT 1 / 0" })).rejects.toThrow("division by zero");
  await expect(open.takeOver()).rejects.toMatchObject({ code: "25P02" });
  await expect(open.commit()).rejects.toMatchObject({ code: "INTERNAL" });
});

it("ends the server's process when a statement does not come to an end", async () => {
  const pool = setUp();
  const open = await pool.begin(10_000);
  await open.ask(insert);
  const asleep = open.ask({ text: "SELECT pg_sleep(60)" });
  const failed = expect(asleep).rejects.toThrow();
  await open.rollback();
  await failed;
  await eventually(async () => expect(await backends()).toEqual([]));
  expect(await count()).toBe(0);
  const next = await pool.begin(10_000);
  await next.rollback();
});

it("is ended by the server when it stands still for too long", async () => {
  const open = await setUp().begin(50);
  await eventually(async () => expect(await backends()).toEqual([]));
  await expect(open.takeOver()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await open.rollback();
});

it("is dropped at once when it is to be; what was written is gone, and there is no more to do", async () => {
  const open = await setUp().begin(10_000);
  await open.ask(insert);
  open.drop();
  await expect(open.commit()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await open.rollback();
  expect(await count()).toBe(0);
});
