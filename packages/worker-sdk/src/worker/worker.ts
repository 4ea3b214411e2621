/** The worker: what a service embeds to run its own handlers. */
import type {
  AttemptResult,
  Database,
  Graph,
  Hints,
  LeasedStep,
  Listener,
  Notifier,
  ResolvedStep,
  TransactionPool,
} from "@floxy/shared";
import {
  assertMigrated,
  createGraphCache,
  createNotifier,
  FloxyError,
  openDatabase,
  openTransactionPool,
  publishHints,
} from "@floxy/shared";
import type { AttemptEnvironment } from "./attempt.ts";
import { Attempt } from "./attempt.ts";
import { Claimer } from "./claimer.ts";
import { drain } from "./drain.ts";
import type { WorkerHealth } from "./health.ts";
import { Horizon } from "./horizon.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { listenFor } from "./listening.ts";
import type { ResolvedWorkerOptions, WorkerOptions } from "./options.ts";
import { stopOnSignals } from "./process-signals.ts";
import { resolveOptions } from "./resolve-options.ts";
import type { Resolved, ReturnedStep } from "./resolver.ts";
import { released, resolveLeased } from "./resolver.ts";
import { Running } from "./running.ts";
import type { SettledAttempt } from "./settler.ts";
import { Settler } from "./settler.ts";
import { Transactions } from "./transactions.ts";

const settledOf = (leased: LeasedStep, graph: Graph, result: AttemptResult): SettledAttempt => {
  const { instanceId, node, token, lane, attempt, handler } = leased;
  return { instanceId, node, token, lane, attempt, handler, graph, result, leased };
};

/**
 * Leases steps whose handlers it has, runs them, and settles their results. Make one for each service, call
 * {@link Worker.start}, and {@link Worker.stop} at the end; SIGTERM and SIGINT do the latter by themselves.
 */
