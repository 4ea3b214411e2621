/** Looking into a database from beside the system that is measured. */
import pg from "pg";

/** A pool of two connections for questions; it opens none until it is asked, and lets go of idle ones at once. */
export const openPool = (url: string): pg.Pool => {
  const pool = new pg.Pool({ connectionString: url, max: 2, idleTimeoutMillis: 100 });
  // The server may be stopped while connections are idle; who asks next hears of it.
  pool.on("error", () => {});
  return pool;
};

/** The one value, called `value`, of a question. */
export const single = async <Value>(pool: pg.Pool | pg.Client, sql: string, values: unknown[] = []): Promise<Value> => {
  const { rows } = await pool.query<{ value: Value }>(sql, values);
  const [row] = rows;
  if (row === undefined) throw new Error(`no row: ${sql}`);
  return row.value;
};

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** How the id of an instance begins that is started at a moment, in milliseconds since 1970. */
export const idAt = (ms: number): string =>
  Array.from({ length: 10 }, (_, place) => digits[Math.floor(Math.floor(ms) / 32 ** (9 - place)) % 32]).join("");
