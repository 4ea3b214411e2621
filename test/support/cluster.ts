/** Clusters: services with their workers, orchestrators and a client, on a database of their own. */
import type { Orchestrator, OrchestratorOptions } from "@floxy/orchestrator";
import { createOrchestrator } from "@floxy/orchestrator";
import type { EventRow, InstanceView } from "@floxy/shared";
import type {
  AnyHandlerImplementation,
  InstanceHandle,
  StartOptions,
  WorkerOptions,
  Workflow,
  WorkflowInput,
} from "@floxy/worker-sdk";
import { FloxyClient, Worker } from "@floxy/worker-sdk";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import { createTestDatabase } from "./database.ts";
import { eventually } from "./eventually.ts";
import { assertInvariants } from "./invariants.ts";
import type { LogBook } from "./log-book.ts";
import { createLogBook } from "./log-book.ts";
import type { TestStep } from "./recorder.ts";

/** What a service is made of: steps with their handlers, or handlers. */
export type Part = Pick<TestStep, "implementations"> | AnyHandlerImplementation;

/** How to start a {@link Cluster}. */
export interface ClusterOptions {
  /** The handlers of each service, by its name. */
  readonly services?: Readonly<Record<string, readonly Part[]>>;
  /** How many orchestrators; one unless told. */
  readonly orchestrators?: number;
  /** Options of all workers. */
  readonly worker?: Partial<WorkerOptions>;
  /** Options of all orchestrators. */
  readonly orchestrator?: Partial<OrchestratorOptions>;
  /** Whether anybody listens to notifications; `true` unless told. */
  readonly listen?: boolean;
  /** Whether the invariants are checked when the test is over; `true` unless told. */
  readonly invariants?: boolean;
}

/** How long an instance may take to end, in milliseconds. */
const runDeadlineMs = 20_000;

const workerDefaults = { leaseMs: 2_000, pollIntervalMs: 200, drainMs: 2_000, graceMs: 200 } as const;

