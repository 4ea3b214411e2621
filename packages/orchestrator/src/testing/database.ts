/** A database of its own for a test file, on the server of the run. */
import type { Database } from "@floxy/shared";
import { migrate, newId, openDatabase } from "@floxy/shared";

/** A migrated database that only this test knows. */
export interface TestDatabase {
  readonly url: string;
  readonly db: Database;
  /** Closes what the test opened through `db`, ends all others' connections, and drops the database. */
  drop(): Promise<void>;
}

/** Creates and migrates a database on the server with this URL. */
export const createTestDatabase = async (serverUrl: string, options = { migrated: true }): Promise<TestDatabase> => {
  const name = `orchestrator_${newId().toLowerCase()}`;
  const server = openDatabase({ connectionString: serverUrl, maxConnections: 1, prepare: false });
  await sql(server, `CREATE DATABASE ${name}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  if (options.migrated) await migrate({ connectionString: url });
  // Tests send many texts under one name, so nothing is prepared.
  const db = openDatabase({ connectionString: url, maxConnections: 4, prepare: false });
  return {
    url,
    db,
    async drop() {
      await db.close();
      await sql(server, `DROP DATABASE ${name} WITH (FORCE)`);
      await server.close();
    },
  };
};

/** Runs SQL of a test on the connections that {@link createTestDatabase} opened. */
export const sql = <Row extends object>(db: Database, text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  db.query<Row>({ name: "test", text: () => text }, values);