export class Worker {
  readonly #options: ResolvedWorkerOptions;
  readonly #db: Database;
  /** Extensions have a connection of their own: they must not wait behind a claim that hangs. */
  readonly #leaseDb: Database;
  readonly #notifier: Notifier;
  readonly #listener: Listener | undefined;
  readonly #running: Running;
  readonly #claimer: Claimer;
  readonly #settler: Settler;
  /** Only with transactional handlers. They have connections of their own, because they keep them for long. */
  readonly #transactionPool: TransactionPool | undefined;
  readonly #transactions: Transactions | undefined;
  readonly #keeper: LeaseKeeper;
  readonly #environment: AttemptEnvironment;
  #forgetSignals: (() => void) | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Throws `OPTION_INVALID`, `NAME_INVALID` or `CONFIGURATION_INVALID` for options that cannot be. Nothing is connected
   * before {@link Worker.start}.
   */
  constructor(options: WorkerOptions) {
    const resolved = resolveOptions(options);
    const { connectionString, schema, prepare, handlers, leaseMs, workerId, logger } = resolved;
    const { random } = Math;
    const onError = (error: unknown): void => logger.warn({ error }, "a connection failed in the background");
    const common = { connectionString, schema, prepare, applicationName: `floxy worker ${workerId}`, onError };
    const db = openDatabase(common);
    // One that gets no answer is tried again on a new connection while there is time.
    const patienceMs = Math.min(5_000, Math.max(200, Math.ceil(leaseMs / 3)));
    const leaseDb = openDatabase({
      ...common,
      maxConnections: 1,
      connectionTimeoutMs: patienceMs,
      queryTimeoutMs: patienceMs,
    });
    this.#options = resolved;
    this.#db = db;
    this.#leaseDb = leaseDb;
    this.#notifier = createNotifier({ db, onError });
    this.#running = new Running(handlers, resolved.concurrency, resolved.transactionalConcurrency);
    const onHints = (hints: Hints): void => this.#publish(hints);
    const graphs = createGraphCache();
    const horizon = new Horizon();
    const resolver = { db, graphs, logger, random };
    const onResolved = ({ steps, returned }: Resolved, leaseUntil: number): void => {
      for (const step of steps) this.#accept(step, leaseUntil);
      for (const step of returned) this.#return(step);
    };
    this.#settler = new Settler({
      db,
      workerId,
      logger,
      random,
      onHints,
      leaseMs,
      wishes: (settled) => (this.#stopped === undefined ? this.#running.wishes(settled, horizon) : undefined),
      onTaken: async (leased, leaseUntil) =>
        onResolved(await resolveLeased(resolver, leased, { leaseUntil, signal: this.#claimer.stopping }), leaseUntil),
    });
    const maxConnections = this.#running.transactionalLimit;
    if (maxConnections > 0) {
      const pool = openTransactionPool({ ...common, maxConnections }, db);
      this.#transactionPool = pool;
      this.#transactions = new Transactions({ pool, workerId, logger, random, onHints });
    }
    this.#environment = { logger, payloadLimit: resolved.payloadLimit, transactions: this.#transactions };
    this.#keeper = new LeaseKeeper({ db: leaseDb, running: this.#running, leaseMs, logger });
    this.#claimer = new Claimer({
      ...resolved,
      db,
      random,
      graphs,
      horizon,
      isListening: () => this.#listener?.connected ?? false,
      running: this.#running,
      onLeased: onResolved,
    });
    this.#listener = listenFor({
      options: resolved,
      onWork: () => this.#claimer.workArrived(),
      onAbort: (instanceIds) => {
        if (instanceIds === undefined || this.#runsAnyOf(instanceIds)) this.#keeper.check();
      },
    });
  }

  /** The id under which this worker's leases stand in the database. */
  get workerId(): string {
    return this.#options.workerId;
  }

  /**
   * Begins to work. Resolves when the database was reached and its schema fits; throws `SCHEMA_OUTDATED` if it must be
   * migrated, `DATABASE_UNAVAILABLE` if it cannot be reached now, `SHUTDOWN` once stopped. A worker that could not start
   * is stopped; make another to try again. Later losses of the database are survived.
   */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
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
   * What has not ended by then is given back at once, so that nobody waits for its lease to expire. Never rejects.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    try {
      if (this.#stopped !== undefined) throw new FloxyError("SHUTDOWN", "the worker was stopped; make a new one");
      await assertMigrated(this.#db);
      if (this.#stopped !== undefined) throw new FloxyError("SHUTDOWN", "the worker was stopped while it started");
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#forgetSignals = stopOnSignals(this.#options.signals || [], () => this.stop());
    this.#listener?.start();
    this.#keeper.start();
    this.#claimer.start();
  }

  async #stop(): Promise<void> {
    await drain({
      options: this.#options,
      running: this.#running,
      claimer: this.#claimer,
      settler: this.#settler,
      keeper: this.#keeper,
      listener: this.#listener,
      notifier: this.#notifier,
      transactions: this.#transactions,
      databases: [this.#db, this.#leaseDb, ...(this.#transactionPool === undefined ? [] : [this.#transactionPool])],
    });
    this.#forgetSignals?.();
  }

  #accept(step: ResolvedStep, leaseUntil: number): void {
    const handler = this.#options.handlers.get(step.leased.handler);
    if (handler === undefined || this.#stopped !== undefined) {
      // Leased while the worker began to stop: given back before the handler was called, so the attempt does not count.
      this.#return(released(step.leased));
      return;
    }
    const attempt = new Attempt(step, handler, this.#environment, leaseUntil);
    this.#running.add(attempt);
    void this.#run(attempt);
  }

  #return({ leased, graph, result }: ReturnedStep): void {
    void this.#settler.settle(settledOf(leased, graph, result));
  }

  // Never rejects, as none of what it calls does.
  async #run(attempt: Attempt): Promise<void> {
    const result = await attempt.run();
    const { leased, graph } = attempt.step;
    const settled = settledOf(leased, graph, result);
    const left =
      attempt.transaction === undefined ? settled : await this.#transactions?.end(attempt.transaction, settled);
    if (left !== undefined) await this.#settler.settle(left);
    this.#running.settle(attempt);
    // A handler that goes on after its time was up still uses the service: its slot is not given away.
    if (attempt.isUnderWay) await attempt.ended();
    this.#running.remove(attempt);
    this.#claimer.slotFreed();
  }

  #runsAnyOf(instanceIds: ReadonlySet<string>): boolean {
    return [...this.#running.attempts].some(({ leased }) => instanceIds.has(leased.instanceId));
  }

  #publish(hints: Hints): void {
    publishHints(this.#notifier, hints);
    if ([...hints.ready].some((handler) => this.#options.handlers.has(handler))) this.#claimer.workArrived();
  }
}
