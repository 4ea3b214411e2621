/** Where workers and clients log. */
import type { Logger } from "../handler/context.ts";

const silent = (): void => {};

/** Warnings and errors to the console. */
export const consoleLogger: Logger = {
  debug: silent,
  info: silent,
  // biome-ignore lint/suspicious/noConsole: this is the logger of those who name none.
  warn: (...line: unknown[]) => console.warn(...line),
  // biome-ignore lint/suspicious/noConsole: as above.
  error: (...line: unknown[]) => console.error(...line),
};

/** A logger that never throws, whatever the given one does: a line that cannot be written must not end a worker. */
export const safely = (logger: Logger): Logger => {
  const method = (level: keyof Logger) => (first: object | string, message?: string) => {
    try {
      if (typeof first === "string" || message === undefined) logger[level](first as string);
      else logger[level](first, message);
    } catch {
      // There is nowhere left to say so.
    }
  };
  return { debug: method("debug"), info: method("info"), warn: method("warn"), error: method("error") };
};
