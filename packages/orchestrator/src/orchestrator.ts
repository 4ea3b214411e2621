/** The orchestrator: handles what belongs to no single worker. Stateless; run as many as you like on one database. */
import { hostname } from "node:os";
import type { Database, Hints, Notifier, Reconciled } from "@floxy/shared";
import { createNotifier, FloxyError, isTransient, newId, openDatabase, publishHints } from "@floxy/shared";
import type { HistoryReport } from "./duty/history-duty.ts";
import type { Health, Phase, Readiness } from "./health.ts";
import { healthOf, readinessOf } from "./health.ts";
import type { HttpServer } from "./http/server.ts";
import { openHttpServer } from "./http/server.ts";
import { errorField, silentLogger } from "./log.ts";
import { createHistoryMetrics } from "./metrics/history-metrics.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { createQueueMetrics } from "./metrics/queue-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createMetricFactory } from "./metrics/registry.ts";
import type { Inlet } from "./notifications.ts";
import { createInlet } from "./notifications.ts";
import type { OrchestratorOptions } from "./options.ts";
import { defaults } from "./options.ts";
import { createPatience } from "./patience.ts";
import { prepareSchema } from "./schema.ts";
import type { Clock } from "./service/clock.ts";
import { systemClock } from "./service/clock.ts";
import type { TickReport } from "./service/service.ts";
import type { Services } from "./services.ts";
import { createServices } from "./services.ts";
import { whenReached } from "./startup.ts";
import { version } from "./version.ts";

/** A background process beside the workers: joins, rollbacks, due retries and delays, lost leases. */
export interface Orchestrator {
  readonly orchestratorId: string;
  /** Its metrics; add your own if you embed it. */
  readonly registry: Registry;
  /** Where it answers HTTP; `null` before it started, or without HTTP. */
  readonly url: string | null;
  /**
   * Answers HTTP, waits until the database can be reached, checks or migrates the schema, and starts the services.
   * Throws `SCHEMA_OUTDATED`, `CONFIGURATION_INVALID`, or `SHUTDOWN` if it is stopped meanwhile. Once only.
   */
  start(): Promise<void>;
  /** Waits for what is running, within limits, and closes everything. May be called at any time, and again. */
  stop(): Promise<void>;
  /** How the services are doing; what `/healthz` answers. */
  health(): Health;
  /** Whether it can do its work now; what `/readyz` answers. */
  readiness(): Readiness;
}

/** Makes an orchestrator; nothing is connected before it starts. */
export const createOrchestrator = (options: OrchestratorOptions): Orchestrator => new Sidecar(options);

