/** The processes of the example: each service and the orchestrator, started again when they die. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A process to keep running. */
export interface Program {
  readonly name: string;
  /** Arguments for Node, the file to run among them. */
  readonly args: readonly string[];
  /** Whether a line of its output says that it is ready. */
  readonly isReady: (line: string) => boolean;
}

/** How to run the processes. */
export interface ProcessesOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Told of each line that a process prints, but for the one that says that it is ready. */
  readonly onLine: (name: string, pid: number, line: string) => void;
  /** Told when a process is ready; `again` if it had died before. */
  readonly onReady: (name: string, pid: number, again: boolean) => void;
  /** Told when a process died that should be running, and is started again. */
  readonly onDeath: (name: string, pid: number, how: string) => void;
}

/** So often may a process die without having been ready in between. */
const deathLimit = 3;

/** So long may a process take to end when it was asked to, in milliseconds; longer than a worker drains. */
const stopLimitMs = 20_000;

/** Keeps programs running until they are stopped. */
export class Processes {
  readonly #options: ProcessesOptions;
  readonly #children = new Map<string, ChildProcess>();
  #stopping = false;
  #giveUp: (error: Error) => void = () => {};

  /** Rejects when a process dies again and again and is given up; never resolves. */
  readonly givenUp = new Promise<never>((_, reject) => {
    this.#giveUp = reject;
  });

  constructor(options: ProcessesOptions) {
    this.#options = options;
    // Whoever does not wait for it has stopped caring.
    this.givenUp.catch(() => {});
  }

  /** Starts a program; resolves with the number of its process when it is ready for the first time. */
  start(program: Program): Promise<number> {
    return new Promise((resolve) => this.#spawn(program, 0, false, resolve));
  }

  /** Tells all to end, and waits until they have. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#children.values()].map(endOf));
  }

  #spawn(program: Program, deaths: number, again: boolean, onFirstReady: (pid: number) => void): void {
    const { env, onLine, onReady, onDeath } = this.#options;
    const child = spawn(process.execPath, [...nodeOptions, ...program.args], {
      env,
      // The input is the tie by which a child notices that we are gone.
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own: Ctrl-C on the terminal reaches only the main process, which then ends all in order.
      detached: true,
    });
    const pid = child.pid ?? 0;
    let failures = deaths + 1;
    this.#children.set(program.name, child);
    child.stdin.on("error", () => {});
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        if (!program.isReady(line)) return onLine(program.name, pid, line);
        failures = 0;
        onReady(program.name, pid, again);
        onFirstReady(pid);
      });
    }
    let problem: Error | undefined;
    child.once("error", (error) => {
      problem = error;
    });
    child.once("close", (code, signal) => {
      this.#children.delete(program.name);
      if (this.#stopping) return;
      const how = problem?.message ?? (signal === null ? `ended with code ${code}` : `was killed by ${signal}`);
      if (failures >= deathLimit) {
        this.#giveUp(new Error(`${program.name} ${how}, ${failures} times before it was ready; what it said is above`));
        return;
      }
      onDeath(program.name, pid, how);
      this.#spawn(program, failures, true, onFirstReady);
    });
  }
}

const endOf = async (child: ChildProcess): Promise<void> => {
  const late = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
  await new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.kill("SIGTERM");
  });
  clearTimeout(late);
};

// TypeScript runs as it is, and the packages of this repository from their sources.
const nodeOptions = [
  "--conditions=@floxy/source",
  "--import",
  import.meta.resolve("tsx"),
  "--import",
  import.meta.resolve("./end-with-parent.ts"),
];

/** The path of a file of this example, from its `src` folder. */
export const sourceFile = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
