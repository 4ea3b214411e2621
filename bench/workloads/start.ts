/** How fast workflows are started, while nobody works on them. */
import { sequenceOf } from "../systems/system.ts";
import { withPlace } from "./place.ts";
import type { Bench, Measured, Variant, Workload } from "./workload.ts";

const callers = 32;

const oneByOne = (keyed: boolean): Variant => ({
  system: "floxy",
  label: keyed ? "one by one with idempotency key" : "one by one",
  measure: (bench) =>
    withPlace(bench, { system: "floxy", scenario: sequenceOf(3) }, async ({ store, child, configuration }) => {
      const take = { callers, keyed };
      // A second of it warms up, as everywhere.
      const warm = await child.ask("singleStarts", { ...take, first: 0, seconds: 1 });
      const stopCounting = await store.count();
      const before = await store.cpuUs();
      const seconds = Math.max(2, bench.seconds);
      const started = await child.ask("singleStarts", { ...take, first: 1_000_000_000, seconds });
      const serverUs = (await store.cpuUs()) - before;
      const written = await stopCounting();
      const { started: known = 0 } = await child.ask("tally");
      // Each has one start more, before its clock, that connects.
      const expected = warm.count + started.count + 2;
      return {
        configuration: `${configuration}; ${callers} callers`,
        lost: known === expected ? [] : [`${known} of ${expected} workflows are known to it`],
        figures: {
          startsPerSecond: (started.count / started.ms) * 1_000,
          p50Ms: started.latency.p50,
          p99Ms: started.latency.p99,
          serverUs: serverUs / started.count,
          transactions: (written?.transactions ?? Number.NaN) / started.count,
          walBytes: (written?.walBytes ?? Number.NaN) / started.count,
        },
      };
    }),
});

const many: Variant = {
  system: "floxy",
  label: "many at once",
  measure: (bench: Bench): Promise<Measured> =>
    withPlace(bench, { system: "floxy", scenario: sequenceOf(3) }, async ({ store, child, configuration }) => {
      const warm = 10_000;
      const { ms: warmMs } = await child.ask("enqueue", { first: 0, count: warm });
      const count = Math.ceil((warm / warmMs) * 1_000 * Math.max(2, bench.seconds));
      const stopCounting = await store.count();
      const before = await store.cpuUs();
      const { ms } = await child.ask("enqueue", { first: warm, count });
      const serverUs = (await store.cpuUs()) - before;
      const written = await stopCounting();
      const { started: known = 0 } = await child.ask("tally");
      return {
        configuration,
        lost: known === warm + count ? [] : [`${known} of ${warm + count} workflows are known to it`],
        figures: {
          startsPerSecond: (count / ms) * 1_000,
          serverUs: serverUs / count,
          transactions: (written?.transactions ?? Number.NaN) / count,
          walBytes: (written?.walBytes ?? Number.NaN) / count,
        },
      };
    }),
};

/** The workload. */
export const start: Workload = {
  name: "start",
  about: `Starting workflows of three steps while no worker is there: single calls of ${callers} callers, with and without an idempotency key, and an import.`,
  ratio: "share",
  columns: [
    { key: "startsPerSecond", title: "starts/s" },
    { key: "p50Ms", title: "p50 ms" },
    { key: "p99Ms", title: "p99 ms" },
    { key: "serverUs", title: "server µs/start" },
    { key: "transactions", title: "transactions/start" },
    { key: "walBytes", title: "WAL B/start" },
  ],
  variants: ({ systems }) => (systems.includes("floxy") ? [oneByOne(false), oneByOne(true), many] : []),
};
