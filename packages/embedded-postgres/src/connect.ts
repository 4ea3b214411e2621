/** Finding the keeper of a server, or starting one. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EmbeddedPostgresError } from "./error.ts";
import { stopOrphan } from "./orphan.ts";
import type { SystemUser } from "./place.ts";

/** What a keeper is told when it is started. */
export interface KeeperPlan {
  readonly directory: string;
  readonly binaries: string;
  readonly socket: string;
  readonly password: string;
  /** How long the server stays when nobody uses it, in milliseconds. */
  readonly lingerMs: number;
  readonly user?: SystemUser;
  readonly settings: Readonly<Record<string, string>>;
}

/** A connection to a keeper; the server is kept while it is open. */
export interface Hold {
  readonly url: string;
  readonly socket: Socket;
}

/** The exit code of a keeper that found the directory held by another server. */
const busyCode = 75;

/** After so long without a keeper that answers, a server that holds the directory is taken for an orphan. */
const orphanAfterMs = 5_000;

const deadlineMs = 60_000;

/** Connects to the keeper of a directory, starting one as often as needed. Throws `START_FAILED` with the server's log. */
export const holdServer = async (plan: KeeperPlan): Promise<Hold> => {
  const startedAt = performance.now();
  let keeper: ChildProcess | undefined;
  let busySince: number | undefined;
  for (;;) {
    const hold = await greet(plan.socket);
    if (hold !== undefined) return hold;
    if (performance.now() - startedAt > deadlineMs) throw await startFailed(plan, "it took longer than a minute");
    const ended = keeper !== undefined && (keeper.exitCode !== null || keeper.signalCode !== null);
    if (ended && keeper?.exitCode === busyCode) {
      busySince ??= performance.now();
      if (performance.now() - busySince > orphanAfterMs) {
        await stopOrphan(join(plan.directory, "data"));
        busySince = undefined;
      }
    } else if (ended && keeper?.exitCode === 1) throw await startFailed(plan, "the server did not start");
    if (keeper === undefined || ended) keeper = await startKeeper(plan);
    await pause(keeper.exitCode === null ? 20 : 100);
  }
};

/** Asks the keeper at a socket for the server's URL; `undefined` if none answers. */
const greet = (path: string): Promise<Hold | undefined> =>
  new Promise((resolve) => {
    const socket = createConnection(path);
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
    socket.on("data", async (chunk) => {
      text += String(chunk);
      if (!text.endsWith("\n")) return;
      const { url } = JSON.parse(text) as { url: string };
      // A keeper whose server was killed just now may not know it yet.
      if (!(await listens(Number(new URL(url).port)))) return void socket.destroy();
      socket.removeAllListeners("close");
      // The connection is held for its end, and must not keep this process from ending.
      socket.unref();
      resolve({ url, socket });
    });
  });

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createConnection({ host: "127.0.0.1", port });
    probe.on("error", () => resolve(false));
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
  });

const startKeeper = async (plan: KeeperPlan): Promise<ChildProcess> => {
  const log = await open(logOf(plan), "w", 0o600);
  const keeper = spawn(process.execPath, [fileURLToPath(new URL("./keeper.mjs", import.meta.url))], {
    detached: true,
    stdio: ["pipe", log.fd, log.fd],
    // Options for Node of this process, such as a debugger's, are not meant for the keeper.
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  keeper.on("error", () => {});
  keeper.stdin?.on("error", () => {});
  keeper.stdin?.end(JSON.stringify({ ...plan, log: logOf(plan) }));
  keeper.unref();
  await log.close();
  return keeper;
};

const logOf = (plan: KeeperPlan): string => join(plan.directory, `keeper-${process.pid}.log`);

const startFailed = async (plan: KeeperPlan, why: string): Promise<EmbeddedPostgresError> => {
  const log = await readFile(logOf(plan), "utf8").catch(() => "");
  const tail = log.trim().split("\n").slice(-20).join("\n");
  return new EmbeddedPostgresError(
    "START_FAILED",
    `The embedded PostgreSQL in ${plan.directory} could not be started: ${why}. Set DATABASE_URL to use another server. The end of its log:\n${tail}`,
  );
};
