import type { HandlerTransaction } from "@floxy/worker-sdk";
import { defineHandler, defineStep, workflow } from "@floxy/worker-sdk";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgTable } from "drizzle-orm/pg-core";
import createKnex from "knex";
import type { PostgresPool } from "kysely";
import { Kysely, PostgresDialect } from "kysely";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";

const ledger = pgTable("ledger", { amount: integer() });

/** Books an amount, and answers all that has been booked, as users of each library do. */
const libraries: Readonly<Record<string, (transaction: HandlerTransaction, amount: number) => Promise<unknown[]>>> = {
  async drizzle(transaction, amount) {
    const db = drizzle(transaction as never);
    await db.insert(ledger).values({ amount });
    await db.execute(drizzleSql`UPDATE ledger SET amount = amount + ${1}`);
    return db.select().from(ledger);
  },
  async kysely(transaction, amount) {
    const query = transaction.query.bind(transaction);
    const pool = { connect: async () => ({ query, release() {} }), end: async () => {} } as unknown as PostgresPool;
    const db = new Kysely<{ ledger: { amount: number } }>({ dialect: new PostgresDialect({ pool }) });
    await db
      .insertInto("ledger")
      .values({ amount: amount + 1 })
      .execute();
    return db.selectFrom("ledger").selectAll().execute();
  },
  async knex(transaction, amount) {
    const knex = createKnex({ client: "pg" });
    await knex("ledger").insert({ amount }).connection(transaction);
    await knex("ledger").increment("amount", 1).connection(transaction);
    return knex("ledger").select("amount").connection(transaction);
  },
};

test.each(Object.keys(libraries))("%s works in the transaction of a handler, and with it", async (name) => {
  const handler = defineHandler<{ fails: boolean }, unknown[]>({ name: "book" });
  const book = handler.implement(
    async ({ fails }, { transaction }) => {
      const rows = (await libraries[name]?.(transaction, 6)) ?? [];
      if (fails) throw new Error("not this time");
      return rows;
    },
    { transactional: true },
  );
  const step = defineStep("book", handler, { retry: { maxAttempts: 1 } });
  const definition = workflow<{ fails: boolean }>({ name: "book", version: 1 }).step(step).build();
  const cluster = await startCluster();
  await cluster.sql("CREATE TABLE public.ledger (amount int)");
  await cluster.addWorker("service", [book]);
  expect((await cluster.run(definition, { fails: true })).status).toBe("failed");
  expect(await cluster.run(definition, { fails: false })).toMatchObject({
    status: "completed",
    output: [{ amount: 7 }],
  });
  expect(await cluster.sql("SELECT amount FROM public.ledger")).toEqual([{ amount: 7 }]);
});

test("a library that begins a transaction of its own is told why it may not", async () => {
  const handler = defineHandler<object, void>({ name: "book" });
  const book = handler.implement(
    async (_, { transaction }) => {
      await drizzle(transaction as never).transaction((tx) => tx.insert(ledger).values({ amount: 1 }));
    },
    { transactional: true },
  );
  const definition = workflow<object>({ name: "book", version: 1 }).step(defineStep("book", handler)).build();
  const cluster = await startCluster();
  await cluster.addWorker("service", [book]);
  const view = await cluster.run(definition, {});
  expect(view).toMatchObject({ status: "failed", steps: [{ attempt: 1, outcome: "absent" }] });
  expect(view.steps[0]?.error).toMatchObject({ message: expect.stringContaining("context.transaction refuses BEGIN") });
});
