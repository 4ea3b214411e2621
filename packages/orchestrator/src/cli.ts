/** The command `floxy-orchestrator`: arguments, environment, signals, exit codes. */

import { parseArgs } from "node:util";
import { isFloxyError } from "@floxy/shared";
import type { Configuration } from "./environment/environment.ts";
import { readEnvironment } from "./environment/environment.ts";
import { settingTexts } from "./environment/settings.ts";
import { locationOf } from "./environment/url.ts";
import { createLogger, errorField } from "./log.ts";
import { createOrchestrator } from "./orchestrator.ts";
import { version } from "./version.ts";

/** What the command takes from its process, handed in so that a test can be one. */
export interface CommandIo {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Calls back for each SIGTERM and SIGINT. */
  readonly onSignal: (call: (signal: NodeJS.Signals) => void) => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** The exit codes: stopped as asked; could not start or go on; wrong arguments or environment. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs the command; resolves with its exit code when it is over. */
export const runCommand = async (io: CommandIo): Promise<number> => {
  const asked = readArguments(io);
  if (asked === "help") io.out(helpText());
  if (asked === "version") io.out(`${version}\n`);
  if (asked === "help" || asked === "version") return exitCodes.ok;
  if (asked === "usage") return exitCodes.usage;
  try {
    return await serve(readEnvironment(io.environment), io);
  } catch (error) {
    if (!isFloxyError(error, "CONFIGURATION_INVALID")) throw error;
    io.err(`floxy-orchestrator: ${error.message}\nSee floxy-orchestrator --help.\n`);
    return exitCodes.usage;
  }
};

const readArguments = ({ args, err }: CommandIo): "help" | "version" | "usage" | "serve" => {
  try {
    const options = { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } } as const;
    const { values } = parseArgs({ args: [...args], options });
    return values.help ? "help" : values.version ? "version" : "serve";
  } catch (error) {
    err(`floxy-orchestrator: ${error instanceof Error ? error.message : String(error)}\n`);
    err("It takes no arguments but --help and --version; everything else is set by environment variables.\n");
    return "usage";
  }
};

const serve = async ({ options, logLevel, warnings }: Configuration, io: CommandIo): Promise<number> => {
  const log = createLogger(logLevel);
  for (const warning of warnings) log.warn({}, warning);
  log.info({ database: locationOf(options.connectionString), schema: options.schema, version }, "starting");
  const orchestrator = createOrchestrator({ ...options, logger: log });
  let asked = false;
  const stopped = new Promise<void>((resolve) => {
    io.onSignal((signal) => {
      // Whoever asks twice does not want to wait.
      if (asked) return io.exit(exitCodes.failed);
      asked = true;
      log.info({ signal }, "asked to stop");
      orchestrator.stop().then(resolve, resolve);
    });
  });
  try {
    await orchestrator.start();
  } catch (error) {
    if (!asked) {
      log.error({ error: errorField(error) }, "the orchestrator could not start");
      return exitCodes.failed;
    }
  }
  await stopped;
  return exitCodes.ok;
};

const wrap = (text: string, width: number, indent: string): string => {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.map((line) => `${indent}${line}\n`).join("");
};

const helpText = (): string => {
  const settings = Object.entries(settingTexts).map(([name, { help, allowed, fallback, secret }]) => {
    const standard = fallback === undefined ? " (required)" : secret ? "" : `=${fallback}`;
    return `  ${name}${standard}\n${wrap(`${help} Allowed: ${allowed}.`, 92, "      ")}`;
  });
  return `floxy-orchestrator ${version}: joins, rollbacks, due retries and delays, lost leases, metrics.

Usage: floxy-orchestrator [--help | --version]

It is configured by environment variables, shown here with their defaults:

${settings.join("\n")}
It serves /metrics, /healthz and /readyz, and drains on SIGTERM and SIGINT. Run as many copies as you like.
Exit codes: 0 stopped as asked, 1 could not start, 2 wrong arguments or environment.
`;
};
