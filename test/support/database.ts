/** Databases of tests: each has its own, on the server that all share. */
import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database that was made for one test. */
export interface TestDatabase {
  /** Its URL, as the superuser. */
  readonly url: string;
  /** Drops it, also when connections are still open. */
  drop(): Promise<void>;
}

/** Creates an empty database on the server. */
export const createTestDatabase = async (serverUrl: string): Promise<TestDatabase> => {
  const name = `floxy_test_${process.pid}_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      // A pool that has ended may still be saying goodbye; to be cut off then is an error that nobody hears.
      await onServer(serverUrl, goodbyes(name));
      await onServer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
};

const onServer = async (serverUrl: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
};

/** Waits until nobody is connected to a database, for a second at most. */
const goodbyes = (name: string): string => `DO $$
BEGIN
  FOR look IN 1..100 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '${name}');
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$`;
