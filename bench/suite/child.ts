/** Processes that a system is measured in, seen from the harness. */
import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Calls } from "./protocol.ts";

const hostFile = fileURLToPath(new URL("../host.ts", import.meta.url));

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A fresh Node process that can be asked what {@link Calls} says. */
export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #printed = "";
  #next = 0;

  constructor() {
    this.#process = fork(hostFile, [], {
      execArgv: ["--conditions=@floxy/source", "--import", "tsx"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
    });
    const keep = (chunk: Buffer): void => {
      this.#printed = `${this.#printed}${chunk.toString("utf8")}`.slice(-2_000);
    };
    this.#process.stdout?.on("data", keep);
    this.#process.stderr?.on("data", keep);
    this.#process.on("message", (message) => this.#answered(message as Answer));
    this.#process.on("exit", (code, signal) => {
      const error = new Error(`the process ended (${signal ?? code}) and last printed: ${this.#printed.trim()}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** Asks, and waits for the answer; rejects with what went wrong over there. */
  ask<Name extends keyof Calls>(
    name: Name,
    ...take: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      // What `name` answers is what the other side made of the same table of calls.
      this.#waiting.set(number, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send({ number, name, take: take[0] }, (error) => {
        if (error) reject(error);
      });
    });
  }

  /** Ends the process: in good order, and after ten seconds at once. */
  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    const kill = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await this.ask("close").catch(() => {});
    if (this.#process.connected) this.#process.disconnect();
    await gone;
    clearTimeout(kill);
  }

  #answered({ number, value, error }: Answer): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }
}
