/** Measures what was asked for: workload by workload, and in each round every variant once. */

import type { Bench, Measured, Variant, Workload } from "../workloads/workload.ts";
import type { Request } from "./arguments.ts";
import { busyWarning, currentLoad, machineFacts } from "./machine.ts";
import { Progress } from "./progress.ts";
import type { Result, ResultRow } from "./results.ts";
import { writeResult } from "./results.ts";
import type { BenchServer } from "./server.ts";
import { startServer } from "./server.ts";
import { summarize } from "./statistics.ts";
import { figure } from "./table.ts";

interface Kept {
  readonly variant: Variant;
  readonly rounds: Measured[];
  readonly problems: string[];
}

/** Measures, writes a file for each workload as soon as it is through, and answers them all. A quick run writes none. */
export const runSuite = async (
  request: Request,
  workloads: readonly Workload[],
  command: string,
): Promise<readonly Result[]> => {
  const loadBefore = currentLoad();
  const warning = busyWarning(loadBefore);
  if (warning !== undefined) process.stdout.write(`${warning}\n`);
  const planned = workloads.map((workload) => ({ workload, variants: workload.variants(request) }));
  const keys = planned.flatMap(({ workload, variants }) =>
    Array.from({ length: request.rounds }, () => variants.map(({ label }) => `${workload.name} ${label}`)).flat(),
  );
  const progress = new Progress(keys);
  const servers = oneServer();
  const interrupted = (): void => {
    void servers.close().finally(() => process.exit(130));
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const bench: Bench = {
    quick: request.quick,
    systems: request.systems,
    seconds: request.quick ? 2 : 5,
    server: servers.get,
    learnt: new Map(),
  };
  const results: Result[] = [];
  try {
    for (const { workload, variants } of planned) {
      if (variants.length === 0) continue;
      const kept = variants.map((variant): Kept => ({ variant, rounds: [], problems: [] }));
      for (let round = 1; round <= request.rounds; round++) {
        for (const one of kept) await measureOnce(bench, workload, one, round, request.rounds, progress);
      }
      const result: Result = {
        workload: workload.name,
        about: workload.about,
        command,
        quick: request.quick,
        rounds: request.rounds,
        machine: machineFacts(await servers.get(), loadBefore),
        columns: workload.columns,
        ratio: workload.ratio,
        rows: kept.map(rowOf),
      };
      // A quick run says less than what is there, so it does not replace it.
      if (!request.quick) await writeResult(result);
      results.push(result);
    }
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    await servers.close();
  }
  return results;
};

const measureOnce = async (
  bench: Bench,
  workload: Workload,
  kept: Kept,
  round: number,
  rounds: number,
  progress: Progress,
): Promise<void> => {
  const { variant } = kept;
  const startedAt = performance.now();
  progress.begin(`${workload.name}: ${variant.label}, round ${round} of ${rounds}`);
  const end = (text: string): void => progress.end(text, performance.now() - startedAt);
  if (kept.problems.length > 0 && kept.rounds.length === 0) return end("left out, as it did not run before");
  try {
    const measured = await variant.measure(bench);
    kept.rounds.push(measured);
    kept.problems.push(...measured.lost);
    const [column] = workload.columns;
    const first = column && measured.figures[column.key];
    end(measured.lost.length > 0 ? `LOST: ${measured.lost.join("; ")}` : `${figure(first)} ${column?.title ?? ""}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The rest is where in the code it happened, which is for the terminal and not for the document.
    kept.problems.push(`did not run: ${reason.split("\n")[0]}`);
    end(`did not run: ${reason}`);
  }
};

const rowOf = ({ variant, rounds, problems }: Kept): ResultRow => {
  const names = [...new Set(rounds.flatMap(({ figures }) => Object.keys(figures)))];
  return {
    system: variant.system,
    label: variant.label,
    configuration: rounds.at(-1)?.configuration ?? "",
    figures: Object.fromEntries(
      names.map((name) => [name, summarize(rounds.map(({ figures }) => figures[name] ?? Number.NaN))]),
    ),
    problems: [...new Set(problems)],
    lost: rounds.some(({ lost }) => lost.length > 0),
  };
};

// Only a few workloads need settings of their own, so one server at a time is kept.
const oneServer = () => {
  let current: { readonly key: string; readonly server: BenchServer } | undefined;
  const close = async (): Promise<void> => {
    await current?.server.close();
    current = undefined;
  };
  return {
    close,
    async get(more?: Readonly<Record<string, string>>): Promise<BenchServer> {
      const key = JSON.stringify(more ?? {});
      if (current?.key !== key) {
        await close();
        current = { key, server: await startServer(more) };
      }
      return current.server;
    },
  };
};