/** Services that share a database. */
export class Cluster {
  readonly url: string;
  readonly client: FloxyClient;
  readonly log: LogBook = createLogBook();
  /** The handlers of each worker that there ever was, by its id. */
  readonly handlersOf = new Map<string, ReadonlySet<string>>();
  readonly workers = new Map<string, Worker>();
  readonly orchestrators: Orchestrator[] = [];
  readonly #options: ClusterOptions;
  readonly #pool: pg.Pool;
  readonly #drop: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(options: ClusterOptions, url: string, drop: () => Promise<void>) {
    this.url = url;
    this.#options = options;
    this.#drop = drop;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 2,
      application_name: "test",
      options: "-c search_path=floxy,public",
    });
    this.#pool.on("error", () => {});
    this.client = new FloxyClient({ connectionString: url, ...this.#listening(url), logger: this.log });
  }

  /** Starts a worker of a service. */
  async addWorker(name: string, parts: readonly Part[], options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const handlers = parts.flatMap((part) => ("implementations" in part ? part.implementations : [part]));
    const connectionString = options.connectionString ?? this.url;
    const worker = new Worker({
      ...workerDefaults,
      ...this.#listening(connectionString),
      logger: this.log,
      ...this.#options.worker,
      ...options,
      connectionString,
      handlers,
      name,
      signals: false,
    });
    this.workers.set(name, worker);
    this.handlersOf.set(worker.workerId, new Set(handlers.map((handler) => handler.name)));
    await worker.start();
    return worker;
  }

  /** Starts an orchestrator. */
  async addOrchestrator(options: Partial<OrchestratorOptions> = {}): Promise<Orchestrator> {
    const connectionString = options.connectionString ?? this.url;
    const orchestrator = createOrchestrator({
      pollIntervalMs: 100,
      http: false,
      processMetrics: false,
      logger: this.log,
      ...this.#listening(connectionString),
      ...this.#options.orchestrator,
      ...options,
      connectionString,
    });
    this.orchestrators.push(orchestrator);
    await orchestrator.start();
    return orchestrator;
  }

  /** The worker of a service. */
  worker(name: string): Worker {
    const worker = this.workers.get(name);
    if (worker === undefined) throw new Error(`there is no worker '${name}'`);
    return worker;
  }

  /** Starts an instance. */
  start<W extends Workflow>(
    workflow: W,
    input: WorkflowInput<W>,
    options?: StartOptions,
  ): Promise<InstanceHandle<unknown>> {
    return this.client.start(workflow, input, options);
  }

  /** Starts an instance and waits for its end. */
  async run<W extends Workflow>(workflow: W, input: WorkflowInput<W>, options?: StartOptions): Promise<InstanceView> {
    const { instanceId } = await this.start(workflow, input, options);
    return this.ended(instanceId);
  }

  /** Waits for the end of an instance; when it does not end, the error tells its history. */
  async ended(instanceId: string): Promise<InstanceView> {
    try {
      await this.client.waitForEnd(instanceId, { timeoutMs: runDeadlineMs });
    } catch (error) {
      throw new Error(`${String(error)}\n${await this.story(instanceId)}`, { cause: error });
    }
    return this.client.get(instanceId);
  }

  /** The events of an instance, in order. */
  async events(instanceId: string): Promise<readonly EventRow[]> {
    return this.client.events(instanceId, { limit: 1_000 });
  }

  /** The events of an instance as text, for messages. */
  async story(instanceId: string): Promise<string> {
    const events = await this.events(instanceId);
    const lines = events.map(({ eventId, type, node, attempt, workerId, data }) =>
      [eventId, type, node, attempt, workerId, data && JSON.stringify(data)].filter((part) => part !== null).join(" "),
    );
    return [...lines, ...this.log.lines.slice(-20)].join("\n");
  }

  /** Runs SQL; `floxy` is on the search path. */
  async sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await this.#pool.query(text, [...values]);
    return rows as Row[];
  }

  /** A client of `pg` for transactions of the test. */
  async connect(): Promise<pg.PoolClient> {
    return this.#pool.connect();
  }

  /** Whether an orchestrator still looks at notes. */
  get isOrchestrated(): boolean {
    return this.orchestrators.some((orchestrator) => orchestrator.readiness().phase === "running");
  }

  /** Checks the invariants, once what is superfluous has been looked at. */
  async check(): Promise<void> {
    await assertInvariants(this);
  }

  /** Stops everything and drops the database. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const all = [...this.workers.values(), ...this.orchestrators].map((one) => one.stop());
    await Promise.all([...all, this.client.close()]);
    await this.#pool.end();
    await this.#drop();
  }

  #listening(url: string): { readonly listenConnectionString: string | false } {
    return { listenConnectionString: this.#options.listen === false ? false : url };
  }
}

/** Starts a cluster; it is checked and stopped when the test is over. */
export const startCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const database = await createTestDatabase(inject("databaseUrl"));
  const cluster = new Cluster(options, database.url, () => database.drop());
  onTestFinished(async ({ task }) => {
    try {
      // A test that failed has said why; what it left behind is no second failure.
      if (options.invariants !== false && task.result?.state !== "fail") await cluster.check();
    } finally {
      await cluster.stop();
    }
  }, 30_000);
  await cluster.client.migrate();
  const { services = {}, orchestrators = 1 } = options;
  await Promise.all([
    ...Array.from({ length: orchestrators }, () => cluster.addOrchestrator({ migrate: false })),
    ...Object.entries(services).map(([name, parts]) => cluster.addWorker(name, parts)),
  ]);
  return cluster;
};

/** The status of each step of an instance, by its name. */
export const statusesOf = (view: InstanceView): Record<string, string> =>
  Object.fromEntries(view.steps.map(({ step, status }) => [step, status]));

/** The view of a step. */
export const stepOf = (view: InstanceView, name: string): InstanceView["steps"][number] => {
  const step = view.steps.find((one) => one.step === name);
  if (step === undefined) throw new Error(`the instance has no step '${name}'`);
  return step;
};

/** Waits until an instance has a status, and gives its view. */
export const untilStatus = (cluster: Cluster, instanceId: string, status: string): Promise<InstanceView> =>
  eventually(async () => {
    const view = await cluster.client.get(instanceId);
    return view.status === status ? view : undefined;
  });

/** Waits until an instance has an event of this type, of this node if told. */
export const untilEvent = (
  cluster: Cluster,
  instanceId: string,
  type: EventRow["type"],
  node?: string,
): Promise<EventRow> =>
  eventually(async () => {
    const events = await cluster.events(instanceId);
    return events.find((event) => event.type === type && (node === undefined || event.node === node));
  });