class Sidecar implements Orchestrator {
  readonly orchestratorId: string;
  readonly registry: Registry;
  readonly #options: OrchestratorOptions;
  readonly #log;
  readonly #clock: Clock;
  readonly #random;
  readonly #patience;
  readonly #metrics;
  readonly #historyMetrics;
  readonly #db: Database;
  readonly #notifier: Notifier;
  readonly #inlet: Inlet;
  readonly #services: Services;
  readonly #stopping = new AbortController();
  #phase: Phase = "idle";
  #http: HttpServer | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: OrchestratorOptions) {
    const { connectionString, schema = "floxy", listenConnectionString = connectionString } = options;
    this.#options = options;
    this.orchestratorId = options.orchestratorId ?? `orchestrator:${hostname()}:${process.pid}:${newId().slice(-6)}`;
    this.#log = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#patience = createPatience(options.drainTimeoutMs ?? defaults.drainTimeoutMs, this.#clock, this.#log);
    const factory = createMetricFactory({ processMetrics: options.processMetrics ?? true });
    this.registry = factory.registry;
    this.#metrics = createMetrics(factory, {
      version,
      states: () => this.#states(),
      listener: () => this.#inlet.state(),
    });
    this.#db = openDatabase({
      connectionString,
      schema,
      prepare: options.prepare,
      maxConnections: options.poolSize ?? defaults.poolSize,
      applicationName: `floxy ${this.orchestratorId}`.slice(0, 63),
      onError: (error) => this.#onConnectionError(error),
    });
    this.#historyMetrics = createHistoryMetrics(factory);
    this.#notifier = createNotifier({ db: this.#db, onError: (error) => this.#onConnectionError(error) });
    this.#inlet = createInlet({
      connectionString: listenConnectionString,
      schema,
      log: this.#log,
      services: () => this.#services,
      onNotification: (channel) => this.#metrics.notified(channel),
      onError: (error) => this.#onConnectionError(error),
    });
    this.#services = createServices({
      db: this.#db,
      clock: this.#clock,
      random: this.#random,
      orchestratorId: this.orchestratorId,
      pollIntervalMs: options.pollIntervalMs ?? defaults.pollIntervalMs,
      reviewBatch: options.reviewBatch ?? defaults.reviewBatch,
      sampleIntervalMs: options.sampleIntervalMs ?? defaults.sampleIntervalMs,
      reconcileIntervalMs: options.reconcileIntervalMs ?? defaults.reconcileIntervalMs,
      historyIntervalMs: options.historyIntervalMs ?? defaults.historyIntervalMs,
      listening: () => this.#inlet.state() === "connected",
      publish: (hints) => this.#publish(hints),
      onTick: (report) => this.#onTick(report),
      onPostponed: (instanceId, error) => {
        this.#metrics.postponed();
        const fields = { instanceId, error: errorField(error) };
        this.#log.error(fields, "an instance could not be reviewed; trying again later");
      },
      onNotTakenOver: (instanceId, error) => {
        const fields = { instanceId, error: errorField(error) };
        this.#log.error(fields, "an expired lease could not be taken over; trying again later");
      },
      onSample: createQueueMetrics(factory),
      onReconciled: (found) => this.#onReconciled(found),
      onHistory: (report) => this.#onHistory(report),
    });
  }

  get url(): string | null {
    return this.#http?.url ?? null;
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  health(): Health {
    return healthOf(this.#phase, this.#states(), this.#options.staleAfterMs ?? defaults.staleAfterMs);
  }

  readiness(): Readiness {
    return readinessOf(this.#phase, this.#states(), this.#inlet.state());
  }

  async #start(): Promise<void> {
    if (this.#stopped !== undefined) throw new FloxyError("SHUTDOWN", "the orchestrator was stopped; make a new one");
    this.#phase = "starting";
    try {
      await this.#listen();
      await whenReached(() => prepareSchema(this.#db, this.#options, this.#log), {
        clock: this.#clock,
        random: this.#random,
        log: this.#log,
        signal: this.#stopping.signal,
        onError: (error) => this.#metrics.databaseError(error),
      });
    } catch (error) {
      if (this.#stopped === undefined) await this.#close();
      throw error;
    }
    if (this.#stopping.signal.aborted)
      throw new FloxyError("SHUTDOWN", "the orchestrator was stopped while it started");
    this.#inlet.start();
    for (const service of Object.values(this.#services)) service.start();
    this.#phase = "running";
    this.#log.info({ orchestratorId: this.orchestratorId, version, url: this.url }, "the orchestrator runs");
  }

  async #listen(): Promise<void> {
    const { http = false } = this.#options;
    if (http === false) return;
    const { host = defaults.httpHost, port = defaults.httpPort } = http;
    this.#http = await openHttpServer(
      { registry: this.registry, health: () => this.health(), readiness: () => this.readiness(), log: this.#log },
      { host, port },
    );
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    // Whoever started it learns of a failure; here it only has to be over.
    const started = this.#started?.catch(() => {});
    await this.#patience("it is still starting", started);
    if (this.#phase === "running") this.#log.info({}, "stopping: waiting for what is running");
    this.#phase = "stopping";
    await this.#close();
    this.#log.info({}, "stopped");
  }

  async #close(): Promise<void> {
    const drained = Promise.all(Object.values(this.#services).map((service) => service.stop()));
    await this.#patience("services still run", drained);
    // In this order: services publish, the notifier uses the database, and metrics are scraped to the end.
    const closed = this.#inlet
      .close()
      .then(() => this.#notifier.close())
      .then(() => this.#db.close());
    await this.#patience("connections are still open", closed);
    await this.#http?.close();
    this.#phase = "stopped";
  }

  #states() {
    return Object.values(this.#services).map((service) => service.state());
  }

  #publish(hints: Hints): void {
    this.#metrics.published(hints);
    // Our own services need no notification, and without a listener they would get none.
    if (hints.review) this.#services.review.wake();
    if (hints.delayed) this.#services.timer.wake();
    publishHints(this.#notifier, hints);
  }

  #onTick(report: TickReport): void {
    this.#metrics.tick(report);
    const { service, result } = report;
    if ("error" in result) {
      const fields = { service, failures: result.failures, error: errorField(result.error) };
      // What passes by itself is not for the person who is woken by errors; /healthz tells when it does not pass.
      if (isTransient(result.error)) this.#log.warn(fields, "a tick failed; trying again");
      else this.#log.error(fields, "a tick failed for a reason that may not pass by itself; trying again");
    } else if (result.handled > 0) {
      this.#log.debug({ service, handled: result.handled, woken: report.woken }, "a tick found work");
    }
  }

  #onReconciled(found: Reconciled): void {
    this.#metrics.reconciled(found);
    const { stuck, stuckCount: _, ...repaired } = found;
    if (Object.values(repaired).some((count) => count > 0))
      this.#log.warn(repaired, "the reconciler put back what was lost");
    if (stuck.length === 0) return;
    const fields = { count: stuck.length, instanceIds: stuck.slice(0, 10) };
    this.#log.error(fields, "nothing moves these instances, and a look at them has not helped; cancel or abort them");
  }

  #onHistory(report: HistoryReport): void {
    this.#historyMetrics(report);
    const { kept, pruned } = report;
    if (pruned.partitions > 0 || kept.created > 0) {
      const fields = { made: kept.created, dropped: pruned.partitions, instances: pruned.instances };
      this.#log.info(fields, "partitions of history were made or dropped");
    }
    if (kept.blocked !== "scattered") return;
    const help =
      "the default partitions of history hold too much to be moved, and not of one span; see docs/history.md";
    this.#log.error({ defaultRows: report.state.defaultRows }, help);
  }

  #onConnectionError(error: unknown): void {
    this.#metrics.databaseError(error);
    this.#log.warn({ error: errorField(error) }, "a connection failed in the background");
  }
}
