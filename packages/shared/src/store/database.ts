/** The way to PostgreSQL. The only file that imports the driver. */
import pg from "pg";
import { FloxyError } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import { asStoreError, spoilsConnection } from "./database-error.ts";
import { type Database, type Executor, quoteIdentifier, type Statement } from "./executor.ts";

/** How to open a {@link Database}. */
export interface DatabaseOptions {
  /** `postgres://user:password@host:5432/database?sslmode=…` */
  readonly connectionString: string;
  /** The schema that our tables are in; `floxy` unless told. */
  readonly schema?: string | undefined;
  /** The most connections of the pool; 4 unless told. */
  readonly maxConnections?: number | undefined;
  /** What `pg_stat_activity` shows; `floxy` unless told. */
  readonly applicationName?: string | undefined;
  /** The longest wait for a connection, of the pool or of the server, in milliseconds; 5,000 unless told. */
  readonly connectionTimeoutMs?: number | undefined;
  /** The longest wait for the answer to one statement, in milliseconds; 30,000 unless told, 0 for ever. */
  readonly queryTimeoutMs?: number | undefined;
  /** After this long the server ends a transaction whose client is silent, in milliseconds; 60,000 unless told. */
  readonly idleInTransactionTimeoutMs?: number | undefined;
  /** Whether statements are prepared on their connection; `false` behind pgbouncer in transaction mode. */
  readonly prepare?: boolean | undefined;
  /** Called with errors that belong to no call, such as an idle connection that was ended by the server. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Opens a pool. It connects when it is first used, so this throws only `CONFIGURATION_INVALID`. Calls throw
 * `DATABASE_UNAVAILABLE`, `SCHEMA_OUTDATED`, `CONFIGURATION_INVALID`, `SHUTDOWN` once closed, and the driver's errors
 * for the rest.
 *
 * Of rows: `bigint` is a number, `json` its text, `jsonb` its value, `timestamptz` a `Date`.
 */
export const openDatabase = (options: DatabaseOptions): Database => {
  const schema = quoteSchema(options.schema ?? "floxy");
  const prepare = options.prepare ?? true;
  const pool = openPool(options);
  const begin = beginText(options.idleInTransactionTimeoutMs ?? 60_000);
  let closed: Promise<void> | undefined;

  /** Lends a connection to `use`, and keeps it only if that leaves it in a known state. */
  const borrow = async <T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    if (closed !== undefined) throw new FloxyError("SHUTDOWN", "the database was closed; make no calls after close()");
    const client = await pool.connect().catch((error: unknown) => {
      throw asStoreError(error);
    });
    let spoilt = false;
    try {
      return await use(client);
    } catch (error) {
      spoilt = client.getTransactionStatus() !== "I" || spoilsConnection(error);
      throw asStoreError(error);
    } finally {
      client.release(spoilt);
    }
  };

  const run = async <Row>(client: pg.PoolClient, statement: Statement, values: readonly unknown[] = []) => {
    const text = statement.text(schema);
    const query = { text, values: [...values], ...(prepare && { name: statement.name }) };
    const result = await client.query(query);
    return result.rows as Row[];
  };

  return {
    schema,
    query: (statement, values) => borrow((client) => run(client, statement, values)),
    transaction: (work) =>
      borrow((client) =>
        inTransaction(client, begin, (tx) => work({ schema, query: (s, values) => tx(() => run(client, s, values)) })),
      ),
    close() {
      closed ??= pool.end();
      return closed;
    },
  };
};

/** A client of the driver as callers bring it: only what is used of it. */
export interface ForeignClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/**
 * An executor on a client that the caller brought, so that our writes are part of the caller's transaction. Its
 * statements are not prepared, and its type parsers are the caller's: a statement that is used this way casts what it
 * answers to `text` or `int`, never to `json` or `bigint`.
 */
export const executorOf = (client: ForeignClient, schema = "floxy"): Executor => {
  const quoted = quoteSchema(schema);
  return {
    schema: quoted,
    async query<Row extends object>(statement: Statement, values: readonly unknown[] = []) {
      try {
        const { rows } = await client.query(statement.text(quoted), [...values]);
        return rows as Row[];
      } catch (error) {
        throw asStoreError(error);
      }
    },
  };
};

