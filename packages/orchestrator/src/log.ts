/** The log: JSON lines. The only file that imports pino. Payloads, inputs and outputs of instances are never logged. */
import { pino } from "pino";

/** The levels of {@link createLogger}, the quietest first. */
export const logLevels = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;

/** How much is logged. */
export type LogLevel = (typeof logLevels)[number];

/** What the orchestrator needs of a logger; pino's fits. Fields come first, then a sentence. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A logger that writes JSON lines to standard output. */
export const createLogger = (level: LogLevel): Logger =>
  pino({
    level,
    base: { name: "floxy-orchestrator", pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });

/** A logger that says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** An error as a field of a log line: what a person needs, and nothing of the values a statement was given. */
export const errorField = (error: unknown): { readonly code?: string; readonly message: string } => {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? { code, message: error.message } : { message: error.message };
};
