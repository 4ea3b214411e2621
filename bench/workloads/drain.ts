/** How fast a backlog is worked off: the measurement most workloads share. */
import { setTimeout as pause } from "node:timers/promises";
import { Child } from "../suite/child.ts";
import type { Store, Written } from "../suite/store.ts";
import { openStore } from "../suite/store.ts";
import type { Scenario } from "../systems/system.ts";
import { callsOf } from "../systems/system.ts";
import type { Bench, Column, Measured } from "./workload.ts";

/** What is worked off, and by whom. */
export interface Drain {
  readonly system: string;
  readonly scenario: Scenario;
  /** Processes with a worker each. */
  readonly processes?: number;
  /** Other processes, started for each run before the clock is: an orchestrator for 0, or so many idle workers. */
  readonly beside?: readonly number[];
  /** How many workflows, where it is not as many as fill a round. */
  readonly workflows?: number;
  /** Settings of the server that this needs. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes the surroundings, after the warm-up and before anything is enqueued; what it answers takes them away. */
  readonly around?: (store: Store) => Promise<() => Promise<void>>;
}

/** The columns of what {@link drain} measures. */
export const drainColumns: readonly Column[] = [
  { key: "stepsPerSecond", title: "steps/s" },
  { key: "workflowsPerSecond", title: "workflows/s" },
  { key: "startsPerSecond", title: "starts/s" },
  { key: "serverUs", title: "server µs/step" },
  { key: "nodeUs", title: "Node µs/step" },
  { key: "transactions", title: "transactions/step" },
  { key: "walBytes", title: "WAL B/step" },
  { key: "walBytesPlain", title: "without page images" },
  { key: "rowWrites", title: "row writes/step" },
  { key: "peakMiB", title: "peak MiB" },
];

const timeoutMs = 180_000;

/** Enqueues, works off, counts, and checks that nothing was lost. Database and processes are new each time. */
export const drain = async (bench: Bench, what: Drain): Promise<Measured> => {
  const server = await bench.server(what.settings);
  const store = await openStore(server, what.system);
  const children = Array.from({ length: what.processes ?? 1 }, () => new Child());
  try {
    return await measure(bench, what, store, children);
  } finally {
    await Promise.all(children.map((child) => child.end()));
    await store.drop();
  }
};

const measure = async (bench: Bench, what: Drain, store: Store, children: readonly Child[]): Promise<Measured> => {
  const { system, scenario } = what;
  const [first, ...others] = children;
  if (first === undefined) throw new Error("a drain needs a process");
  const open = { system, url: store.url, scenario };
  const { configuration, warmUp } = await first.ask("open", { ...open, setUp: true });
  for (const child of others) await child.ask("open", { ...open, setUp: false });
  const key = `${system} ${JSON.stringify(scenario)} ${children.length}`;
  const calls = callsOf(scenario);
  // As much work in all shapes; at a few kilobytes it is the bytes and not the steps that cost.
  const warm = Math.max(10, Math.ceil((warmUp * 3) / calls / (1 + scenario.payloadBytes / 3_000)));

  await first.ask("enqueue", { first: 0, count: warm });
  const warmRun = await work(what, store, children, warm * calls);
  const known = bench.learnt.get(key);
  // A first worker connects and compiles while it is timed, so a rate that is not known yet is more than it looks.
  const rate = known ?? (warmRun.calls / warmRun.seconds) * 1.4;
  const workflows = what.workflows ?? Math.max(warm, Math.ceil((rate * bench.seconds * 1.15) / calls));

  const leave = await what.around?.(store);
  const { ms } = await first.ask("enqueue", { first: warm, count: workflows });
  const run = await work(what, store, children, workflows * calls).finally(leave);
  bench.learnt.set(key, run.calls / run.seconds);

  const { ended, left = 0, steps } = await first.ask("tally");
  const lost = [
    ...(left === 0 ? [] : [`${left} jobs are left`]),
    ...(ended === undefined || ended === warm + workflows
      ? []
      : [`${ended} of ${warm + workflows} workflows ended as they should`]),
    ...(steps === undefined || steps === (warm + workflows) * calls
      ? []
      : [`${steps} of ${(warm + workflows) * calls} steps are known to it`]),
    ...(run.calls < workflows * calls ? [`${run.calls} of ${workflows * calls} handlers were called`] : []),
  ];
  const count = workflows * calls;
  const { written } = run;
  return {
    configuration,
    lost,
    figures: {
      stepsPerSecond: count / run.seconds,
      workflowsPerSecond: workflows / run.seconds,
      startsPerSecond: (workflows / ms) * 1_000,
      seconds: run.seconds,
      workflows,
      repeatedCalls: run.calls - count,
      deadlocks: written?.deadlocks ?? Number.NaN,
      serverUs: run.serverUs / count,
      nodeUs: run.nodeUs / count,
      transactions: (written?.transactions ?? Number.NaN) / count,
      walBytes: (written?.walBytes ?? Number.NaN) / count,
      walBytesPlain: ((written?.walBytes ?? Number.NaN) - (written?.pageImageBytes ?? 0)) / count,
      rowWrites: (written?.rows ?? Number.NaN) / count,
      peakMiB: run.peakBytes / 2 ** 20,
    },
  };
};

interface Run {
  readonly seconds: number;
  readonly calls: number;
  readonly serverUs: number;
  readonly nodeUs: number;
  readonly peakBytes: number;
  readonly written: Written | undefined;
}

/** Lets workers work until all is done; the clock runs from their start to the end of the last workflow. */
const work = async (what: Drain, store: Store, children: readonly Child[], calls: number): Promise<Run> => {
  const stopCounting = await store.count();
  const beside = (what.beside ?? []).map((workers) => ({ workers, child: new Child() }));
  try {
    await Promise.all(beside.map(({ workers, child }) => child.ask("idle", { workers, url: store.url })));
    const serverBefore = await store.cpuUs();
    const startedAt = performance.now();
    await Promise.all(children.map((child) => child.ask("work")));
    await untilCalled(children, calls);
    const questions = await children[0]?.ask("ended", { timeoutMs });
    const seconds = (performance.now() - startedAt) / 1_000;
    const serverUs = (await store.cpuUs()) - serverBefore;
    const parts = [...children, ...beside.map(({ child }) => child)];
    const usages = await Promise.all(parts.map((child) => child.ask("usage")));
    const called = await Promise.all(children.map((child) => child.ask("calls")));
    await Promise.all(children.map((child) => child.ask("rest")));
    await Promise.all(beside.map(({ child }) => child.end()));
    const counted = await stopCounting();
    const written = counted && { ...counted, transactions: counted.transactions - (questions ?? 0) };
    return {
      seconds,
      calls: sum(called),
      serverUs,
      nodeUs: sum(usages.map(({ cpuUs }) => cpuUs)),
      peakBytes: Math.max(...usages.map(({ peakBytes }) => peakBytes)),
      written,
    };
  } finally {
    await Promise.all(beside.map(({ child }) => child.end()));
  }
};

const untilCalled = async (children: readonly Child[], calls: number): Promise<void> => {
  const [only, ...others] = children;
  if (others.length === 0) {
    await only?.ask("called", { calls, timeoutMs });
    return;
  }
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const called = sum(await Promise.all(children.map((child) => child.ask("calls"))));
    if (called >= calls) return;
    if (performance.now() > deadline) throw new Error(`${called} of ${calls} handlers were called in ${timeoutMs} ms`);
    await pause(10);
  }
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
