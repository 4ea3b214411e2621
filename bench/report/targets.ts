/** What Floxy is to reach, beside what was measured. */
import type { Result, ResultRow } from "../suite/results.ts";
import type { Table } from "../suite/table.ts";
import { figure } from "../suite/table.ts";
import { medianOf } from "./rows.ts";

interface Target {
  readonly about: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly unit?: string;
  measured(of: (workload: string) => readonly ResultRow[]): number;
}

const label = (rows: readonly ResultRow[], name: string): ResultRow | undefined =>
  rows.find((row) => row.label === name);

const leading = "stepsPerSecond";

const floxyIs = (peer: string, atLeast: number): Target => ({
  about: `sequence of 3: steps/s, as a multiple of ${peer}`,
  atLeast,
  unit: "×",
  measured: (of) => {
    const rows = of("sequence-3");
    return medianOf(label(rows, "floxy"), leading) / medianOf(label(rows, peer), leading);
  },
});

const share = (about: string, workload: string, atLeast: number): Target => ({
  about,
  atLeast,
  unit: " %",
  measured: (of) => {
    const rows = of(workload);
    return (medianOf(rows.at(-1), leading) / medianOf(rows[0], leading)) * 100;
  },
});

const figureOf = (
  about: string,
  limit: Pick<Target, "atLeast" | "atMost" | "unit">,
  [workload, row, key]: readonly [string, string, string],
): Target => ({ about, ...limit, measured: (of) => medianOf(label(of(workload), row), key) });

const targets: readonly Target[] = [
  figureOf("sequence of 3, one worker process: steps/s", { atLeast: 25_000 }, ["sequence-3", "floxy", leading]),
  floxyIs("pg-boss", 1),
  floxyIs("graphile-worker", 8),
  floxyIs("dbos", 15),
  figureOf("transactions per step", { atMost: 0.02 }, ["sequence-3", "floxy", "transactions"]),
  figureOf("WAL bytes per step, 300 B payload", { atMost: 2_200 }, ["sequence-3", "floxy", "walBytes"]),
  figureOf("idle: start to first handler, p50", { atMost: 3, unit: " ms" }, ["latency", "floxy", "startP50"]),
  figureOf("idle: start to first handler, p99", { atMost: 8, unit: " ms" }, ["latency", "floxy", "startP99"]),
  figureOf("idle: step to next step, p50", { atMost: 3, unit: " ms" }, ["latency", "floxy", "stepP50"]),
  share("fork of 10 and join, of the sequence", "fork-10", 60),
  share("saga that compensates nine, of the sequence", "saga-10", 40),
  share("1,000,000 steps ready, of 10,000", "scale-ready", 80),
  share("10,000,000 steps in history, of none", "scale-history", 80),
  share("200 handlers, of 2", "scale-handlers", 80),
  share("a snapshot held throughout, of none", "scale-snapshot", 60),
  share("4 worker processes, of 1", "processes", 100),
  figureOf("deadlocks with 4 worker processes", { atMost: 0 }, ["processes", "4 processes", "deadlocks"]),
  figureOf("one idle worker: queries/s", { atMost: 1 }, ["idle", "one worker", "queriesPerSecond"]),
  figureOf("single starts of 32 callers: starts/s", { atLeast: 5_000 }, ["start", "one by one", "startsPerSecond"]),
  figureOf("… with idempotency key", { atLeast: 5_000 }, [
    "start",
    "one by one with idempotency key",
    "startsPerSecond",
  ]),
  figureOf("startMany: starts/s", { atLeast: 50_000 }, ["start", "many at once", "startsPerSecond"]),
];

/** All targets; what was not measured has a dash. */
export const targetTable = (results: readonly Result[]): Table => {
  const of = (workload: string): readonly ResultRow[] =>
    results.find((result) => result.workload === workload)?.rows ?? [];
  return {
    head: ["figure", "wanted", "measured", "reached"],
    rows: targets.map(({ about, atLeast, atMost, unit = "", measured }) => {
      const value = measured(of);
      const known = Number.isFinite(value);
      const reached = value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
      const wanted = atLeast === undefined ? `≤ ${figure(atMost)}${unit}` : `≥ ${figure(atLeast)}${unit}`;
      return [about, wanted, known ? `${figure(value)}${unit}` : "–", known ? (reached ? "yes" : "no") : "–"];
    }),
  };
};
