/** What the processes say, as a person wants to read it. */

const quiet = new Set(["trace", "debug", "info"]);

/**
 * A line of output for people: one of a log in JSON becomes its message, with the error that came with it, or
 * `undefined` if it is not a warning or worse; any other stays as it is.
 */
export const readable = (line: string): string | undefined => {
  if (!line.startsWith("{")) return line;
  const fields = parse(line);
  if (fields === undefined || typeof fields["msg"] !== "string") return line;
  if (typeof fields["level"] === "string" && quiet.has(fields["level"])) return undefined;
  return warning(fields["msg"], fields["error"]);
};

/** A warning in one line: what happened, and what is known of the reason. */
export const warning = (message: string, error?: unknown): string => {
  const reason = error === undefined ? "" : messageOf(error);
  return reason === "" ? `! ${message}` : `! ${message}: ${reason}`;
};

/** An error in a few words, without a stack. */
export const messageOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error);
  // What Node throws when it tried several addresses has no message of its own.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  if ("message" in error && typeof error.message === "string") return error.message;
  return JSON.stringify(error);
};

const parse = (line: string): Record<string, unknown> | undefined => {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};
