/** The client: what a service uses to start instances, to see what becomes of them, and to step in. */
import type {
  Database,
  DefinitionDiff,
  DefinitionJson,
  DoctorReport,
  EventRow,
  ForeignClient,
  GraphCache,
  InstanceSummary,
  InstanceView,
  ListedDefinition,
  Notifier,
  PreparedStart,
  Started,
} from "@floxy/shared";
import {
  createGraphCache,
  createNotifier,
  executorOf,
  FloxyError,
  insertStarts,
  latestVersion,
  migrate,
  noHints,
  openDatabase,
  prepareStart,
  publishHints,
  publishHintsWithin,
  viewInstance,
} from "@floxy/shared";
import type { Batcher } from "../calls/batcher.ts";
import { createBatcher } from "../calls/batcher.ts";
import type { Workflow, WorkflowInput, WorkflowOutput } from "../workflow/built.ts";
import type { Acting } from "./acting.ts";
import { createActing } from "./acting.ts";
import type { DefinitionsOptions, RegisteredDefinition } from "./definitions.ts";
import { compareDefinitions, readDefinition, readDefinitions } from "./definitions.ts";
import type { ClientDoctorOptions } from "./doctor.ts";
import { examineDatabase } from "./doctor.ts";
import { EndListener } from "./end-listener.ts";
import { EndWatcher } from "./end-watcher.ts";
import type { InstanceHandle } from "./handle.ts";
import { makeHandle } from "./handle.ts";
import type { EventsOptions, FollowOptions } from "./history.ts";
import { followEvents, readEvents } from "./history.ts";
import type { InstancePage, ListOptions } from "./list.ts";
import { listPage } from "./list.ts";
import type { ClientOptions, ResolvedClientOptions } from "./options.ts";
import { resolveClientOptions } from "./options.ts";
import type { Registrable, Registrar } from "./registrar.ts";
import { createRegistrar, isWorkflow } from "./registrar.ts";
import { RetentionOperator } from "./retention.ts";
import type { StartOptions } from "./start.ts";
import { assertTransaction, assertVersionOf, requestOf } from "./start.ts";
import type { StartedMany, StartItem, StartItems, StartManyOptions } from "./start-many.ts";
import { assertItems, startMany } from "./start-many.ts";
import type { Starter } from "./starter.ts";
import { createStarter } from "./starter.ts";
import type { WaitForEnd, WaitOptions } from "./waiting.ts";
import { createWaiting } from "./waiting.ts";

/**
 * Registers definitions, starts instances, looks at them, and steps in. Make one for each process and database, and
 * {@link FloxyClient.close} it at the end. It connects when it is first used.
 *
 * All methods throw `DATABASE_UNAVAILABLE` when the database cannot be reached, `SCHEMA_OUTDATED` when Floxy's tables
 * are missing, and `SHUTDOWN` once closed.
 */
export class FloxyClient extends RetentionOperator {
  readonly #options: ResolvedClientOptions;
  readonly #db: Database;
  readonly #notifier: Notifier;
  readonly #listener: EndListener;
  readonly #watcher: EndWatcher;
  readonly #waitForEnd: WaitForEnd;
  readonly #graphs: GraphCache;
  readonly #acting: Acting;
  readonly #registrar: Registrar;
  readonly #starter: Starter;
  readonly #versions: Batcher<string, number>;
  #closing: Promise<void> | undefined;

  /** Throws `OPTION_INVALID` or `CONFIGURATION_INVALID` for options that cannot be. */
  constructor(options: ClientOptions) {
    const resolved = resolveClientOptions(options);
    const { logger, startTimeoutMs, payloadLimit } = resolved;
    const onError = (error: unknown): void => logger.warn({ error }, "a connection failed in the background");
    const onRetry = (error: unknown): void => logger.warn({ error }, "the database did not answer; trying again");
    const { random } = Math;
    const db = openDatabase({ ...resolved, applicationName: "floxy client", onError });
    const graphs = createGraphCache();
    const notifier = createNotifier({ db, onError });
    const onHints = (hints: ReturnType<typeof noHints>): void => publishHints(notifier, hints);
    const common = { db, random, onHints, onRetry };
    const acting = createActing({ ...common, graphs, payloadLimit, timeoutMs: resolved.actTimeoutMs });
    super(acting);
    this.#options = resolved;
    this.#db = db;
    this.#graphs = graphs;
    this.#acting = acting;
    this.#notifier = notifier;
    this.#watcher = new EndWatcher({ db, random, onRetry, onFirst: () => this.#listener.start() });
    this.#listener = new EndListener(resolved, this.#watcher);
    this.#waitForEnd = createWaiting(db, this.#watcher, random);
    this.#registrar = createRegistrar(db);
    this.#starter = createStarter({ ...common, timeoutMs: startTimeoutMs });
    this.#versions = createBatcher({ maxItems: 1_000, run: (names) => latestVersions(db, names) });
  }

