/** What a worker can be told, with its defaults. */
import { hostname } from "node:os";
import { FloxyError, newId } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";

/** How to make a {@link Worker}. */
export interface WorkerOptions {
  /** The database that all services share: `postgres://user:password@host:5432/database`. */
  readonly connectionString: string;
  /** The handlers that this service has. No step of any other handler is leased. */
  readonly handlers: readonly AnyHandlerImplementation[];
  /** How many handlers run at the same time. Default 100. Compensations have a tenth more, at least one, to themselves. */
  readonly concurrency?: number | undefined;
  /** How long a lease lasts unless it is extended, in milliseconds: how long others wait for a worker that died. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /** The longest time between two looks at the queue when nobody says that there is work, in milliseconds. Default 1,000. */
  readonly pollIntervalMs?: number | undefined;
  /** How long {@link Worker.stop} lets running handlers finish before it aborts them, in milliseconds. Default 20,000. */
  readonly drainMs?: number | undefined;
  /** How long aborted handlers get to come to an end, in milliseconds. Default 5,000. */
  readonly graceMs?: number | undefined;
  /** The signals on which the worker drains and the process ends; `false` to call {@link Worker.stop} yourself. Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[] | false | undefined;
  /** The name of the service in ids of workers. Default the name of the host. */
  readonly name?: string | undefined;
  /** The schema of Floxy's tables. Default `floxy`. */
  readonly schema?: string | undefined;
  /** The largest output of a handler, in bytes of JSON. Default 1 MiB. */
  readonly payloadLimit?: number | undefined;
  /** Another URL for LISTEN, needed behind pgbouncer in transaction mode; `false` for polling alone. */
  readonly listenConnectionString?: string | false | undefined;
  /** `false` behind pgbouncer in transaction mode. Default `true`. */
  readonly prepare?: boolean | undefined;
  /** Where the worker and its handlers log. Default: warnings and errors to the console. */
  readonly logger?: Logger | undefined;
}

type Defaulted = Omit<WorkerOptions, "handlers" | "payloadLimit">;

/** The options of a worker, all of them. */
export type ResolvedWorkerOptions = { readonly [K in keyof Defaulted]-?: Exclude<Defaulted[K], undefined> } & {
  readonly handlers: ReadonlyMap<string, AnyHandlerImplementation>;
  readonly payloadLimit: number | undefined;
  /** Unique among all workers that ever ran. */
  readonly workerId: string;
};

/** Checks the options and fills in the defaults. Throws `OPTION_INVALID` that names all that is wrong. */
export const resolveOptions = (options: WorkerOptions): ResolvedWorkerOptions => {
  const problems: string[] = [];
  const integer = (name: string, value: number, least: number): number => {
    if (!Number.isInteger(value) || value < least) problems.push(`${name} must be an integer ≥ ${least}, not ${String(value)}`);
    return value;
  };
  const handlers = new Map<string, AnyHandlerImplementation>();
  for (const handler of options.handlers) {
    if (handlers.has(handler.name)) problems.push(`handler '${handler.name}' is given twice`);
    handlers.set(handler.name, handler);
    const { concurrency } = handler.options;
    if (concurrency !== undefined) integer(`concurrency of handler '${handler.name}'`, concurrency, 1);
  }
  if (handlers.size === 0) problems.push("handlers must hold at least one handler");
  if (!options.connectionString) problems.push("connectionString is missing");
  const name = options.name ?? hostname();
  const resolved: ResolvedWorkerOptions = {
    connectionString: options.connectionString,
    handlers,
    concurrency: integer("concurrency", options.concurrency ?? 100, 1),
    leaseMs: integer("leaseMs", options.leaseMs ?? 30_000, 10),
    pollIntervalMs: integer("pollIntervalMs", options.pollIntervalMs ?? 1_000, 10),
    drainMs: integer("drainMs", options.drainMs ?? 20_000, 0),
    graceMs: integer("graceMs", options.graceMs ?? 5_000, 0),
    signals: options.signals ?? ["SIGTERM", "SIGINT"],
    name,
    schema: options.schema ?? "floxy",
    payloadLimit: options.payloadLimit,
    listenConnectionString: options.listenConnectionString ?? options.connectionString,
    prepare: options.prepare ?? true,
    logger: options.logger ?? consoleLogger,
    workerId: `${name.slice(0, 60)}-${process.pid}-${newId().slice(-8)}`,
  };
  if (problems.length === 0) return resolved;
  throw new FloxyError("OPTION_INVALID", `The worker cannot be made: ${problems.join("; ")}.`);
};

const silent = (): void => {};

/** Warnings and errors to the console. */
export const consoleLogger: Logger = {
  debug: silent,
  info: silent,
  warn: (...line: unknown[]) => console.warn(...line),
  error: (...line: unknown[]) => console.error(...line),
};
