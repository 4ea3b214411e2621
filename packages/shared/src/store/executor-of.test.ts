import pg from "pg";
import { expect, inject, it, onTestFinished } from "vitest";
import { executorOf } from "./database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";

it("writes in the caller's transaction, with the caller's client", async () => {
  const database = await createTestDatabase(inject("databaseUrl"));
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await database.drop();
  });
  const executor = executorOf(client);
  await client.query("BEGIN");
  await sql(executor, "INSERT INTO {schema}.inbox (instance_id) VALUES ($1)", "mine");
  expect(await sql(executor, "SELECT instance_id FROM {schema}.inbox")).toEqual([{ instance_id: "mine" }]);
  await client.query("ROLLBACK");
  expect(await sql(executor, "SELECT instance_id FROM {schema}.inbox")).toEqual([]);
});

it("says SCHEMA_OUTDATED when the caller's client sees no tables", async () => {
  const client = { query: () => Promise.reject(Object.assign(new Error("missing"), { code: "42P01" })) };
  await expect(sql(executorOf(client, "other"), "SELECT FROM {schema}.queue")).rejects.toMatchObject({
    code: "SCHEMA_OUTDATED",
  });
});
