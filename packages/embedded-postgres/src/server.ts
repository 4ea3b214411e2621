/** Starting and sharing servers. */
import { createHash, randomBytes } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyBinaries, findBinaries } from "./binaries.ts";
import type { Hold } from "./connect.ts";
import { holdServer } from "./connect.ts";
import { defaultRoot, ensureOwnFolder, serverUser } from "./place.ts";

/** How to start a server. */
export interface EmbeddedPostgresOptions {
  /** The folder of the server; processes that name the same folder share a server. Default: one for each user. */
  readonly directory?: string | undefined;
  /** Settings of PostgreSQL for the one who starts the server; who joins it takes it as it is. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** How long the server stays when its last user has gone, in milliseconds. Default 200. */
  readonly lingerMs?: number | undefined;
  /** The platform to find binaries for. Default: this one. */
  readonly platform?: { readonly platform: string; readonly arch: string } | undefined;
}

/** A server that is kept while this is held. */
export interface PostgresServer {
  /** The URL of a superuser, to the database `postgres`. */
  readonly url: string;
  /** Lets go of the server; if nobody else holds it, it is stopped, and this resolves when it is gone. */
  close(): Promise<void>;
}

/**
 * Starts a real PostgreSQL 18 from the npm registry, or joins the one that other processes have started in the same
 * folder. It is gone when its last user is, also when that one was killed. Works as root too.
 *
 * Throws {@link EmbeddedPostgresError}; its message says what to do.
 */
export const startEmbeddedPostgres = async (options: EmbeddedPostgresOptions = {}): Promise<PostgresServer> => {
  const { platform, arch } = options.platform ?? process;
  const { native, version } = findBinaries(platform, arch);
  const root = defaultRoot();
  await ensureOwnFolder(root);
  const directory = options.directory ?? join(root, `shared-${version}`);
  await ensureOwnFolder(directory);
  const binaries = join(root, `binaries-${version}`);
  await copyBinaries(native, binaries);
  const user = await serverUser();
  const hold = await holdServer({
    directory,
    binaries,
    socket: join(root, `${createHash("sha256").update(directory).digest("hex").slice(0, 16)}.sock`),
    password: await passwordOf(directory),
    lingerMs: options.lingerMs ?? 200,
    settings: options.settings ?? {},
    ...(user && { user }),
  });
  let closed: Promise<void> | undefined;
  return {
    url: hold.url,
    close() {
      closed ??= letGo(hold);
      return closed;
    },
  };
};

/** The server that the environment names by DATABASE_URL, else the embedded one. */
export const acquireServer = async (env: NodeJS.ProcessEnv = process.env): Promise<PostgresServer> => {
  const url = env["DATABASE_URL"];
  return url ? { url, close: () => Promise.resolve() } : startEmbeddedPostgres();
};

// The first to come decides. A link appears at once with all that the file holds, so nobody reads half a password.
const passwordOf = async (directory: string): Promise<string> => {
  const file = join(directory, "password");
  const draft = `${file}-${process.pid}-${randomBytes(4).toString("hex")}`;
  await writeFile(draft, randomBytes(24).toString("base64url"), { flag: "wx", mode: 0o600 });
  await link(draft, file).catch(() => {});
  await rm(draft);
  return readFile(file, "utf8");
};

// The keeper ends the connection when it has heard of its end; if this was the last one, when the server is gone.
const letGo = ({ socket }: Hold): Promise<void> =>
  new Promise((resolve) => {
    socket.ref();
    socket.once("close", () => resolve());
    socket.end();
    socket.resume();
  });
