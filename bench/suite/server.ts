/** The PostgreSQL that everything is measured on, and how it is set up. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@floxy/embedded-postgres";
import pg from "pg";
import { single } from "../systems/database.ts";

/** What is not PostgreSQL's default. */
const statedSettings = { shared_buffers: "2GB", max_wal_size: "8GB" } as const;

/** Settings that are written down with each result, and of these the ones without which no figure counts. */
const recorded = ["shared_buffers", "max_wal_size", "fsync", "synchronous_commit", "full_page_writes", "wal_level"];
const durable = ["fsync", "synchronous_commit", "full_page_writes"];

/** A server for measuring. */
export interface BenchServer {
  /** To the database `postgres`, so that what the harness asks is not counted to the database it asks about. */
  readonly db: pg.Pool;
  readonly version: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly postmasterPid: number;
  /** Makes an empty database and answers its URL. */
  createDatabase(name: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server of its own. Throws where a setting that makes commits durable is not on. */
export const startServer = async (more: Readonly<Record<string, string>> = {}): Promise<BenchServer> => {
  const directory = await mkdtemp(join(tmpdir(), "floxy-bench-"));
  const server = await startEmbeddedPostgres({ directory, settings: { ...statedSettings, ...more } });
  const db = new pg.Pool({ connectionString: server.url, max: 2 });
  // The server is stopped before idle connections are.
  db.on("error", () => {});
  const close = async (): Promise<void> => {
    await db.end();
    await server.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const settings: Record<string, string> = {};
    for (const name of [...recorded, ...Object.keys(more)]) {
      settings[name] = await single<string>(db, "SELECT current_setting($1) AS value", [name]);
    }
    for (const name of durable) {
      if (settings[name] !== "on") throw new Error(`${name} is ${settings[name]}; only durable commits are measured`);
    }
    const pidFile = await single<string>(db, "SELECT pg_read_file('postmaster.pid') AS value");
    await db.query("CREATE EXTENSION IF NOT EXISTS pg_walinspect");
    return {
      db,
      version: await single<string>(db, "SELECT current_setting('server_version') AS value"),
      settings,
      postmasterPid: Number(pidFile.split("\n")[0]),
      async createDatabase(name) {
        await db.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
        await db.query(`CREATE DATABASE "${name}"`);
        const url = new URL(server.url);
        url.pathname = `/${name}`;
        return url.href;
      },
      async dropDatabase(name) {
        await db.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
