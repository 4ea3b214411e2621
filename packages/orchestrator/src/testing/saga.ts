/** Sagas for tests: definitions, instances, and a worker that is only the engine's verbs. */
import type { AttemptResult, Database, LeasedStep } from "@floxy/shared";
import {
  claim,
  createGraphCache,
  insertStarts,
  noHints,
  prepareStart,
  registerDefinition,
  settleAttempts,
} from "@floxy/shared";
import { systemClock } from "../service/clock.ts";

/** A definition that forks into three branches of one task, and has one task after the join. */
const fanOut = {
  format: 1,
  name: "fan-out",
  version: 1,
  nodes: [
    {
      kind: "fork",
      name: "all",
      branches: ["left", "middle", "right"].map((name) => ({
        name,
        nodes: [{ kind: "task", name: `${name}-step`, handler: "branch" }],
      })),
    },
    { kind: "task", name: "after", handler: "after" },
  ],
};

const retry = { strategy: "fixed", delayMs: 300, jitter: 0, maxAttempts: 2 };

/** A definition of two tasks, each with a compensation; they are tried twice, 300 ms apart. */
const chain = {
  format: 1,
  name: "chain",
  version: 1,
  nodes: ["first", "second"].map((name) => ({
    kind: "task",
    name,
    handler: name,
    retry,
    compensation: { handler: `undo-${name}` },
  })),
};

/** The handlers of `fan-out` and `chain`. */
const handlers = ["branch", "after", "first", "second", "undo-first", "undo-second"];

const graphs = createGraphCache();

/** Registers both definitions. */
export const registerSagas = async (db: Database): Promise<void> => {
  await registerDefinition(db, fanOut);
  await registerDefinition(db, chain);
};

/** Starts instances and answers their ids. */
export const startSagas = async (db: Database, definitionName: string, count: number): Promise<string[]> => {
  const starts = await Promise.all(
    Array.from({ length: count }, (_, order) =>
      prepareStart(db, createGraphCache(), { definitionName, input: { order } }),
    ),
  );
  const started = await insertStarts(db, starts, noHints());
  return started.map((one) => {
    if ("instanceId" in one) return one.instanceId;
    throw one;
  });
};

/** Leases whatever is ready. */
export const lease = (db: Database, workerId: string, leaseMs = 30_000): Promise<LeasedStep[]> =>
  claim(db, { workerId, handlers: handlers.map((handler) => ({ handler, slots: 100 })), limit: 100, leaseMs });

/** What a handler that succeeds answers. */
const done: AttemptResult = { kind: "completed", output: "{}" };

/** What a handler that fails for good answers. */
export const refused: AttemptResult = {
  kind: "failed",
  error: { code: "HANDLER_NOT_RETRYABLE", message: "no" },
  retryable: false,
  called: true,
};

/** What a handler that may be called again answers. */
export const tryAgain: AttemptResult = {
  kind: "failed",
  error: { code: "HANDLER_FAILED", message: "not now" },
  retryable: true,
  called: true,
};

/** Settles leased steps; nobody is notified. */
export const settleSteps = async (
  db: Database,
  steps: readonly LeasedStep[],
  resultOf: (step: LeasedStep) => AttemptResult = () => done,
) => {
  const attempts = await Promise.all(
    steps.map(async (step) => ({
      ...step,
      graph: await graphs.get(db, step.definitionName, step.definitionVersion),
      result: resultOf(step),
    })),
  );
  return settleAttempts(db, { attempts, workerId: "worker", random: Math.random, hints: noHints() });
};

/** A worker that polls. */
export interface PollingWorker {
  /** Each handler call, as `instance node lane`, in order. */
  readonly calls: readonly string[];
  stop(): Promise<void>;
}

/** Starts a worker that runs everything with `resultOf`, by polling alone. */
export const startWorker = (db: Database, resultOf?: (step: LeasedStep) => AttemptResult): PollingWorker => {
  const calls: string[] = [];
  let stopping = false;
  const run = async (): Promise<void> => {
    while (!stopping) {
      const steps = await lease(db, "worker");
      for (const { instanceId, node, lane } of steps) calls.push(`${instanceId} ${node} ${lane}`);
      await settleSteps(db, steps, resultOf);
      await new Promise<void>((resolve) => systemClock.after(5, resolve));
    }
  };
  const loop = run();
  return {
    calls,
    async stop() {
      stopping = true;
      await loop;
    },
  };
};
