/** What the server has done: CPU time, transactions, rows and WAL. */
import { setTimeout as pause } from "node:timers/promises";
import { single } from "../systems/database.ts";
import { cpuUsOfTree } from "./process-times.ts";
import type { BenchServer } from "./server.ts";

/** Counters of a database and its server at one moment. All of them only grow. */
export interface Counters {
  readonly transactions: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly deadlocks: number;
  readonly lsn: string;
}

/** The name of connections that belong to a workload's surroundings and may stay. */
export const bystander = "bench bystander";

/** Waits until nobody is connected: a connection that ends has said all it counted. */
export const whenNobodyIsConnected = async ({ db }: BenchServer, database: string): Promise<void> => {
  const others = `SELECT count(*)::int AS value FROM pg_stat_activity
    WHERE datname = $1 AND backend_type = 'client backend' AND application_name <> '${bystander}'`;
  const deadline = performance.now() + 15_000;
  while ((await single<number>(db, others, [database])) > 0) {
    if (performance.now() > deadline) throw new Error(`somebody stays connected to ${database}`);
    await pause(20);
  }
};

/** Reads the counters of a database. */
export const readCounters = async ({ db }: BenchServer, database: string): Promise<Counters> => {
  const { rows } = await db.query<Record<keyof Counters, string>>(
    `SELECT xact_commit + xact_rollback AS transactions, tup_inserted AS inserted, tup_updated AS updated,
            tup_deleted AS deleted, deadlocks, pg_current_wal_lsn()::text AS lsn
     FROM pg_stat_database WHERE datname = $1`,
    [database],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`there is no database ${database}`);
  const { transactions, inserted, updated, deleted, deadlocks, lsn } = row;
  return {
    transactions: Number(transactions),
    inserted: Number(inserted),
    updated: Number(updated),
    deleted: Number(deleted),
    deadlocks: Number(deadlocks),
    lsn,
  };
};

/** The bytes of WAL between two places, and how many of them are images of whole pages after a checkpoint. */
export const walBetween = async (
  { db }: BenchServer,
  from: string,
  to: string,
): Promise<{ readonly bytes: number; readonly pageImageBytes: number }> => {
  const bytes = Number(await single<string>(db, "SELECT pg_wal_lsn_diff($2, $1) AS value", [from, to]));
  const images = await single<string | null>(
    db,
    "SELECT sum(fpi_size) AS value FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn)",
    [from, to],
  );
  return { bytes, pageImageBytes: Number(images) };
};

/** CPU time of the server and all its processes so far, in microseconds. */
export const serverCpuUs = ({ postmasterPid }: BenchServer): Promise<number> => cpuUsOfTree(postmasterPid);
