/** Workers on a database of their own, with an orchestrator's work done when the test says so. */
import type { EventRow, NodeJson } from "@floxy/shared";
import { createGraphCache, noHints, reviewInbox, takeOverExpired, wakeDue } from "@floxy/shared";
import { afterAll, onTestFinished } from "vitest";
import { FloxyClient } from "../../client/client.ts";
import { createTestDatabase, eventually, quiet } from "../../client/testing/database.ts";
import type { StepContext } from "../../handler/context.ts";
import { defineHandler } from "../../handler/contract.ts";
import type { AnyHandlerImplementation, HandlerOptions } from "../../handler/implementation.ts";
import type { WorkerOptions } from "../options.ts";
import { Worker } from "../worker.ts";

/** A call of a handler that the test decides about. */
export interface Call {
  readonly input: unknown;
  readonly context: StepContext;
  resolve(output?: unknown): void;
  reject(error: unknown): void;
}

/** A handler whose calls wait for the test. */
export const heldHandler = (name: string, options?: HandlerOptions) => {
  const calls: Call[] = [];
  const implementation = defineHandler<unknown, unknown>({ name }).implement(
    (input, context) =>
      new Promise((resolve, reject) => {
        calls.push({ input, context, resolve, reject });
      }),
    options,
  );
  const called = async (count = 1): Promise<Call> => {
    await eventually(async () => calls.length >= count);
    return calls[count - 1] as Call;
  };
  return { implementation, calls, called };
};

let shared: ReturnType<typeof createTestDatabase> | undefined;

afterAll(async () => {
  await (await shared)?.drop();
});

/** Gives the database of the test file, empty and with nobody at work. All is stopped when the test is over. */
export const createSite = async () => {
  shared ??= createTestDatabase();
  const database = await shared;
  const { url, db, query } = database;
  const client = new FloxyClient({ connectionString: url, listenConnectionString: false, logger: quiet });
  const workers: Worker[] = [];
  const graphs = createGraphCache();
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await client.close();
    const tables = ["queue", "inbox", "step", "dead_letter", "event", "instance", "definition"];
    await query(`TRUNCATE ${tables.map((table) => `floxy.${table}`).join()}`);
  }, 30_000);
  return {
    url,
    db,
    query,
    client,
    /** Makes a worker; it is quick to give up. */
    makeWorker(handlers: readonly AnyHandlerImplementation[], options: Partial<WorkerOptions> = {}): Worker {
      const defaults = { leaseMs: 60_000, pollIntervalMs: 50, drainMs: 50, graceMs: 50, listenConnectionString: false };
      const worker = new Worker({
        connectionString: url,
        logger: quiet,
        ...defaults,
        signals: false,
        ...options,
        handlers,
      } as WorkerOptions);
      workers.push(worker);
      return worker;
    },
    /** Starts an instance of these nodes. */
    async run(nodes: readonly NodeJson[], input: unknown = {}, metadata?: Record<string, string>): Promise<string> {
      const name = `d${Math.random().toString(36).slice(2)}`;
      await client.register({ format: 1, name, version: 1, nodes });
      const { instanceId } = await client.start(name, input, metadata === undefined ? {} : { metadata });
      return instanceId;
    },
    /** Does what orchestrators do: reviews, wakes and takes over. */
    async orchestrate(): Promise<void> {
      const hints = noHints();
      const onPostponed = (_: string, error: unknown) => {
        throw error;
      };
      await reviewInbox(db, graphs, { limit: 100, hints, onPostponed });
      await wakeDue(db, 100);
      await takeOverExpired(db, graphs, { limit: 100, workerId: "orchestrator", hints, onNotTakenOver: onPostponed });
    },
    /** Lets the leases of first attempts run out. */
    expireLeases: () =>
      query("UPDATE floxy.queue SET lease_until = now() - interval '1 s' WHERE state = 'leased' AND attempt = 1"),
    /** Waits for an event of an instance. */
    async event(instanceId: string, type: EventRow["type"]): Promise<EventRow> {
      let found: EventRow | undefined;
      await eventually(async () => {
        found = (await client.events(instanceId)).find((event) => event.type === type);
        return found !== undefined;
      });
      return found as EventRow;
    },
  };
};
