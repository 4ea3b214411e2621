/** Where a system keeps what it knows while it is measured: a database of its own, or a Redis. */

import { readCounters, serverCpuUs, walBetween, whenNobodyIsConnected } from "./counters.ts";
import { startRedis } from "./redis.ts";
import type { BenchServer } from "./server.ts";

/** What was written between two moments. Undefined where the store does not say. */
export interface Written {
  readonly transactions: number;
  readonly rows: number;
  readonly deadlocks: number;
  readonly walBytes: number;
  /** Of these, images of whole pages, which the first change after a checkpoint costs. */
  readonly pageImageBytes: number;
}

/** A store that a system has for itself. */
export interface Store {
  readonly url: string;
  /** CPU time that its server has taken so far, in microseconds. */
  cpuUs(): Promise<number>;
  /** Waits until nobody is connected and begins to count; answers what ends it, when again nobody is connected. */
  count(): Promise<() => Promise<Written | undefined>>;
  drop(): Promise<void>;
}

/** Makes the store that a system needs. */
export const openStore = async (server: BenchServer, system: string): Promise<Store> => {
  if (system.startsWith("bullmq")) return redisStore(system === "bullmq-durable");
  const database = `bench_${system.replaceAll("-", "_")}`;
  const url = await server.createDatabase(database);
  return {
    url,
    cpuUs: () => serverCpuUs(server),
    async count() {
      await whenNobodyIsConnected(server, database);
      await server.db.query("CHECKPOINT");
      const before = await readCounters(server, database);
      return async () => {
        await whenNobodyIsConnected(server, database);
        const after = await readCounters(server, database);
        const wal = await walBetween(server, before.lsn, after.lsn);
        return {
          transactions: after.transactions - before.transactions,
          rows: after.inserted + after.updated + after.deleted - before.inserted - before.updated - before.deleted,
          deadlocks: after.deadlocks - before.deadlocks,
          walBytes: wal.bytes,
          pageImageBytes: wal.pageImageBytes,
        };
      };
    },
    drop: () => server.dropDatabase(database),
  };
};

const redisStore = async (durable: boolean): Promise<Store> => {
  const redis = await startRedis(durable);
  return {
    url: redis.url,
    cpuUs: () => redis.cpuUs(),
    count: () => Promise.resolve(() => Promise.resolve(undefined)),
    drop: () => redis.stop(),
  };
};
