/** Where servers live: a folder of this user's own, which no one else can write to. */
import { chmod, lstat, mkdir, readFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";

/** A user of the operating system, by number. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** The folder under which this user's servers and binaries live unless told otherwise. */
export const defaultRoot = (): string => join(tmpdir(), `floxy-postgres-${userInfo().uid}`);

/**
 * Makes a folder that only this user can write to, and that a server under another user can pass through. One that
 * stands there already must be this user's own: the folder for temporary files is open to all.
 */
export const ensureOwnFolder = async (path: string): Promise<void> => {
  await mkdir(path, { recursive: true, mode: 0o711 });
  const stat = await lstat(path);
  const { uid } = userInfo();
  const own = stat.isDirectory() && (uid === -1 || stat.uid === uid);
  if (!own) {
    throw new EmbeddedPostgresError(
      "DIRECTORY_UNSAFE",
      `${path} belongs to user ${stat.uid} and not to user ${uid}, who starts the server. Remove it, or set DATABASE_URL.`,
    );
  }
  await chmod(path, 0o711);
};

/**
 * The user that the server runs as: PostgreSQL refuses to run as root, so root gives way to `postgres`, else `nobody`.
 * `undefined` for any other user, who runs it himself.
 */
export const serverUser = async (): Promise<SystemUser | undefined> => {
  if (userInfo().uid !== 0) return undefined;
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] =
      users
        .split("\n")
        .find((line) => line.startsWith(`${name}:`))
        ?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
};
