/** A database of one test file, with what its tests look at behind the client's back. */
import { randomUUID } from "node:crypto";
import type { AttemptResult, Database, DefinitionJson, LeasedStep } from "@floxy/shared";
import {
  claim,
  createGraphCache,
  createNotifier,
  encodeOutput,
  isFloxyError,
  migrate,
  noHints,
  openDatabase,
  reviewInbox,
  settleAttempts,
} from "@floxy/shared";
import pg from "pg";
import { expect, inject } from "vitest";
import type { Logger } from "../../handler/context.ts";

/** A migrated database of its own. */
export interface TestDatabase {
  readonly url: string;
  /** What the engine works on: connections that are not the client's. */
  readonly db: Database;
  /** Runs SQL on a connection that is not the client's. */
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** How many rows each table of the engine has. */
  counts(): Promise<Record<string, number>>;
  /** Leases the first ready step of a handler. */
  lease(handler: string): Promise<LeasedStep>;
  /** Leases the first ready step of a handler and settles it with this output. */
  complete(handler: string, output: unknown): Promise<void>;
  /** Leases the first ready step of a handler and settles it as failed for good. */
  fail(handler: string, message?: string): Promise<void>;
  /** Looks at everything in the inbox, as an orchestrator does. */
  review(): Promise<void>;
  /** Notifies as an engine in another process does. */
  notify(channel: "ready" | "finished", items: readonly string[]): Promise<void>;
  drop(): Promise<void>;
}

/** A logger that says nothing, for what a test breaks on purpose. */
export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

const engineTables = ["definition", "instance", "step", "queue", "inbox", "event", "dead_letter"];
const operatorTables = ["timer", "vote", "signal", "audit", "pause"];
const tables = [...engineTables, ...operatorTables];

/** Creates a database on the server of this run. */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const server = inject("databaseUrl");
  const name = `floxy_client_${randomUUID().replaceAll("-", "")}`;
  await onServer(server, `CREATE DATABASE ${name}`);
  const address = new URL(server);
  address.pathname = `/${name}`;
  const url = address.href;
  await migrate({ connectionString: url });
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on("error", () => {}); // Tests end connections on purpose.
  const db = openDatabase({ connectionString: url });
  const graphs = createGraphCache();
  const query = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    (await pool.query<Row>(sql, values)).rows;
  const lease = async (handler: string): Promise<LeasedStep> => {
    const handlers = [{ handler, slots: 1 }];
    const [leased] = await claim(db, { workerId: "test", handlers, limit: 1, leaseMs: 60_000 });
    if (leased === undefined) throw new Error(`no step of ${handler} is ready`);
    return leased;
  };
  const settle = async (handler: string, result: AttemptResult): Promise<void> => {
    const leased = await lease(handler);
    const graph = await graphs.get(db, leased.definitionName, leased.definitionVersion);
    const attempts = [{ ...leased, graph, result }];
    const results = await settleAttempts(db, { attempts, workerId: "test", random: () => 0, hints: noHints() });
    expect(results).toEqual(["settled"]);
  };
  return {
    url,
    db,
    query,
    lease,
    async counts() {
      const selects = tables.map((table) => `SELECT '${table}' AS name, count(*)::int AS count FROM floxy.${table}`);
      const rows = await query<{ name: string; count: number }>(selects.join(" UNION ALL "));
      return Object.fromEntries(rows.map((row) => [row.name, row.count]));
    },
    complete: (handler, output) => settle(handler, { kind: "completed", output: encodeOutput(output, "the output") }),
    fail: (handler, message = "broken") =>
      settle(handler, {
        kind: "failed",
        error: { code: "HANDLER_FAILED", message },
        retryable: false,
        called: true,
      }),
    async review() {
      const onPostponed = (_: string, error: unknown): never => {
        throw error;
      };
      while ((await reviewInbox(db, graphs, { limit: 100, hints: noHints(), onPostponed })) > 0);
    },
    async notify(channel, items) {
      const notifier = createNotifier({ db });
      notifier.notify(channel, items);
      await notifier.close();
    },
    async drop() {
      await Promise.all([pool.end(), db.close()]);
      await onServer(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
};

const onServer = async (connectionString: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(sql).finally(() => client.end());
};

/** A definition of tasks one after another, each named as its handler. */
export const chainOf = (
  name: string,
  handlers: readonly string[],
  more: Partial<DefinitionJson> = {},
): DefinitionJson => ({
  format: 1,
  name,
  version: 1,
  ...more,
  nodes: handlers.map((handler) => ({ kind: "task", name: handler, handler })),
});

/** The code of the error that a promise rejects with. */
export const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return isFloxyError(error) ? error.code : String(error);
  }
};

/** Waits until a condition of the database holds. */
export const eventually = async (holds: () => Promise<boolean>): Promise<void> => {
  await expect.poll(holds, { interval: 10, timeout: 5_000 }).toBe(true);
};
