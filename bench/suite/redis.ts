/** A Redis of its own on a loopback port, for the peers that need one. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuUsOf } from "./process-times.ts";

/** What is looked for on the PATH; no package brings it. */
const program = "redis-server";

/** A running Redis. */
export interface Redis {
  readonly url: string;
  /** CPU time that it has taken, in microseconds. */
  cpuUs(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts a Redis without persistence, or one that syncs its log at each write as PostgreSQL does at each commit. Throws
 * where there is no `redis-server` on the PATH.
 */
export const startRedis = async (durable: boolean): Promise<Redis> => {
  const directory = await mkdtemp(join(tmpdir(), "floxy-bench-redis-"));
  const port = await freePort();
  const persistence = durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  // BullMQ asks for noeviction; what is evicted would be lost.
  const given = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--maxmemory-policy", "noeviction"];
  const server = spawn(program, [...given, "--save", "", ...persistence], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", () => reject(new Error(`${program} is not on the PATH`)));
    server.once("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
    server.stdout.on("data", (chunk: Buffer) => {
      if (chunk.toString("utf8").includes("Ready to accept connections")) resolve();
    });
  }).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  const { pid } = server;
  if (pid === undefined) throw new Error(`${program} has no process id`);
  return {
    url: `redis://127.0.0.1:${port}`,
    cpuUs: () => cpuUsOf(pid),
    async stop() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
