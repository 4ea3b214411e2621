/** The worker: what a service embeds to run its own handlers. */
import {
  createGraphCache,
  createNotifier,
  type Database,
  FloxyError,
  type Hints,
  type Listener,
  type Notifier,
  openDatabase,
  openListener,
  parseNotification,
  publishHints,
  type ResolvedStep,
  assertMigrated,
} from "@floxy/shared";
import pLimit from "p-limit";
import { Attempt } from "./attempt.ts";
import { createBackoff } from "./backoff.ts";
import { Claimer } from "./claimer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { type ResolvedWorkerOptions, resolveOptions, type WorkerOptions } from "./options.ts";
import { Running } from "./running.ts";
import { Settler } from "./settler.ts";

/** How a worker is doing. */
export interface WorkerHealth {
  readonly workerId: string;
  /** How many handlers run. */
  readonly running: number;
  /** How many more could. */
  readonly free: number;
  /** How long ago the queue was last looked at successfully, in milliseconds: the one figure that shows a dead worker. */
  readonly lastLookAgeMs: number;
  /** Whether notifications arrive; polling goes on either way. */
  readonly listening: boolean;
}

/**
 * Leases steps whose handlers it has, runs them, and settles their results. Make one for each service, call
 * {@link Worker.start}, and {@link Worker.stop} at the end; SIGTERM and SIGINT do the latter by themselves.
 */
export class Worker {
  readonly #options: ResolvedWorkerOptions;
  readonly #db: Database;
  readonly #notifier: Notifier;
  readonly #listener: Listener | undefined;
  readonly #running: Running;
  readonly #claimer: Claimer;
  readonly #settler: Settler;
  readonly #keeper: LeaseKeeper;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #onSignal = (signal: NodeJS.Signals): void => void this.#stopOn(signal);
  #stopped: Promise<void> | undefined;

