/** A service with a database of its own, for tests of the barrier: a ledger in which every effect is a row. */
import { randomUUID } from "node:crypto";
import type { Lane } from "@floxy/shared";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import type { BarrierOptions, BarrierResult } from "../barrier.ts";
import { barrier } from "../barrier.ts";
import { createBarrierTable } from "../table.ts";

/** How a transaction ends. */
export type End = "COMMIT" | "ROLLBACK";

/** A call behind the barrier in a transaction of its own. */
export interface ServiceCall extends BarrierOptions {
  readonly lane: Lane;
  readonly effectKey?: string;
  /** `COMMIT` unless told. */
  readonly end?: End;
  /** What the action answers. */
  readonly value?: unknown;
}

/** The database of one test. It is dropped when the test is over. */
export const createService = async () => {
  const server = inject("databaseUrl");
  const database = `floxy_service_${randomUUID().replaceAll("-", "")}`;
  await onServer(server, `CREATE DATABASE ${database}`);
  const url = Object.assign(new URL(server), { pathname: `/${database}` }).href;
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  onTestFinished(async () => {
    // Not awaited: a test that failed may have left a transaction open.
    void pool.end();
    await onServer(server, `DROP DATABASE ${database} WITH (FORCE)`);
  });
  await createBarrierTable(pool);
  await pool.query("CREATE TABLE ledger (effect_key text, amount int, id serial)");

  /** Runs in a transaction, which is rolled back if it throws. */
  const transaction = async <T>(use: (client: pg.PoolClient) => Promise<T>, end: End = "COMMIT"): Promise<T> => {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      const result = await use(client);
      await client.query(end);
      return result;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  };

  const pass = (client: pg.ClientBase, { lane, effectKey = "i/step", value, ...options }: ServiceCall) =>
    barrier(
      client,
      { effectKey, lane },
      async () => {
        await client.query("INSERT INTO ledger VALUES ($1, $2)", [effectKey, lane === "forward" ? 1 : -1]);
        return value;
      },
      options,
    );

  return {
    url,
    pool,
    transaction,
    /** The barrier before a row in the ledger, on a client of the test's own. */
    pass,
    /** The same in a transaction of its own. */
    call(call: ServiceCall): Promise<BarrierResult<unknown>> {
      return transaction((client) => pass(client, call), call.end);
    },
    /** The ledger's amounts for a key, in the order in which they were written. */
    async ledger(effectKey = "i/step"): Promise<number[]> {
      const { rows } = await pool.query("SELECT amount FROM ledger WHERE effect_key = $1 ORDER BY id", [effectKey]);
      return rows.map(({ amount }: { amount: number }) => amount);
    },
    /** How many rows the barrier has. */
    async rowCount(table = "floxy_barrier"): Promise<number> {
      const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`);
      return rows[0]?.count ?? 0;
    },
  };
};

const onServer = async (connectionString: string, text: string): Promise<void> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(text).finally(() => client.end());
};
