/**
 * A service's own ledger: a schema of its own in which it books what it really does. Floxy knows nothing of it. Entries
 * are only ever appended; `guard` makes an action that is repeated, or that comes after its own undo, book nothing.
 */
import pg from "pg";

/** A line of a ledger. `amount` is positive for an effect and negative for its undoing, in the unit of the service. */
export interface Entry {
  readonly kind: string;
  /** What the amount is of: an article, or `''`. */
  readonly item?: string;
  readonly amount: number;
}

/** What to book. */
export interface Booking {
  readonly orderId: string;
  /** Books once for each order and action, however often it is called. */
  readonly action: string;
  /** The action that this one undoes: if that has not happened, nothing is booked and it never will be. */
  readonly undoes?: string;
  /** The entries; runs inside the transaction of the booking, and may throw to book nothing. */
  readonly entries: (client: pg.PoolClient) => Promise<readonly Entry[]> | readonly Entry[];
}

/** A service's ledger. */
export interface Ledger {
  /** Books, and says whether anything was: `false` if it had been before, or was undone before it came. */
  book(booking: Booking): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens the ledger in a schema of its own, and makes its tables if they are missing. */
export const openLedger = async (connectionString: string, schema: string): Promise<Ledger> => {
  const pool = new pg.Pool({ connectionString, max: 8, application_name: `${schema} ledger` });
  // A connection that is lost while idle is replaced when it is next needed.
  pool.on("error", () => {});
  await pool.query(`
    SELECT pg_advisory_xact_lock(hashtext('${schema} ledger'));
    CREATE SCHEMA IF NOT EXISTS ${schema};
    CREATE TABLE IF NOT EXISTS ${schema}.guard (
      order_id text, action text, PRIMARY KEY (order_id, action)
    );
    CREATE TABLE IF NOT EXISTS ${schema}.entry (
      entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      order_id text NOT NULL, kind text NOT NULL, item text NOT NULL, amount bigint NOT NULL,
      booked_at timestamptz NOT NULL DEFAULT now()
    );`);
  return {
    book: (booking) => inTransaction(pool, (client) => book(client, schema, booking)),
    close: () => pool.end(),
  };
};

const book = async (client: pg.PoolClient, schema: string, booking: Booking): Promise<boolean> => {
  const { orderId, action, undoes, entries } = booking;
  const claim = async (name: string): Promise<boolean> => {
    const text = `INSERT INTO ${schema}.guard (order_id, action) VALUES ($1, $2) ON CONFLICT DO NOTHING`;
    return (await client.query(text, [orderId, name])).rowCount === 1;
  };
  if (!(await claim(action))) return false;
  // The undo claims the action too: if it could, the action never happened, and now never will.
  if (undoes !== undefined && (await claim(undoes))) return false;
  for (const { kind, item = "", amount } of await entries(client)) {
    const text = `INSERT INTO ${schema}.entry (order_id, kind, item, amount) VALUES ($1, $2, $3, $4)`;
    await client.query(text, [orderId, kind, item, amount]);
  }
  return true;
};

const inTransaction = async <T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
};
