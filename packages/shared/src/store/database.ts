/** The way to PostgreSQL. The only file that imports the driver. */
import pg from "pg";
import { FloxyError } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import { asConnectError, asStoreError } from "./database-error.ts";
import type { Database, Executor, Statement } from "./executor.ts";
import { quoteIdentifier } from "./executor.ts";
import type { TransactionPool } from "./open-transaction.ts";
import { transactionPool } from "./open-transaction.ts";
import type { Loan } from "./transaction.ts";
import { ask, inTransaction } from "./transaction.ts";

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
  const connections = new Set<pg.PoolClient>();
  const pool = openPool(options, connections);
  const idleMs = options.idleInTransactionTimeoutMs ?? 60_000;
  let closed: Promise<void> | undefined;

  /** Lends a connection to `use`, and keeps it unless an answer spoilt it. */
  const borrow = async <T>(use: (loan: Loan) => Promise<T>): Promise<T> => {
    if (closed !== undefined) throw new FloxyError("SHUTDOWN", "the database was closed; make no calls after close()");
    const client = await pool.connect().catch((error: unknown) => {
      throw asConnectError(error);
    });
    const loan: Loan = { client, spoilt: false };
    try {
      return await use(loan);
    } finally {
      client.release(loan.spoilt);
    }
  };

  const run = async <Row>(loan: Loan, statement: Statement, values: readonly unknown[] = []): Promise<Row[]> => {
    const { rows } = await ask(loan, {
      text: statement.text(schema),
      values: [...values],
      ...(prepare && { name: statement.name }),
    });
    return rows as Row[];
  };

  return {
    schema,
    query: (statement, values) => borrow((loan) => run(loan, statement, values)),
    transaction: (work) =>
      borrow((loan) =>
        inTransaction(loan, idleMs, (track) =>
          work({ schema, query: (statement, values) => track(() => run(loan, statement, values)) }),
        ),
      ),
    close() {
      closed ??= endPool(pool, connections);
      return closed;
    },
  };
};

/**
 * Opens a pool of connections for transactions in which code of users runs. Its users' statements have the driver's own
 * type parsers, as the application has set them. `others` are connections to the same database that never wait for these.
 */
export const openTransactionPool = (options: DatabaseOptions, others: Executor): TransactionPool => {
  const connections = new Set<pg.PoolClient>();
  const pool = openPool(options, connections, {});
  let closed: Promise<void> | undefined;
  return transactionPool({
    pool,
    schema: quoteSchema(options.schema ?? "floxy"),
    prepare: options.prepare ?? true,
    types: ownTypes,
    others,
    close() {
      closed ??= endPool(pool, connections);
      return closed;
    },
  });
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

/**
 * A schema's name as a quoted identifier. Throws `CONFIGURATION_INVALID` for one that PostgreSQL would cut, and for one
 * with an apostrophe or a control character, because a few statements have the name inside a literal.
 */
export const quoteSchema = (name: string): string => {
  if (/^[^'\p{Cc}]+$/u.test(name) && Buffer.byteLength(name) <= 63) return quoteIdentifier(name);
  const rule = "it must have 1 to 63 bytes without apostrophes and control characters";
  throw new FloxyError("CONFIGURATION_INVALID", `the schema name ${quote(name)} cannot be used; ${rule}`);
};

/** Throws `CONFIGURATION_INVALID` for a URL that cannot be read. The URL is in no message, because it holds a password. */
export const assertConnectionString = (connectionString: string): void => {
  try {
    new pg.Client({ connectionString });
  } catch {
    const help = "it should look like postgres://user:password@host:5432/database, with special characters as %xx";
    throw new FloxyError("CONFIGURATION_INVALID", `the database's URL cannot be read; ${help}`);
  }
};

const openPool = (
  options: DatabaseOptions,
  connections: Set<pg.PoolClient>,
  parsers: Pick<pg.PoolConfig, "types"> = { types: ownTypes },
): pg.Pool => {
  assertConnectionString(options.connectionString);
  const report = (error: Error): void => {
    try {
      options.onError?.(asStoreError(error));
    } catch {
      // Thrown out of an event handler it would end the process.
    }
  };
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
    ...parsers,
  });
  // A connection that is lost while nobody waits for it emits `error`, and an `error` without a listener ends the process.
  pool.on("error", report);
  // While lent it has no listener of the pool's; whoever borrowed it hears of the loss from his statement.
  pool.on("connect", (client) => {
    connections.add(client);
    client.on("error", () => {});
    client.once("end", () => connections.delete(client));
  });
  return pool;
};

/** How long to wait for the server to end a connection that we close, in milliseconds. */
const farewellMs = 500;

// The pool counts its connections as ended when it has said goodbye. Whoever drops the database next would still find
// them; and through a black hole a goodbye takes a quarter of an hour, in which the process would not end.
const endPool = async (pool: pg.Pool, connections: ReadonlySet<pg.PoolClient>): Promise<void> => {
  await pool.end();
  const ends = [...connections].map((client) => new Promise((resolve) => client.once("end", resolve)));
  const patience = setTimeout(() => {
    for (const client of connections) client.connection.stream.destroy();
  }, farewellMs);
  await Promise.all(ends);
  clearTimeout(patience);
};

const asNumber = (text: string): number => {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`the database answered ${text}, which is too large to be exact as a number`);
};

// By type's number: int8 and json. Set for our connections only; the driver's global parsers are the application's.
const ownParsers = new Map<number, (text: string) => unknown>([
  [20, asNumber],
  [114, (text) => text],
]);

const parserOf: typeof pg.types.getTypeParser = (oid: number, format?: "text" | "binary") =>
  (format !== "binary" && ownParsers.get(oid)) || pg.types.getTypeParser(oid, format);

const ownTypes: pg.CustomTypesConfig = { getTypeParser: parserOf };
