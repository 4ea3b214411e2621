/** The processes of the example: each service and the orchestrator, started again when they die. */
import { type ChildProcess, spawn } from "node:child_process";
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
  /** Told of each line that a process prints. */
  readonly onLine: (name: string, pid: number, line: string) => void;
  /** Told when a process died that should be running, and is started again. */
  readonly onDeath: (name: string, pid: number, how: string) => void;
  /** Told when a process dies again and again and is given up. */
  readonly onGivenUp: (name: string, how: string) => void;
}

/** So often may a process die without having been ready in between. */
const deathLimit = 3;

/** Keeps programs running until they are stopped. */
export class Processes {
  readonly #options: ProcessesOptions;
  readonly #children = new Map<string, ChildProcess>();
  #stopping = false;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /** Starts a program; resolves when it is ready for the first time. */
  start(program: Program): Promise<void> {
    return new Promise((resolve) => this.#spawn(program, 0, resolve));
  }

  /** Tells all to end, and waits until they have. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const ends = [...this.#children.values()].map(
      (child) => new Promise<void>((resolve) => child.once("close", () => resolve())),
    );
    for (const child of this.#children.values()) child.kill("SIGTERM");
    await Promise.all(ends);
  }

  #spawn(program: Program, deaths: number, onReady: () => void): void {
    const { env, onLine, onDeath, onGivenUp } = this.#options;
    const child = spawn(process.execPath, [...nodeOptions, ...program.args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: Ctrl-C on the terminal reaches only the main process, which then ends all in order.
      detached: true,
    });
    const pid = child.pid ?? 0;
    let failures = deaths;
    this.#children.set(program.name, child);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        if (program.isReady(line)) {
          failures = 0;
          onReady();
        } else onLine(program.name, pid, line);
      });
    }
    child.once("close", (code, signal) => {
      this.#children.delete(program.name);
      if (this.#stopping) return;
      const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
      if (failures + 1 >= deathLimit) return onGivenUp(program.name, how);
      onDeath(program.name, pid, how);
      this.#spawn(program, failures + 1, onReady);
    });
  }
}

// TypeScript runs as it is, and the packages of this repository from their sources.
const nodeOptions = ["--conditions=@floxy/source", "--import", import.meta.resolve("tsx")];

/** The path of a file of this example, from its `src` folder. */
export const sourceFile = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
