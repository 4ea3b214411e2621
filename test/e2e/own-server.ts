/** An embedded server that no one else shares: a folder for temporary files of one's own. */
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@floxy/embedded-postgres";
import pg from "pg";
import { eventually } from "../support/eventually.ts";

/** Where a server of one's own will be. */
export interface OwnServer {
  /** The environment for a process that is to use it. */
  readonly env: { readonly TMPDIR: string };
  /** Whether the server runs. */
  isRunning(): Promise<boolean>;
  /** The names of the databases that runs have made; starts the server to look. */
  databases(): Promise<readonly string[]>;
  /** Waits until it is gone, and removes all of it. */
  remove(): Promise<void>;
}

/** Makes the folder. Whoever is given its environment starts the server. */
export const makeOwnServer = async (): Promise<OwnServer> => {
  const folder = await mkdtemp(join(tmpdir(), "floxy-e2e-"));
  // The server of root runs as another user, who must be able to pass through.
  await chmod(folder, 0o755);
  const directory = async (): Promise<string | undefined> => {
    const names = await readdir(folder, { recursive: true });
    const found = names.find((name) => /[\\/]shared-[^\\/]+$/.test(name));
    return found === undefined ? undefined : join(folder, found);
  };
  const isRunning = async (): Promise<boolean> =>
    existsSync(join((await directory()) ?? "never-started", "data", "postmaster.pid"));
  return {
    env: { TMPDIR: folder },
    isRunning,
    databases: async () => databasesOf(await directory()),
    async remove() {
      await eventually(async () => !(await isRunning()));
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const databasesOf = async (directory: string | undefined): Promise<readonly string[]> => {
  if (directory === undefined) throw new Error("no server was ever started here");
  const server = await startEmbeddedPostgres({ directory });
  try {
    return await databasesOn(server.url);
  } finally {
    await server.close();
  }
};

/** The names of the databases that runs have made on a server. */
export const databasesOn = async (url: string): Promise<readonly string[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname LIKE 'floxy\\_order\\_saga\\_%'",
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
};
