/** Databases of this package's tests, each made and dropped by one test file. */
import { randomBytes } from "node:crypto";
import { vi } from "vitest";
import { openDatabase } from "../database.ts";
import type { Executor } from "../executor.ts";
import { migrate } from "../migrate.ts";

/** A database that only one test file knows. */
export interface TestDatabase {
  readonly url: string;
  /** Drops it, also when connections are still open. */
  drop(): Promise<void>;
}

/** Creates a database on the server with this URL, with our tables in the schema `floxy` unless told otherwise. */
export const createTestDatabase = async (serverUrl: string, options = { migrate: true }): Promise<TestDatabase> => {
  const name = `floxy_store_${process.pid}_${randomBytes(6).toString("hex")}`;
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  await onServer(serverUrl, `CREATE DATABASE ${name}`);
  if (options.migrate) await migrate({ connectionString: url });
  return { url, drop: () => onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`) };
};

/** Runs SQL that a test has written. `{schema}` stands for the quoted schema. */
export const sql = <Row extends object>(db: Executor, text: string, ...values: unknown[]): Promise<Row[]> =>
  db.query<Row>({ name: `test_${text}`.slice(0, 60), text: (schema) => text.replaceAll("{schema}", schema) }, values);

/** Waits until a check does not throw any more, for as long as a machine with much else to do may need. */
export const eventually = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 5_000, interval: 10 });

const onServer = async (serverUrl: string, text: string): Promise<void> => {
  const server = openDatabase({ connectionString: serverUrl, maxConnections: 1, prepare: false });
  await sql(server, text).finally(() => server.close());
};
