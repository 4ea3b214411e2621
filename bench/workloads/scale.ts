/** Whether it stays as fast when there is more of everything. Each compares the same work with and without. */
import pg from "pg";
import { bystander } from "../suite/counters.ts";
import type { Store } from "../suite/store.ts";
import { sequenceOf } from "../systems/system.ts";
import { drain, drainColumns } from "./drain.ts";
import { fillHistory } from "./history.ts";
import { withPlace } from "./place.ts";
import type { Bench, Measured, Variant, Wanted, Workload } from "./workload.ts";

const system = "floxy";
const scenario = sequenceOf(3);

const only = (variants: (wanted: Wanted) => readonly Variant[]) => (wanted: Wanted) =>
  wanted.systems.includes(system) ? variants(wanted) : [];

const thousands = (count: number): string => count.toLocaleString("en-US");

/** How many handler calls are timed in one stretch, and how many stretches there are. */
const stretch = 30_000;
const stretches = 4;

// The small backlog is worked off and filled again, the large one hardly changes; both are looked at for as many calls.
const ready = (depth: number, label: string): Variant => ({
  system,
  label,
  measure: (bench: Bench): Promise<Measured> =>
    withPlace(bench, { system, scenario }, async ({ child, configuration, warmUp }) => {
      const calls = bench.quick ? Math.min(stretch, 6_000) : stretch;
      let started = 0;
      let called = 0;
      const enqueue = async (count: number): Promise<void> => {
        await child.ask("enqueue", { first: started, count });
        started += count;
      };
      const stretchOf = async (count: number): Promise<number> => {
        const startedAt = performance.now();
        await child.ask("work");
        await child.ask("called", { calls: count, timeoutMs: 120_000 });
        const ms = performance.now() - startedAt;
        await child.ask("rest");
        called += await child.ask("calls");
        return ms;
      };
      await enqueue(warmUp);
      await stretchOf(warmUp * 3);
      await enqueue(depth);
      const single = await child.ask("singleStarts", { first: 900_000_000, callers: 32, seconds: 2, keyed: false });
      started += single.count + 1;
      let ms = 0;
      for (let index = 0; index < stretches; index++) {
        // A workflow that was begun counts as gone: what is left of it would be too little.
        const left = started - Math.ceil(called / 3);
        if (left < depth) await enqueue(depth - left);
        ms += await stretchOf(calls);
      }
      const { started: known, steps } = await child.ask("tally");
      return {
        configuration,
        lost: [
          ...(known === started ? [] : [`${known} of ${started} workflows are known to it`]),
          ...(steps === called ? [] : [`${steps} of ${called} steps that were called are known to it`]),
        ],
        figures: {
          stepsPerSecond: ((calls * stretches) / ms) * 1_000,
          startsPerSecond: (single.count / single.ms) * 1_000,
        },
      };
    }),
});

const holdSnapshot = async (store: Store): Promise<() => Promise<void>> => {
  const db = new pg.Client({ connectionString: store.url, application_name: bystander });
  await db.connect();
  await db.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  // The snapshot is taken by the first statement. The number of a transaction makes it one that others must regard.
  await db.query("SELECT count(*), pg_current_xact_id() FROM floxy.instance");
  return async () => {
    await db.query("COMMIT");
    await db.end();
  };
};

const noCleanUp = (): Promise<void> => Promise.resolve();

/** The workloads of this file. */
export const scale: readonly Workload[] = [
  {
    name: "scale-ready",
    about: `Throughput of one worker, which is stopped and started between stretches of as many handler calls, and single starts of 32 callers, while so many steps are ready.`,
    ratio: "share",
    columns: [
      { key: "stepsPerSecond", title: "steps/s" },
      { key: "startsPerSecond", title: "starts/s" },
    ],
    variants: only(({ quick }) => {
      const depths = quick ? [2_000, 50_000] : [10_000, 1_000_000];
      return depths.map((depth) => ready(depth, `${thousands(depth)} ready`));
    }),
  },
  {
    name: "scale-history",
    about: "Three steps, beside a history of steps that finished.",
    ratio: "share",
    columns: drainColumns,
    variants: only(({ quick }) => {
      const steps = quick ? 300_000 : 10_000_000;
      const around = async ({ url }: Store) => {
        await fillHistory(url, Math.ceil(steps / 3));
        return noCleanUp;
      };
      return [
        { system, label: "no history", measure: (bench) => drain(bench, { system, scenario }) },
        {
          system,
          label: `${thousands(steps)} finished steps`,
          measure: (bench) => drain(bench, { system, scenario, around }),
        },
      ];
    }),
  },
  {
    name: "scale-snapshot",
    about: "Three steps, while another session holds a snapshot from before they were enqueued to their end.",
    ratio: "share",
    columns: drainColumns,
    variants: only(({ quick }) => {
      const what = { system, scenario, workflows: quick ? 10_000 : 100_000 };
      return [
        { system, label: "no snapshot", measure: (bench) => drain(bench, what) },
        { system, label: "a snapshot is held", measure: (bench) => drain(bench, { ...what, around: holdSnapshot }) },
      ];
    }),
  },
  {
    name: "scale-handlers",
    about: "Three steps by one worker with 2 or 200 handlers, over all of which the steps are spread.",
    ratio: "share",
    columns: drainColumns,
    variants: only(() =>
      [2, 200].map((handlers) => ({
        system,
        label: `${handlers} handlers`,
        measure: (bench) => drain(bench, { system, scenario: { ...scenario, handlers } }),
      })),
    ),
  },
  {
    name: "scale-workers",
    about:
      "Three steps by four worker processes, alone and with 60 more workers connected that have nothing to do; max_connections is 500.",
    ratio: "share",
    columns: drainColumns,
    variants: only(() => {
      const what = { system, scenario, processes: 4, settings: { max_connections: "500" } };
      return [
        { system, label: "4 workers", measure: (bench) => drain(bench, what) },
        {
          system,
          label: "4 workers, 60 more idle",
          measure: (bench) => drain(bench, { ...what, beside: [20, 20, 20] }),
        },
      ];
    }),
  },
];
