/** The command as a process of its own, run from source. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A process of the command. */
export interface CommandProcess {
  /** What it has written until now, to both outputs. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it is over. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const bin = fileURLToPath(new URL("../../bin/floxy-orchestrator.mjs", import.meta.url));

/** Runs the command with this environment, and nothing of ours but the PATH. */
export const runOrchestrator = (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): CommandProcess => {
  const child = spawn(process.execPath, ["--conditions=@floxy/source", "--import", "tsx", bin, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return {
    output: () => output,
    kill: (signal) => child.kill(signal),
    ended: new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal }));
    }),
  };
};