  /** Throws `OPTION_INVALID` for options that cannot be. Nothing is connected before {@link Worker.start}. */
  constructor(options: WorkerOptions) {
    const resolved = resolveOptions(options);
    const { connectionString, schema, prepare, handlers, concurrency, leaseMs, workerId, logger } = resolved;
    const warn = (error: unknown): void => logger.warn({ error }, "a connection failed in the background");
    this.#options = resolved;
    this.#db = openDatabase({ connectionString, schema, prepare, applicationName: `floxy worker ${workerId}`, onError: warn });
    this.#notifier = createNotifier({ db: this.#db, onError: warn });
    this.#listener = this.#openListener();
    this.#running = new Running(handlers, concurrency);
    this.#limit = pLimit(this.#running.limit);
    const db = this.#db;
    this.#settler = new Settler({ db, workerId, logger, backoff: createBackoff(), onHints: (hints) => this.#publish(hints) });
    this.#keeper = new LeaseKeeper({ db, running: this.#running, leaseMs, logger });
    this.#claimer = new Claimer({
      ...resolved,
      db,
      graphs: createGraphCache(),
      running: this.#running,
      backoff: createBackoff(),
      onLeased: (steps, leaseUntil) => {
        for (const step of steps) this.#accept(step, leaseUntil);
      },
    });
  }

  /** The id under which this worker's leases stand in the database. */
  get workerId(): string {
    return this.#options.workerId;
  }

  /**
   * Begins to work. Resolves when the database was reached and its schema fits; throws `SCHEMA_OUTDATED` if it must be
   * migrated, `DATABASE_UNAVAILABLE` if it cannot be reached now. Later losses are survived.
   */
  async start(): Promise<void> {
    await assertMigrated(this.#db);
    for (const signal of this.#options.signals || []) process.on(signal, this.#onSignal);
    this.#listener?.start();
    this.#keeper.start();
    this.#claimer.start();
  }

  /** How the worker is doing. */
  health(): WorkerHealth {
    return {
      workerId: this.workerId,
      running: this.#running.attempts.size,
      free: this.#running.free,
      lastLookAgeMs: Math.round(performance.now() - this.#claimer.lastLookAt),
      listening: this.#listener?.connected ?? false,
    };
  }

  /**
   * Drains: claims nothing more, lets running handlers finish for `drainMs`, then aborts them and waits for `graceMs`.
   * What has not ended by then is given back at once, so that nobody waits for its lease to expire.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#drain();
    return this.#stopped;
  }

  async #drain(): Promise<void> {
    const { drainMs, graceMs, signals } = this.#options;
    await this.#claimer.stop();
    await within(drainMs, this.#running.empty());
    const shutdown = new FloxyError("SHUTDOWN", "the worker is shutting down");
    for (const attempt of this.#running.attempts) attempt.abort(shutdown);
    await within(graceMs, this.#running.empty());
    for (const attempt of this.#running.attempts) attempt.giveUp(shutdown);
    if (!(await within(graceMs, this.#written()))) this.#settler.giveUp();
    await this.#written();
    await this.#keeper.stop();
    await this.#listener?.close();
    await this.#notifier.close();
    await this.#db.close();
    for (const signal of signals || []) process.off(signal, this.#onSignal);
  }

  // Attempts that were just given up reach the settler a moment later, so it alone could not tell that all is written.
  async #written(): Promise<void> {
    await Promise.all([...this.#running.attempts].map(({ settlement }) => settlement));
    await this.#settler.flushed();
  }

  async #stopOn(signal: NodeJS.Signals): Promise<void> {
    await this.stop();
    // Our listener has kept the signal from ending the process. If nobody else handles it, it does so now.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  }

  #accept(step: ResolvedStep, leaseUntil: number): void {
    const handler = this.#options.handlers.get(step.leased.handler);
    if (handler === undefined) return;
    if (this.#stopped !== undefined) {
      // Leased while the worker began to stop: given back before the handler was called, so the attempt does not count.
      void this.#settler.settle({ ...step.leased, graph: step.graph, result: { kind: "released" } });
      return;
    }
    const attempt = new Attempt(step, handler, this.#options, leaseUntil);
    this.#running.add(attempt);
    void this.#limit(() => this.#run(attempt));
  }

  async #run(attempt: Attempt): Promise<void> {
    const { leased, graph } = attempt.step;
    attempt.settlement = attempt.run().then((result) => this.#settler.settle({ ...leased, graph, result }));
    const settled = await attempt.settlement;
    attempt.settled = true;
    if (settled === "lost") {
      const { instanceId, node: step, attempt: number } = leased;
      this.#options.logger.warn({ instanceId, step, attempt: number }, "the lease was lost; the result was refused");
    }
    // A handler that goes on after its time was up still uses the service: its slot is not given away.
    await attempt.ended();
    this.#running.remove(attempt);
    this.#claimer.slotFreed();
  }

  #publish(hints: Hints): void {
    publishHints(this.#notifier, hints);
    for (const handler of hints.ready) if (this.#options.handlers.has(handler)) return this.#claimer.workArrived();
  }

  #openListener(): Listener | undefined {
    const { listenConnectionString, schema, handlers, logger } = this.#options;
    if (listenConnectionString === false) return undefined;
    return openListener({
      connectionString: listenConnectionString,
      schema,
      channels: ["ready", "abort"],
      onNotification: (channel, payload) => {
        const items = parseNotification(payload);
        if (channel === "abort") this.#keeper.check();
        else if (items.some((item) => item === "*" || handlers.has(item))) this.#claimer.workArrived();
      },
      onResync: () => {
        this.#claimer.workArrived();
        this.#keeper.check();
      },
      onState: (connected) => {
        if (!connected) logger.warn("notifications do not arrive; polling goes on");
      },
    });
  }
}

/** Waits for a promise, but not longer than `ms`; says whether it came in time. */
const within = async (ms: number, promise: Promise<void>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
};
