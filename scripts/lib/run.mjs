import { spawn } from "node:child_process";
import { root, toolEnvironment } from "./project.mjs";

const shell = process.platform === "win32";

/**
 * Runs a command and hands back what it printed; never rejects. A command that cannot be started has code 127.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string> }} [options] variables on top of the tools' environment
 * @returns {Promise<{ code: number; output: string }>}
 */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: toolEnvironment(options.env),
      stdio: ["ignore", "pipe", "pipe"],
      shell,
    });
    const release = forwardSignals(child);
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    const done = (code, extra = "") => {
      release();
      resolve({ code, output: Buffer.concat(chunks).toString("utf8") + extra });
    };
    child.on("error", (error) => done(127, `${command}: ${error.message}\n`));
    child.on("close", (code, signal) => done(code ?? 1, signal === null ? "" : `${command} was ended by ${signal}\n`));
  });
}

/**
 * Runs a command on our own terminal. Signals sent to this process reach it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string> }} [options] variables on top of the tools' environment
 * @returns {Promise<{ code: number | null; signal: NodeJS.Signals | null }>}
 */
export function attach(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: toolEnvironment(options.env), stdio: "inherit", shell });
    const release = forwardSignals(child);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      release();
      resolve({ code, signal });
    });
  });
}

/** Ends this process the way its child ended, so that a caller sees the same exit code or signal. */
export function endLike({ code, signal }) {
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
}

let interruption = null;

/** The signal that asked this process to end, or null. What has not begun by then should not begin. */
export function interruptedBy() {
  return interruption;
}

/**
 * While the child runs, signals are for it: this process stays until the child has drained. Ctrl-C on a terminal reaches
 * the whole foreground group, the child too, so it is passed on only where there is no terminal.
 */
function forwardSignals(child) {
  const pass = (signal) => {
    interruption = signal;
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, pass);
  const watch = whenOrphaned(() => pass("SIGTERM"));
  return () => {
    clearInterval(watch);
    for (const signal of signals) process.off(signal, pass);
  };
}

/**
 * npm runs a script through a shell, and a SIGTERM for npm ends that shell without a word to us. So under npm the loss of
 * our parent counts as the signal.
 */
function whenOrphaned(then) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    then();
  }, 250);
  return watch.unref();
}
