/** What the run is told: its argument and its environment. */
import { resolve } from "node:path";
import { sourceFile } from "./processes.ts";

/** What the run is told. */
export interface Settings {
  /** The file of orders. */
  readonly path: string;
  /** How long a call to the outside world takes, in milliseconds. */
  readonly outsideCallMs: number;
  /** When to give up on an order, in milliseconds. */
  readonly timeoutMs: number;
}

/** The run cannot be as it was asked for; its message says why. */
export class UsageError extends Error {}

/** Printed for `--help`. */
export const help = `Usage: npm start [-- FILE]

Takes the orders of FILE through a saga across four services, each a process of its own, and proves from the ledgers of
the services that every completed order happened exactly once and every failed one left nothing behind.

FILE             orders, one JSON object a line; by default examples/order-saga/orders.jsonl

DATABASE_URL     use this PostgreSQL server; a database is created there and dropped at the end
OUTSIDE_CALL_MS  how long calls to the outside world take, in milliseconds (40)
RUN_TIMEOUT_MS   give up on an order after this long, in milliseconds (120000)

Kill any of the processes while it runs (kill -9 PID): it is started again, and the proof still holds.
Exit code: 0 if the proof holds, 1 if not or if the run broke off, 2 if it was asked for wrongly or there are no orders.`;

/** Reads the settings, or `undefined` if help was asked for. Throws {@link UsageError}. */
export const readSettings = (args: readonly string[], env: NodeJS.ProcessEnv): Settings | undefined => {
  if (args.includes("--help") || args.includes("-h")) return undefined;
  const [file, ...others] = args;
  if (others.length > 0) throw new UsageError("Give one file of orders, or none.");
  return {
    // A path is meant from where the command was typed, which npm tells.
    path: file === undefined ? sourceFile("../orders.jsonl") : resolve(env["INIT_CWD"] ?? ".", file),
    outsideCallMs: milliseconds(env, "OUTSIDE_CALL_MS", 40),
    timeoutMs: milliseconds(env, "RUN_TIMEOUT_MS", 120_000),
  };
};

const milliseconds = (env: NodeJS.ProcessEnv, name: string, otherwise: number): number => {
  const text = env[name];
  if (text === undefined || text === "") return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`${name} must be a whole number of milliseconds, not '${text}'.`);
};
