/** Checking a worker's options and filling in their defaults. */
import { hostname } from "node:os";
import { newId } from "@floxy/shared";
import { consoleLogger, safely } from "./logger.ts";
import { assertOptions } from "./option-check.ts";
import type { ResolvedWorkerOptions, WorkerOptions } from "./options.ts";

/**
 * Checks the options and fills in the defaults. Throws `OPTION_INVALID` that names all that is wrong, or `NAME_INVALID`
 * when that is nothing but names.
 */
export const resolveOptions = (options: WorkerOptions): ResolvedWorkerOptions => {
  assertOptions(options);
  const { concurrency = 100 } = options;
  const name = options.name ?? hostname().replaceAll(/[^A-Za-z0-9_.:-]/g, "-");
  return {
    connectionString: options.connectionString,
    handlers: new Map(options.handlers.map((handler) => [handler.name, handler])),
    concurrency,
    transactionalConcurrency: Math.min(options.transactionalConcurrency ?? 5, concurrency),
    leaseMs: options.leaseMs ?? 30_000,
    pollIntervalMs: options.pollIntervalMs ?? 1_000,
    drainMs: options.drainMs ?? 20_000,
    graceMs: options.graceMs ?? 5_000,
    signals: options.signals ?? ["SIGTERM", "SIGINT"],
    name,
    schema: options.schema ?? "floxy",
    payloadLimit: options.payloadLimit,
    listenConnectionString: options.listenConnectionString ?? options.connectionString,
    prepare: options.prepare ?? true,
    logger: safely(options.logger ?? consoleLogger),
    workerId: `${name.slice(0, 60)}-${process.pid}-${newId().slice(-8)}`,
  };
};
