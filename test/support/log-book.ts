/** A quiet logger that keeps what it is told. */
import type { Logger, LogMethod } from "@floxy/worker-sdk";

/** A logger that a test can read. */
export interface LogBook extends Logger {
  /** What was logged at `warn` and `error`, in order. */
  readonly lines: readonly string[];
}

/** Makes an empty log book. */
export const createLogBook = (): LogBook => {
  const lines: string[] = [];
  const write =
    (level: string): LogMethod =>
    (first: object | string, message?: string) => {
      lines.push(typeof first === "string" ? `${level} ${first}` : `${level} ${message} ${describe(first)}`);
    };
  const silent: LogMethod = () => {};
  return { lines, debug: silent, info: silent, warn: write("warn"), error: write("error") };
};

const describe = (fields: object): string =>
  JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value));
