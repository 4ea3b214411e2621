// @ts-check
/**
 * The keeper: a small process that owns a PostgreSQL server for as long as anyone uses it. Plain JavaScript, so that it
 * can be started from source and from a build alike.
 *
 * States: preparing → starting → serving → stopping → gone.
 * - Every user holds one connection to the keeper's socket. The kernel closes it when the user ends, however it ends. When
 *   the last one is closed and none comes within a moment, the server is stopped.
 * - Which keeper serves is decided by PostgreSQL's own lock file: who cannot take it ends with the code `busy`, and its
 *   parent goes on looking for the one that can.
 * - Should the keeper be killed, the server ends by itself: it runs beside a shell that waits for the end of its input,
 *   which only the keeper holds open.
 */
import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** The exit code that says: another server holds the directory just now. */
const busy = 75;

/**
 * @type {{
 *   directory: string, binaries: string, socket: string, log: string, password: string, lingerMs: number,
 *   user?: { uid: number, gid: number }, settings: Record<string, string>
 * }}
 */
const plan = JSON.parse(readFileSync(0, "utf8"));
const { directory, binaries, socket, password, lingerMs, user, settings } = plan;
const data = join(directory, "data");
const bin = (/** @type {string} */ name) => join(binaries, "bin", name);
const as = user === undefined ? {} : { uid: user.uid, gid: user.gid };
// No variable of the environment may lead the server elsewhere, and messages are read below.
const env = { PATH: process.env["PATH"] ?? "", LC_ALL: "C", TZ: "UTC" };

process.chdir(directory);
process.umask(0o077);
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
initialise();
await serve(await freePort());

/** Makes the cluster if it is missing. In a folder of its own first, so that a half-made one is never used. */
function initialise() {
  if (existsSync(join(data, "PG_VERSION"))) return;
  const draft = join(directory, `draft-${process.pid}`);
  const passwordFile = join(directory, `password-${process.pid}`);
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) for (const path of [draft, passwordFile]) chownSync(path, user.uid, user.gid);
  const args = ["-D", draft, "-U", "postgres", "--pwfile", passwordFile, "--auth=scram-sha-256"];
  const result = spawnSync(
    bin("initdb"),
    [...args, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
    {
      ...as,
      env,
      encoding: "utf8",
    },
  );
  rmSync(passwordFile, { force: true });
  if (result.status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    fail(`initdb failed: ${result.error?.message ?? result.stderr}`);
  }
  try {
    renameSync(draft, data);
  } catch {
    // Another keeper was faster; its cluster is as good.
    rmSync(draft, { recursive: true, force: true });
  }
}

/** @param {number} port */
async function serve(port) {
  const all = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "300",
    timezone: "UTC",
    logging_collector: "off",
    ...settings,
  };
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // `$0` is postgres. The shell's own input is a pipe that ends with this process; then the server is asked to end.
  const script = 'exec 3<&0; "$0" "$@" </dev/null 3<&- & P=$!; (cat <&3; kill -INT $P) >/dev/null 2>&1 & wait $P';
  const shell = spawn("/bin/sh", ["-c", script, bin("postgres"), "-D", data, ...args], {
    ...as,
    env,
    stdio: ["pipe", "ignore", "pipe"],
  });
  shell.stdin.on("error", () => {});
  let log = "";
  let serving = false;
  // Of a server that ran, its end is enough; of one that did not start, what it wrote must be read to the end.
  shell.once("exit", () => {
    if (!serving) return;
    rmSync(socket, { force: true });
    end(0);
  });
  const ended = new Promise((resolve) => shell.once("close", resolve));
  shell.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    process.stderr.write(text);
    if (serving) return;
    log = (log + text).slice(-8_000);
    if (!log.includes("database system is ready to accept connections")) return;
    serving = true;
    openSocket(port, shell);
  });
  await ended;
  if (/lock file "postmaster.pid" already exists|could not bind IPv4 address|pre-existing shared memory/.test(log)) {
    end(busy);
  }
  fail(log);
}

/**
 * @param {number} port
 * @param {import("node:child_process").ChildProcess} shell
 */
function openSocket(port, shell) {
  let users = 0;
  let stopping = false;
  /** @type {NodeJS.Timeout | undefined} */
  let idle;
  /**
   * Connections of users who said goodbye last: they are told by its end that the server is gone.
   * @type {Set<import("node:net").Socket>}
   */
  const leaving = new Set();
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    users++;
    clearTimeout(idle);
    for (const last of leaving) last.end();
    leaving.clear();
    let present = true;
    const leave = () => {
      if (!present) return;
      present = false;
      users--;
      if (users > 0 || stopping) return void connection.end();
      leaving.add(connection);
      wait();
    };
    connection.on("error", leave).on("end", leave).on("close", leave);
    connection.resume();
    const url = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    connection.write(`${JSON.stringify({ url })}\n`);
  });
  const wait = () => {
    clearTimeout(idle);
    idle = setTimeout(stop, lingerMs);
  };
  const stop = () => {
    if (stopping) return;
    stopping = true;
    // From here no one can find this keeper; who comes now starts another, which waits for the end of this server.
    rmSync(socket, { force: true });
    server.close();
    shell.stdin?.end();
    const late = setTimeout(() => killServer("SIGQUIT"), 10_000);
    late.unref();
  };
  process.on("SIGTERM", stop);
  // A socket that a killed keeper left behind: this one holds the server's lock, so that one is gone.
  rmSync(socket, { force: true });
  server.listen(socket, wait);
}

/** @param {NodeJS.Signals} signal */
function killServer(signal) {
  try {
    process.kill(Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]), signal);
  } catch {
    // It has just ended.
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/**
 * Ends when there is nothing that anyone would want to read in the log.
 * @param {number} code
 * @returns {never}
 */
function end(code) {
  rmSync(plan.log, { force: true });
  process.exit(code);
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`\nkeeper: ${message}\n`);
  process.exit(1);
}
