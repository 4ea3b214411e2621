/** Ctrl-C and its like: the run is told once, and ends in order. */
import { setMaxListeners } from "node:events";
import { constants } from "node:os";

/** What ends a run before its orders are done. */
export class Interrupted extends Error {
  /** The exit code that shells give to a process that ended by this signal. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.exitCode = exitCodeOf(signal);
  }
}

const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Ctrl-C may reach us from the terminal and again from whoever started us; only later ones mean impatience. */
const sameSignalMs = 1_000;

/**
 * A signal that is aborted with {@link Interrupted} when someone asks this process to end, or nobody reads its output any
 * more. Who asks twice does not want to wait: then it ends at once, and its children notice.
 */
export const untilInterrupted = (): AbortSignal => {
  const controller = new AbortController();
  // Every order that is waited for listens.
  setMaxListeners(0, controller.signal);
  let firstAt = 0;
  const interrupt = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (!controller.signal.aborted) {
      firstAt = now;
      controller.abort(new Interrupted(signal));
    } else if (now - firstAt > sameSignalMs) process.exit(exitCodeOf(signal));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  process.stdout.on("error", () => {
    if (!controller.signal.aborted) interrupt("SIGPIPE");
  });
  return controller.signal;
};

/** Rejects with the signal's reason when it is aborted; never resolves. */
export const interruption = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
