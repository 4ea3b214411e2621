/** A run of the order saga as a newcomer starts it: real processes, watched by what they print. */
import { execFileSync, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";

/** The processes of a run beside the main one. */
export const members = ["orchestrator", "orders", "payment", "inventory", "shipping"] as const;

/** A name of one of the processes. */
export type Member = (typeof members)[number];

/** How a run ended. */
export interface RunEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A run that was started. */
export interface SagaRun {
  /** Resolves when it is over. */
  readonly ended: Promise<RunEnd>;
  /** All that it has printed so far. */
  output(): string;
  /** How often what it has printed matches. */
  count(pattern: RegExp): number;
  /** Resolves once what it has printed matches so often; rejects if it ends before that. */
  until(pattern: RegExp, times?: number): Promise<void>;
  /** The number of the process that last went by this name. */
  pidOf(name: Member): number;
  /** The name of its database. */
  database(): string;
  /** Sends a signal to the main process. */
  kill(signal: NodeJS.Signals): void;
  /** The numbers of all processes it ever had that are still there. */
  survivors(): readonly number[];
}

const main = fileURLToPath(import.meta.resolve("@floxy/example-order-saga/src/main.ts"));

/** Starts a run in this environment, on top of our own. Without `DATABASE_URL` it uses an embedded server. */
export const startSaga = (env: Readonly<Record<string, string>>, args: readonly string[] = []): SagaRun => {
  const { DATABASE_URL: _, INIT_CWD: __, ...inherited } = process.env;
  const child = spawn(process.execPath, ["--conditions=@floxy/source", "--import", "tsx", main, ...args], {
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let over = false;
  const changes = new EventEmitter();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      changes.emit("change");
    });
  }
  const ended = new Promise<RunEnd>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over = true;
      changes.emit("change");
      resolve({ code, signal });
    });
  });
  const count = (pattern: RegExp): number => [...output.matchAll(new RegExp(pattern, "gm"))].length;
  const pidsOf = (name: string): number[] =>
    [...output.matchAll(new RegExp(`^ *${name} +(\\d+)  `, "gm"))].map(([, pid]) => Number(pid));
  return {
    ended,
    output: () => output,
    count,
    async until(pattern, times = 1) {
      while (count(pattern) < times) {
        if (over) throw new Error(`the run ended before it printed ${times} × ${pattern}:\n${output}`);
        await once(changes, "change");
      }
    },
    pidOf(name) {
      const pid = pidsOf(name).at(-1);
      if (pid === undefined) throw new Error(`${name} has not said anything yet`);
      return pid;
    },
    database: () => /floxy_order_saga_[0-9a-f]{8}$/m.exec(output)?.[0] ?? "",
    kill: (signal) => void child.kill(signal),
    survivors: () => alive([...new Set([child.pid ?? 0, ...members.flatMap(pidsOf)])]),
  };
};

/** Those that still run; one that has ended and whom only its parent has not noticed does not. */
const alive = (pids: readonly number[]): readonly number[] => {
  const states = execFileSync("ps", ["-eo", "pid=,stat="], { encoding: "utf8" }).trim().split("\n");
  const running = new Set(
    states.flatMap((line) => {
      const [pid, state = ""] = line.trim().split(/\s+/);
      return state.startsWith("Z") ? [] : [Number(pid)];
    }),
  );
  return pids.filter((pid) => running.has(pid));
};
