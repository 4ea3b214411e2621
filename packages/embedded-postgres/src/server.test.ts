import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findBinaries } from "./binaries.ts";
import { acquireServer, startEmbeddedPostgres } from "./index.ts";

const until = (check: () => unknown): Promise<void> =>
  vi.waitFor(
    async () => {
      if (!(await check())) throw new Error("not yet");
    },
    { timeout: 20_000, interval: 20 },
  );

const answer = async (url: string): Promise<number | undefined> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    return (await client.query<{ n: number }>("SELECT 40 + 2 AS n")).rows[0]?.n;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
};

let directory: string;
const children = new Set<ChildProcess>();

/** A process of its own that holds the server; resolves when it has its URL. */
const holder = async (options: { uid?: number; gid?: number } = {}): Promise<{ url: string; child: ChildProcess }> => {
  const script = fileURLToPath(new URL("./testing/hold-server.ts", import.meta.url));
  const args = ["--conditions=@floxy/source", "--import", import.meta.resolve("tsx"), script, directory];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.add(child);
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the holder ended with ${code}`)));
  });
  return { url, child };
};

const lockFile = () => join(directory, "data", "postmaster.pid");
const postmaster = () => Number(readFileSync(lockFile(), "utf8").split("\n")[0]);
const isGone = () => !existsSync(lockFile());

const pidOfKeeper = (): number => {
  const processes = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const parentOf = new Map(processes.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]));
  // The keeper's child is a shell, and that one's child is the server.
  return parentOf.get(parentOf.get(postmaster()) ?? 0) ?? 0;
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "floxy-test-"));
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await until(isGone);
  await rm(directory, { recursive: true, force: true });
});

describe("an embedded server", { timeout: 60_000 }, () => {
  it("is shared by all who ask for the same folder, and gone when the last has closed", async () => {
    const first = await startEmbeddedPostgres({ directory });
    const second = await startEmbeddedPostgres({ directory });
    expect(second.url).toBe(first.url);
    await first.close();
    expect(await answer(second.url)).toBe(42);
    await second.close();
    expect(isGone()).toBe(true);
  });

  it("keeps what was written when it is started again", async () => {
    const first = await startEmbeddedPostgres({ directory });
    const client = new pg.Client({ connectionString: first.url });
    await client.connect();
    await client.query("CREATE TABLE kept (n int)");
    await client.end();
    await first.close();
    const again = await startEmbeddedPostgres({ directory });
    const reader = new pg.Client({ connectionString: again.url });
    await reader.connect();
    expect((await reader.query("SELECT * FROM kept")).rows).toEqual([]);
    await reader.end();
    await again.close();
  });

  it("is one server for processes that start it at the same moment", async () => {
    const holders = await Promise.all([holder(), holder(), holder(), holder()]);
    expect(new Set(holders.map(({ url }) => url)).size).toBe(1);
  });

  it("is gone when its last user was killed", async () => {
    const { child, url } = await holder();
    expect(await answer(url)).toBe(42);
    child.kill("SIGKILL");
    await until(isGone);
    expect(await answer(url)).toBeUndefined();
  });

  it("is gone when its keeper was killed, and starts again", async () => {
    const { url } = await holder();
    process.kill(pidOfKeeper(), "SIGKILL");
    const again = await startEmbeddedPostgres({ directory });
    expect(again.url).not.toBe(url);
    expect(await answer(again.url)).toBe(42);
    await again.close();
  });

  it("starts again after the server itself was killed", async () => {
    const { url } = await holder();
    process.kill(postmaster(), "SIGKILL");
    await until(async () => (await answer(url)) === undefined);
    const again = await startEmbeddedPostgres({ directory });
    expect(await answer(again.url)).toBe(42);
    await again.close();
  });

  it("starts though a killed server left a lock file with the number of another process", async () => {
    const first = await startEmbeddedPostgres({ directory });
    const lock = readFileSync(lockFile(), "utf8");
    await first.close();
    const { writeFile } = await import("node:fs/promises");
    await writeFile(lockFile(), lock.replace(/^\d+/, String(process.pid)));
    const again = await startEmbeddedPostgres({ directory });
    expect(await answer(again.url)).toBe(42);
    await again.close();
  });

  it("refuses those who do not know its password", async () => {
    const server = await startEmbeddedPostgres({ directory });
    const url = new URL(server.url);
    url.password = "guess";
    expect(await answer(url.href)).toBeUndefined();
    await server.close();
  });

  it("syncs its commits, because durability is what is tested with it", async () => {
    const server = await startEmbeddedPostgres({ directory });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query(
      "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit",
    );
    expect(rows).toEqual([{ fsync: "on", commit: "on" }]);
    await client.end();
    await server.close();
  });

  it("says why it did not start, with the end of its log", async () => {
    const started = startEmbeddedPostgres({ directory, settings: { no_such_setting: "1" } });
    await expect(started).rejects.toMatchObject({
      code: "START_FAILED",
      message: expect.stringContaining("unrecognized configuration parameter"),
    });
  });

  it.runIf(process.getuid?.() === 0)("runs for an ordinary user as well", async () => {
    await chmod(directory, 0o755);
    execFileSync("chown", ["65534:65534", directory]);
    const { url } = await holder({ uid: 65_534, gid: 65_534 });
    expect(await answer(url)).toBe(42);
  });
});

describe("acquireServer", () => {
  it("uses the server that DATABASE_URL names, and leaves it alone", async () => {
    const server = await acquireServer({ DATABASE_URL: "postgres://somewhere/else" });
    expect(server.url).toBe("postgres://somewhere/else");
    await server.close();
  });
});

describe("findBinaries", () => {
  it("says on a platform without binaries to set DATABASE_URL", () => {
    expect(() => findBinaries("sunos", "x64")).toThrow(/no PostgreSQL binaries for sunos-x64.*Set DATABASE_URL/);
  });

  it("says that an optional dependency is missing when it is", () => {
    const other = process.arch === "arm64" ? "x64" : "arm64";
    expect(() => findBinaries(process.platform, other)).toThrow(/is not installed.*Set DATABASE_URL/);
  });
});
