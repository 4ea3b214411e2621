/** What a worker can be told, with its defaults. */
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
  /**
   * How many transactional handlers run at the same time: each holds a connection to the database. Default 5, or
   * `concurrency` if that is less. Transactional compensations have a tenth more, at least one, to themselves.
   */
  readonly transactionalConcurrency?: number | undefined;
  /** How long a lease lasts unless it is extended, in milliseconds: how long others wait for a worker that died. Default 30,000. */
  readonly leaseMs?: number | undefined;
  /**
   * How long the queue is not looked at when there was no work, and nobody says that there is, in milliseconds; up to a
   * fifth more is added at random, and it is twice as long while notifications arrive. Default 1,000.
   */
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
