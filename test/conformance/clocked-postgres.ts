/**
 * PostgreSQL on a clock that a test moves: its own clock is replaced in every statement, and in the defaults of columns,
 * by a function that says what the test has set. So time passes at once, and can be compared to the millisecond.
 */
import type { Database, Executor, Statement } from "@floxy/shared";
import { migrate, openDatabase } from "@floxy/shared";
import { eventsText } from "@floxy/shared/store";
import { createTestDatabase } from "../support/database.ts";

/** A database on a clock that is moved by hand. */
export interface ClockedPostgres {
  readonly db: Database;
  /** Sets the clock, in milliseconds. */
  setNow(now: number): void;
  /** All rows of all tables that the engine writes, by table, as PostgreSQL makes JSON of them. */
  rows(): Promise<Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>>;
  /** Empties all tables. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const tables = [
  ...["definition", "instance", "step", "queue", "inbox", "timer", "dead_letter", "event", "vote", "signal", "audit"],
  "pause",
];

/** Opens a database of its own on the server, on one connection, which carries the clock. */
export const openClockedPostgres = async (serverUrl: string): Promise<ClockedPostgres> => {
  const { url, drop } = await createTestDatabase(serverUrl);
  await migrate({ connectionString: url });
  const plain = openDatabase({ connectionString: url, maxConnections: 1 });
  await sql(plain, makeClock);
  await sql(plain, replaceDefaults);
  await sql(plain, replaceInFunctions);
  let now = 0;
  let set = Number.NaN;

  /** Runs statements by our clock. */
  const clocked = (db: Executor): Executor => ({
    schema: db.schema,
    async query(statement, values) {
      if (set !== now) await db.query(setClock, [new Date(now).toISOString()]);
      set = now;
      return db.query(onOurClock(statement), values);
    },
  });

  return {
    db: {
      ...clocked(plain),
      // The setting of a transaction that is rolled back is rolled back with it.
      transaction: (work) => plain.transaction((tx) => work(clocked(tx))).finally(() => (set = Number.NaN)),
      close: () => plain.close(),
    },
    setNow(to) {
      now = to;
    },
    async rows() {
      const [row] = await plain.query<{ rows: Record<string, Record<string, unknown>[]> }>(rowsStatement);
      return row?.rows ?? {};
    },
    // There is so little in them that TRUNCATE would be ten times as slow.
    clear: () =>
      sql(plain, `WITH ${tables.map((table) => `${table} AS (DELETE FROM {schema}.${table})`).join(", ")} SELECT`),
    async close() {
      await plain.close();
      await drop();
    },
  };
};

const sql = async (db: Database, text: string): Promise<void> => {
  await db.query({ name: `conformance_${text.slice(0, 30)}`, text: (schema) => text.replaceAll("{schema}", schema) });
};

const makeClock = `CREATE FUNCTION {schema}.test_now() RETURNS timestamptz LANGUAGE sql STABLE
RETURN current_setting('floxy_test.now')::timestamptz`;

const replaceDefaults = `DO $do$ DECLARE c record; BEGIN
  FOR c IN SELECT format('%I.%I', table_schema, table_name) AS name, column_name FROM information_schema.columns
    WHERE column_default ~ '(now|clock_timestamp|statement_timestamp)\\(\\)' AND table_schema = 'floxy'
      AND table_name <> 'migration'
  LOOP EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT floxy.test_now()', c.name, c.column_name); END LOOP;
END $do$`;

const replaceInFunctions = `DO $do$ DECLARE f record; BEGIN
  FOR f IN SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p
    WHERE p.pronamespace = 'floxy'::regnamespace AND p.proname IN ('claim', 'complete')
  LOOP EXECUTE regexp_replace(f.text, '\\y(now|clock_timestamp|statement_timestamp)\\(\\)', 'floxy.test_now()', 'g'); END LOOP;
END $do$`;

const setClock: Statement = { name: "conformance_clock", text: () => "SELECT set_config('floxy_test.now', $1, false)" };

const onOurClock = ({ name, text }: Statement): Statement => ({
  name: `clocked_${name}`,
  text: (schema) => text(schema).replaceAll(/\b(statement_timestamp|clock_timestamp|now)\(\)/g, `${schema}.test_now()`),
});

const rowsStatement: Statement = {
  name: "conformance_rows",
  text: (schema) =>
    `SELECT jsonb_build_object(${tables
      .map((table) => [table, table === "event" ? eventsText(schema, "true") : `${schema}.${table}`])
      .map(([table, rows]) => `'${table}', (SELECT coalesce(json_agg(t), '[]') FROM ${rows} t)`)
      .join(", ")}) AS rows`,
};
