/** The ways by which services talk to PostgreSQL, each with its own transactions. */
import type { ForeignClient } from "@floxy/worker-sdk";
import { fromDrizzle, fromKnex, fromKysely, fromPrisma } from "@floxy/worker-sdk";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import createKnex from "knex";
import { CamelCasePlugin, CompiledQuery, Kysely, sql as kyselySql, PostgresDialect } from "kysely";
import pg from "pg";
import { openPrisma } from "./prisma-client.ts";

/** What a test does in a transaction. */
export interface Transaction {
  /** The transaction as the barrier takes it. */
  readonly client: ForeignClient;
  /** Writes an amount into the ledger, as the library's own users do. */
  book(amount: number): Promise<unknown>;
}

/** A library that is connected to a database. */
export interface Library {
  /** Runs in a transaction, which is rolled back if it throws. */
  transaction<T>(use: (tx: Transaction) => Promise<T>): Promise<T>;
  /** The library outside of any transaction, as the barrier would take it. */
  readonly outside: ForeignClient;
  close(): Promise<void>;
}

const openPg = (connectionString: string): Library => {
  const pool = new pg.Pool({ connectionString });
  return {
    async transaction(use) {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        const book = (amount: number) => client.query("INSERT INTO ledger VALUES ($1)", [amount]);
        const result = await use({ client, book });
        await client.query("COMMIT");
        return result;
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      } finally {
        client.release();
      }
    },
    outside: pool,
    close: () => pool.end(),
  };
};

const openDrizzle = (connectionString: string): Library => {
  const pool = new pg.Pool({ connectionString });
  const db = drizzle(pool);
  return {
    transaction: (use) =>
      db.transaction((tx) =>
        use({
          client: fromDrizzle(tx, drizzleSql),
          book: (amount) => tx.execute(drizzleSql`INSERT INTO ledger VALUES (${amount})`),
        }),
      ),
    outside: fromDrizzle(db, drizzleSql),
    close: () => pool.end(),
  };
};

const openKysely = (connectionString: string): Library => {
  const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString }) });
  // Its plugins also change what raw SQL answers.
  const db = new Kysely<object>({ dialect, plugins: [new CamelCasePlugin()] });
  return {
    transaction: (use) =>
      db.transaction().execute((trx) =>
        use({
          client: fromKysely(trx, CompiledQuery),
          book: (amount) => kyselySql`INSERT INTO ledger VALUES (${amount})`.execute(trx),
        }),
      ),
    outside: fromKysely(db, CompiledQuery),
    close: () => db.destroy(),
  };
};

const openKnex = (connectionString: string): Library => {
  const db = createKnex({ client: "pg", connection: connectionString });
  return {
    transaction: (use) =>
      db.transaction((trx) => use({ client: fromKnex(trx), book: async (amount) => trx("ledger").insert({ amount }) })),
    outside: fromKnex(db),
    close: () => db.destroy(),
  };
};

const openPrismaLibrary = (connectionString: string): Library => {
  const prisma = openPrisma(connectionString);
  return {
    transaction: (use) =>
      prisma.$transaction((tx) =>
        use({ client: fromPrisma(tx), book: (amount) => tx.$executeRaw`INSERT INTO ledger VALUES (${amount})` }),
      ),
    outside: fromPrisma(prisma),
    close: () => prisma.$disconnect(),
  };
};

/** How each library is connected, by its name. */
export const libraries: Readonly<Record<string, (connectionString: string) => Library>> = {
  pg: openPg,
  Drizzle: openDrizzle,
  Kysely: openKysely,
  Knex: openKnex,
  "Prisma (the real runtime, with a client that is written by hand instead of generated)": openPrismaLibrary,
};