/** A schema's name as a quoted identifier; throws `CONFIGURATION_INVALID` for one that PostgreSQL would cut or refuse. */
export const quoteSchema = (name: string): string => {
  const bytes = Buffer.byteLength(name);
  if (bytes >= 1 && bytes <= 63 && !name.includes("\0")) return quoteIdentifier(name);
  throw new FloxyError("CONFIGURATION_INVALID", `the schema name ${quote(name)} must have 1 to 63 bytes, and has ${bytes}`);
};

const openPool = (options: DatabaseOptions): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.maxConnections ?? 4,
    application_name: options.applicationName ?? "floxy",
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 5_000,
    query_timeout: options.queryTimeoutMs ?? 30_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Statements of a transaction that are issued without waiting go out together. Each still ends with its own Sync, so
    // one that fails does not hide the answers of the others: inside a transaction they answer 25P02.
    pipeline: true,
    types: { getTypeParser: parserOf },
  });
  // A connection that is lost while nobody waits for it emits `error`, and an `error` without a listener ends the process.
  pool.on("error", (error) => options.onError?.(asStoreError(error)));
  // While lent it has no listener of the pool's; whoever borrowed it hears of the loss from his statement.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
};

// `SET LOCAL` in the same message as BEGIN costs no round trip, and unlike a startup parameter or a session's setting it
// passes through pgbouncer. It ends the transaction of a host that vanished and would keep its row locks for two hours.
const beginText = (idleMs: number): string =>
  `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.round(idleMs)}`;

type Track = <T>(query: () => Promise<T>) => Promise<T>;

/**
 * Runs `work` between BEGIN and COMMIT. The answer to BEGIN is awaited: were it cancelled while statements follow behind
 * it, those would take effect one by one. A statement that failed fails the transaction even if `work` caught its error,
 * because PostgreSQL would answer the COMMIT with a quiet ROLLBACK.
 */
const inTransaction = async <T>(client: pg.PoolClient, begin: string, work: (tx: Track) => Promise<T>): Promise<T> => {
  let failure: { readonly error: unknown } | undefined;
  let over = false;
  const track: Track = (query) => {
    if (over) return Promise.reject(new FloxyError("INTERNAL", "the transaction is over; await all its statements"));
    const answer = query().catch((error: unknown) => {
      failure ??= { error };
      throw asStoreError(error);
    });
    answer.catch(() => {}); // One of several that nobody may await once another has failed.
    return answer;
  };
  await client.query(begin);
  try {
    const result = await work(track).finally(() => {
      over = true;
    });
    // It waits behind all statements that are still on their way, so `failure` is known when it is answered.
    const { command } = await client.query("COMMIT");
    if (command !== "COMMIT") throw failure?.error ?? new FloxyError("INTERNAL", "PostgreSQL rolled the transaction back");
    return result;
  } catch (error) {
    const first = failure?.error ?? error;
    if (client.getTransactionStatus() !== "I" && !(failure && spoilsConnection(first))) await rollback(client);
    throw first;
  }
};

/** Rolls back if it still can; a connection that cannot is dropped because its transaction is not idle. */
const rollback = async (client: pg.PoolClient): Promise<void> => {
  await client.query("ROLLBACK").catch(() => {});
};

const asNumber = (text: string): number => {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`the database answered ${text}, which is too large to be exact as a number`);
};

// By type's number: int8, int8[], json. Set for our connections only; the driver's global parsers are the application's.
const ownParsers = new Map<number, (text: string) => unknown>([
  [20, asNumber],
  [1016, (text) => (pg.types.getTypeParser(1009)(text) as (string | null)[]).map((n) => (n === null ? null : asNumber(n)))],
  [114, (text) => text],
]);

const parserOf: typeof pg.types.getTypeParser = (oid: number, format?: "text" | "binary") =>
  (format !== "binary" && ownParsers.get(oid)) || pg.types.getTypeParser(oid, format);
