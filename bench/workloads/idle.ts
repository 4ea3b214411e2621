/** What Floxy costs while there is nothing to do. */
import { setTimeout as pause } from "node:timers/promises";
import { Child } from "../suite/child.ts";
import { single } from "../systems/database.ts";
import { sequenceOf } from "../systems/system.ts";
import { withPlace } from "./place.ts";
import type { Bench, Measured, Variant, Workload } from "./workload.ts";

// Fifty workers have more connections than the default allows.
const settings = { shared_preload_libraries: "pg_stat_statements", max_connections: "500" };

/** Parts: so many workers in a process, 0 for an orchestrator. */
const variant = (label: string, parts: readonly number[]): Variant => ({
  system: "floxy",
  label,
  measure: (bench: Bench): Promise<Measured> =>
    withPlace(bench, { system: "floxy", scenario: sequenceOf(3), settings }, async ({ server, store }) => {
      const children = parts.map((workers) => ({ workers, child: new Child() }));
      try {
        await Promise.all(children.map(({ workers, child }) => child.ask("idle", { workers, url: store.url })));
        // What is done once after a start is over by then.
        await pause(5_000);
        const { db } = server;
        await db.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        const database = new URL(store.url).pathname.slice(1);
        await db.query("SELECT pg_stat_statements_reset()");
        const before = await Promise.all(children.map(({ child }) => child.ask("usage")));
        const serverBefore = await store.cpuUs();
        const seconds = bench.quick ? 10 : 30;
        await pause(seconds * 1_000);
        const queries = await single<string | null>(
          db,
          `SELECT sum(calls) AS value FROM pg_stat_statements
           WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)`,
          [database],
        );
        const serverUs = (await store.cpuUs()) - serverBefore;
        const after = await Promise.all(children.map(({ child }) => child.ask("usage")));
        const connections = await single<number>(
          db,
          "SELECT count(*)::int AS value FROM pg_stat_activity WHERE datname = $1",
          [database],
        );
        const cpuUs = after.reduce((sum, { cpuUs }, index) => sum + cpuUs - (before[index]?.cpuUs ?? 0), 0);
        return {
          configuration: `all defaults; ${seconds} seconds, from five seconds after the start`,
          lost: [],
          figures: {
            queriesPerSecond: Number(queries) / seconds,
            serverUsPerSecond: serverUs / seconds,
            nodeUsPerSecond: cpuUs / seconds,
            connections,
            peakMiB: Math.max(...after.map(({ peakBytes }) => peakBytes)) / 2 ** 20,
          },
        };
      } finally {
        await Promise.all(children.map(({ child }) => child.end()));
      }
    }),
});

/** The workload. */
export const idle: Workload = {
  name: "idle",
  about:
    "Statements a second that reach the server while there is nothing to do (pg_stat_statements): of one worker process, of an orchestrator, and of fifty workers in ten processes with an orchestrator.",
  ratio: "multiple",
  columns: [
    { key: "queriesPerSecond", title: "queries/s" },
    { key: "serverUsPerSecond", title: "server µs/s" },
    { key: "nodeUsPerSecond", title: "Node µs/s" },
    { key: "connections", title: "connections" },
    { key: "peakMiB", title: "peak MiB" },
  ],
  variants: ({ systems, quick }) =>
    systems.includes("floxy")
      ? [
          variant("one worker", [1]),
          variant("an orchestrator", [0]),
          ...(quick ? [] : [variant("50 workers and an orchestrator", [...Array<number>(10).fill(5), 0])]),
        ]
      : [],
};