  /** Brings Floxy's tables up to date; does nothing when they are. Any number of processes may do it at once. */
  async migrate(): Promise<void> {
    this.#assertOpen();
    const { connectionString, schema } = this.#options;
    await migrate({ connectionString, schema });
  }

  /**
   * Registers a workflow, or a definition that came as JSON. The same again is a no-op. Throws `DEFINITION_INVALID` with
   * all problems, or `DEFINITION_CONFLICT` when its version is registered with other content; then nothing has changed.
   */
  async register(what: Registrable): Promise<DefinitionJson> {
    this.#assertOpen();
    return this.#registrar.register(what);
  }

  /**
   * Starts an instance. A workflow is registered when it is first used; a definition that is given by name must have been.
   *
   * Throws a typed error, and has written nothing, when the definition is unknown (`DEFINITION_NOT_FOUND`) or a value is
   * not acceptable (`INPUT_INVALID`, `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, `NAME_INVALID`, `OPTION_INVALID`); and
   * `IDEMPOTENCY_CONFLICT` when the key was used before with another input.
   *
   * A lost connection is survived: the same start is sent again until `startTimeoutMs` is over, and takes effect once.
   * Inside a `transaction` of yours there is one try, and the database's errors come as they are.
   */
  start<W extends Workflow>(
    workflow: W,
    input: WorkflowInput<W>,
    options?: StartOptions,
  ): Promise<InstanceHandle<WorkflowOutput<W>>>;
  start<Output = unknown>(name: string, input: unknown, options?: StartOptions): Promise<InstanceHandle<Output>>;
  async start(what: Workflow | string, input: unknown, options: StartOptions = {}): Promise<InstanceHandle> {
    this.#assertOpen();
    const prepare = () => this.#prepare(what, input, options);
    const { transaction } = options;
    const started = await (transaction === undefined
      ? this.#starter.start(prepare)
      : this.#startWithin(transaction, prepare));
    return makeHandle(started, this);
  }

  /**
   * Starts many instances: an import. Items are taken from the list or iterable as they are needed, and go out in batches of
   * at most 1,000, each one statement and one commit; two batches are under way while the next is made ready. So memory does
   * not grow with the number of items.
   *
   * An item that is not acceptable is refused alone, with the error that {@link start} would throw; all others are started.
   * Each item has its result in `onBatch`, in order; what is answered counts them and has the first refusals. Look at
   * `failed`: refusals are not thrown.
   *
   * Throws, when what is under way is back: `DEFINITION_NOT_FOUND`, `OPTION_INVALID` for `items` or options that cannot be,
   * what `items` or `onBatch` throws, the reason of the signal, and `DATABASE_UNAVAILABLE` when a batch could not be written
   * within `startTimeoutMs`, with `data.count`: so many items have had their results. What was started stays. With
   * idempotency keys all items can be given again.
   *
   * Inside a `transaction` of yours one batch is under way, there is one try, and the database's errors come as they are.
   */
  startMany<W extends Workflow>(
    workflow: W,
    items: StartItems<WorkflowInput<W>>,
    options?: StartManyOptions,
  ): Promise<StartedMany>;
  startMany(name: string, items: StartItems, options?: StartManyOptions): Promise<StartedMany>;
  async startMany(what: Workflow | string, items: StartItems, options: StartManyOptions = {}): Promise<StartedMany> {
    this.#assertOpen();
    assertItems(items);
    const { version, transaction } = options;
    if (transaction !== undefined) assertTransaction(transaction);
    // Looked up once: items of one import do not start with different versions.
    const newest = await this.#starter.reach(() => this.#versionOf(what, version));
    const latest = () => Promise.resolve(newest);
    const prepare = ({ input, priority, deadlineMs, metadata, idempotencyKey }: StartItem) =>
      this.#prepare(what, input, { version, priority, deadlineMs, metadata, idempotencyKey }, latest);
    const send = (starts: readonly PreparedStart[]) =>
      transaction === undefined ? this.#starter.startMany(starts) : this.#insertWithin(transaction, starts);
    return startMany({ items, options, prepare, send, reach: this.#starter.reach });
  }

  /** Lists the registered definitions with what runs of them, by name and the newest version first. */
  async definitions(options: DefinitionsOptions = {}): Promise<readonly ListedDefinition[]> {
    this.#assertOpen();
    return readDefinitions(this.#db, options);
  }

  /** A definition: the given version, or the highest that is not deprecated. Throws `DEFINITION_NOT_FOUND`. */
  async definition(name: string, version?: number): Promise<RegisteredDefinition> {
    this.#assertOpen();
    return readDefinition(this.#db, name, version);
  }

  /** What has changed from one version of a definition to another. Throws `DEFINITION_NOT_FOUND`. */
  async diffDefinitions(name: string, before: number, after: number): Promise<DefinitionDiff> {
    this.#assertOpen();
    return compareDefinitions(this.#db, name, before, after);
  }

  /** Checks the invariants on the database as it is in use, and its surroundings. See `docs/doctor.md`. */
  async doctor(options: ClientDoctorOptions = {}): Promise<DoctorReport> {
    this.#assertOpen();
    return examineDatabase(this.#db, this.#options.listenConnectionString, options);
  }

  /** An instance with its steps, as they stand at this moment. Throws `INSTANCE_NOT_FOUND`. */
  async get(instanceId: string): Promise<InstanceView> {
    this.#assertOpen();
    return viewInstance(this.#db, this.#graphs, instanceId);
  }

  /** Lists instances, the newest first, page by page. */
  async list(options: ListOptions = {}): Promise<InstancePage> {
    this.#assertOpen();
    return listPage(this.#db, options);
  }

  /**
   * Reads events of an instance, the oldest first. To read on, give the last `eventId` as `after`; of an instance that
   * is still running, {@link FloxyClient.follow} also sees an event that shows up behind one with a greater id.
   */
  async events(instanceId: string, options: EventsOptions = {}): Promise<readonly EventRow[]> {
    this.#assertOpen();
    return readEvents(this.#db, instanceId, options);
  }

  /** Follows the events of an instance until it has ended: `for await (const event of client.follow(id))`. */
  follow(instanceId: string, options: FollowOptions = {}): AsyncGenerator<EventRow, void, undefined> {
    this.#assertOpen();
    return followEvents({ db: this.#db, watcher: this.#watcher, random: Math.random }, instanceId, options);
  }

  /**
   * Waits for the end of an instance, whichever it is. Throws `WAIT_TIMEOUT` with the current status as `data.status`,
   * `INSTANCE_NOT_FOUND`, `SHUTDOWN`, or the reason of the signal. A loss of the database meanwhile is survived.
   */
  async waitForEnd(instanceId: string, options: WaitOptions = {}): Promise<InstanceSummary> {
    this.#assertOpen();
    return this.#waitForEnd(instanceId, options);
  }

  /**
   * Closes the client: who waits gets `SHUTDOWN`, and so do starts and acts that have not been sent; those that have been
   * are answered first. Resolves when all connections are closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const error = shutdown();
    this.#watcher.close(error);
    const calls = [this.#starter, this.#versions, this.#acting].map((one) => one.close(error));
    await Promise.all([...calls, this.#listener.close()]);
    await this.#notifier.close();
    await this.#db.close();
  }

  async #prepare(
    what: Workflow | string,
    input: unknown,
    options: StartOptions,
    latest = (name: string): Promise<number> => this.#versions.add(name),
  ): Promise<PreparedStart> {
    const request = await requestOf(what, input, options);
    // On the client's own connections also for a start in the caller's transaction: it is harmless if that rolls back.
    if (isWorkflow(what)) await this.#registrar.ensure(what);
    const { payloadLimit } = this.#options;
    return prepareStart(this.#db, this.#graphs, request, { payloadLimit, latest });
  }

  /** The version to start with. Throws as a start does for what concerns all instances of it. */
  async #versionOf(what: Workflow | string, version: number | undefined): Promise<number> {
    if (isWorkflow(what)) {
      assertVersionOf(what.definition, version);
      await this.#registrar.ensure(what);
      return what.definition.version;
    }
    const graph = await this.#graphs.get(this.#db, what, version ?? (await this.#versions.add(what)));
    return graph.definition.version;
  }

  async #startWithin(transaction: ForeignClient, prepare: () => Promise<PreparedStart>): Promise<Started> {
    const [result] = await this.#insertWithin(transaction, [await prepare()]);
    if (result === undefined || result instanceof FloxyError) throw result ?? new FloxyError("INTERNAL", "no answer");
    return result;
  }

  async #insertWithin(
    transaction: ForeignClient,
    starts: readonly PreparedStart[],
  ): Promise<readonly (Started | FloxyError)[]> {
    const executor = executorOf(transaction, this.#options.schema);
    const hints = noHints();
    const results = await insertStarts(executor, starts, hints);
    // PostgreSQL delivers it at the commit, and not at all after a rollback.
    await publishHintsWithin(executor, hints);
    return results;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw shutdown();
  }
}

const shutdown = (): FloxyError => new FloxyError("SHUTDOWN", "The client was closed; make no calls after close().");

const latestVersions = (db: Database, names: readonly string[]): Promise<PromiseSettledResult<number>[]> => {
  const found = new Map<string, Promise<number>>();
  return Promise.allSettled(
    names.map((name) => {
      const version = found.get(name) ?? latestVersion(db, name);
      found.set(name, version);
      return version;
    }),
  );
};
