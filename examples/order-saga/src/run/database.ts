/** A database for one run. Dropped at its end; if the run was killed, by the next one. */
import { randomBytes } from "node:crypto";
import pg from "pg";

const prefix = "floxy_order_saga_";

/** A database that was made for one run. */
export interface RunDatabase {
  readonly name: string;
  readonly url: string;
}

/** Creates a database on the server, lends it to `use`, and drops it in the end. `say` is told what else happens. */
export const withDatabase = async <T>(
  serverUrl: string,
  say: (text: string) => void,
  use: (database: RunDatabase) => Promise<T>,
): Promise<T> => {
  const name = prefix + randomBytes(4).toString("hex");
  // This connection holds the lock that says the database is in use. It ends with us, however we end.
  const holder = await connect(serverUrl);
  try {
    await tryLock(holder, name);
    await dropLeftovers(holder, say);
    await holder.query(`CREATE DATABASE ${name}`);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    try {
      return await use({ name, url: url.href });
    } finally {
      await drop(serverUrl, name).catch((error: unknown) =>
        say(`the database ${name} could not be dropped: ${String(error)}`),
      );
    }
  } finally {
    await holder.end();
  }
};

const connect = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url, application_name: "order saga" });
  // The server may go away before us; then the next statement says so.
  client.on("error", () => {});
  await client.connect();
  return client;
};

const tryLock = async (client: pg.Client, name: string): Promise<boolean> => {
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked",
    [name],
  );
  return rows[0]?.locked ?? false;
};

/** Drops what runs that were killed have left behind: databases whose lock nobody holds. */
const dropLeftovers = async (client: pg.Client, say: (text: string) => void): Promise<void> => {
  const { rows } = await client.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE datname ~ $1 ORDER BY datname",
    [`^${prefix}[0-9a-f]{8}$`],
  );
  for (const { name } of rows) {
    if (!(await tryLock(client, name))) continue;
    // Without FORCE: if anyone is still connected, it is not ours to take away.
    const dropped = await client.query(`DROP DATABASE IF EXISTS ${name}`).then(
      () => true,
      () => false,
    );
    if (dropped) say(`the database ${name} of a run that was killed is dropped`);
    await client.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", [name]);
  }
};

// On a connection of its own: the one that holds the lock may have been lost on the way.
const drop = async (serverUrl: string, name: string): Promise<void> => {
  const client = await connect(serverUrl);
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  } finally {
    await client.end();
  }
};
