/** A service with a database of its own, whose handlers book in a ledger behind the barrier. */
import type { BarrierResult, StepContext } from "@floxy/worker-sdk";
import { barrier, createBarrierTable } from "@floxy/worker-sdk";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import type { Cut } from "./commit-cutter.ts";
import { layCommitCutter } from "./commit-cutter.ts";

/** Where a handler is asked something by its test. */
export interface Hooks {
  /** In the transaction, once the effect is written. */
  readonly beforeCommit?: () => unknown;
}

/** Starts a service; `decide` says at each COMMIT of its handlers where the connection is cut. */
export const startService = async (decide: () => Cut | undefined = () => undefined) => {
  const database = await createTestDatabase(inject("databaseUrl"));
  const way = await layCommitCutter(database.url, decide);
  const observer = new pg.Pool({ connectionString: database.url, max: 1 });
  // No crash of the server is tested here, so nobody waits for its disk.
  const pool = new pg.Pool({ connectionString: way.url, max: 10, options: "-c synchronous_commit=off" });
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  onTestFinished(async () => {
    await Promise.all([pool.end(), observer.end()]);
    await way.close();
    await database.drop();
  });
  await createBarrierTable(observer);
  await observer.query("CREATE TABLE ledger (instance_id text, step text, amount int, note text, id serial)");

  const results: (BarrierResult<unknown> & Pick<StepContext, "lane" | "step">)[] = [];

  const book = async (context: StepContext, { beforeCommit }: Hooks): Promise<BarrierResult<string>> => {
    const client = await pool.connect();
    let broken: boolean | Error = true;
    try {
      await client.query("BEGIN");
      const { instanceId, step, lane, attempt } = context;
      const result = await barrier(client, context, async () => {
        const note = `by attempt ${attempt}`;
        const values = [instanceId, step, lane === "forward" ? 1 : -1, note];
        await client.query("INSERT INTO ledger VALUES ($1, $2, $3, $4)", values);
        return note;
      });
      await beforeCommit?.();
      await client.query("COMMIT");
      broken = false;
      return result;
    } finally {
      // A connection that failed is closed, and the server rolls back.
      client.release(broken);
    }
  };

  return {
    cuts: way.cuts,
    /** What became of the calls whose COMMIT was answered. */
    results,
    /** A call of a handler: books once behind the barrier, in a transaction of its own. */
    async call(context: StepContext, hooks: Hooks = {}): Promise<BarrierResult<string>> {
      const result = await book(context, hooks);
      results.push({ ...result, lane: context.lane, step: context.step });
      return result;
    },
    /** The amounts that stand in the ledger, in order, by `instance/step`. */
    async ledger(): Promise<ReadonlyMap<string, readonly number[]>> {
      const { rows } = await observer.query<{ key: string; amounts: number[] }>(
        `SELECT instance_id || '/' || step AS key, array_agg(amount ORDER BY id) AS amounts FROM ledger GROUP BY 1`,
      );
      return new Map(rows.map(({ key, amounts }) => [key, amounts]));
    },
    /** What was noted with each action, by `instance/step`. */
    async notes(): Promise<ReadonlyMap<string, string>> {
      const { rows } = await observer.query<{ key: string; note: string }>(
        "SELECT instance_id || '/' || step AS key, note FROM ledger WHERE amount = 1",
      );
      return new Map(rows.map(({ key, note }) => [key, note]));
    },
    /** Whether a connection of the service waits for another one's transaction. */
    async hasWaiting(): Promise<boolean> {
      const { rowCount } = await observer.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pg_blocking_pids(pid) <> '{}'",
      );
      return rowCount === 1;
    },
  };
};
