/** Who takes part: the orchestrator and the services, each a process of its own. */
import { fileURLToPath } from "node:url";
import { interruption } from "./interruption.ts";
import { readable } from "./log-line.ts";
import { note, printFrom } from "./output.ts";
import type { Program } from "./processes.ts";
import { Processes, sourceFile } from "./processes.ts";

/** A process that takes part. */
export interface Member {
  readonly name: string;
  readonly pid: number;
}

/** What the processes need. */
export interface CastOptions {
  readonly databaseUrl: string;
  readonly outsideCallMs: number;
  /** Ends the work when it is aborted. */
  readonly signal: AbortSignal;
}

const services: readonly Program[] = ["orders", "payment", "inventory", "shipping"].map((name) => ({
  name,
  args: [sourceFile(`service/${name === "orders" ? "order" : name}.ts`)],
  isReady: (line) => line === "ready",
}));

const orchestrator: Program = {
  name: "orchestrator",
  args: [fileURLToPath(import.meta.resolve("@floxy/orchestrator/main"))],
  isReady: (line) => line.includes('"the orchestrator runs"'),
};

const readyWithinMs = 30_000;

/** Runs `work` while the orchestrator and the services run; they have ended when this settles. */
export const withProcesses = async <T>(
  { databaseUrl, outsideCallMs, signal }: CastOptions,
  work: (members: readonly Member[]) => Promise<T>,
): Promise<T> => {
  const processes = new Processes({
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      OUTSIDE_CALL_MS: String(outsideCallMs),
      FLOXY_HTTP_PORT: "0",
      FLOXY_MIGRATE: "false",
      FLOXY_LOG_LEVEL: "info",
    },
    onLine: (name, pid, line) => {
      const text = readable(line);
      if (text !== undefined) printFrom(name, pid, text);
    },
    onReady: (name, pid, again) => {
      if (again) printFrom(name, pid, note("  is ready"));
    },
    onDeath: (name, pid, how) => printFrom(name, pid, note(`  ${how}; starting it again`)),
  });
  const ends = [processes.givenUp, interruption(signal)];
  try {
    const programs = [orchestrator, ...services];
    const ready = Promise.all(
      programs.map(async (program) => ({ name: program.name, pid: await processes.start(program) })),
    );
    const members = await Promise.race([...ends, ready, late(readyWithinMs)]);
    return await Promise.race([...ends, work(members)]);
  } finally {
    await processes.stop();
  }
};

const late = (ms: number): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`the services were not ready after ${ms / 1_000} s`)), ms).unref();
  });
