/** A server whose keeper is gone, and that did not end by itself. */
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Ends the server that holds a cluster. The lock file names its process; should that number belong to another program
 * meanwhile, only the stale lock file is removed.
 */
export const stopOrphan = async (data: string): Promise<void> => {
  const lock = join(data, "postmaster.pid");
  const pid = Number((await readFile(lock, "utf8").catch(() => "")).split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  if (await isPostgres(pid)) process.kill(pid, "SIGQUIT");
  else await rm(lock, { force: true });
};

const isPostgres = async (pid: number): Promise<boolean> => {
  const { stdout } = await promisify(execFile)("ps", ["-o", "comm=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.includes("postgres");
};
