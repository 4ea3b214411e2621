/** What an error of the database means: whether it passes, and whether the connection that gave it can be kept. */
import { FloxyError, isFloxyError } from "../vocabulary/error.ts";

/**
 * Whether the database could not be reached, or was lost on the way: refused, reset, timed out, shutting down, starting
 * up, out of connections, or read-only because it is a standby now. The statement may or may not have taken effect.
 */
export const isUnavailable = (error: unknown): boolean =>
  isFloxyError(error, "DATABASE_UNAVAILABLE") ||
  unavailableCode.test(codeOf(error)) ||
  isMissingSocket(error) ||
  (codeOf(error) === "" && error instanceof Error && driverMessage.test(error.message));

/**
 * Whether the same call may succeed if it is simply repeated: all that {@link isUnavailable} says, a deadlock, a
 * serialization failure, a lock timeout, a cancelled statement, a full disk or memory, a prepared statement that went
 * stale.
 */
export const isTransient = (error: unknown): boolean =>
  isUnavailable(error) || transientCode.test(codeOf(error)) || isStalePlan(error);

/**
 * Whether a connection must not be used again after it gave this error. Anything but an answer of the server leaves its
 * state unknown; a standby stays one for this connection even when the name already leads to the new primary; and the
 * driver would go on using a prepared statement that is stale or gone.
 */
export const spoilsConnection = (error: unknown): boolean =>
  !sqlState.test(codeOf(error)) || isUnavailable(error) || isStalePlan(error) || /^26000$|^42P05$/.test(codeOf(error));

/**
 * The error as the store throws it: `DATABASE_UNAVAILABLE`, `SCHEMA_OUTDATED` when our tables are missing,
 * `CONFIGURATION_INVALID` when the server refuses user or database; anything else as it is.
 */
export const asStoreError = (error: unknown): unknown => {
  if (error instanceof FloxyError) return error;
  const said = error instanceof Error ? messageOf(error) : String(error);
  if (isUnavailable(error)) {
    return new FloxyError("DATABASE_UNAVAILABLE", `the database cannot be reached: ${said}`, { cause: error });
  }
  switch (codeOf(error)) {
    case "42P01":
    case "3F000":
      return new FloxyError("SCHEMA_OUTDATED", `Floxy's tables are missing: ${said}; run the migrations`, {
        cause: error,
      });
    case "28000":
    case "28P01":
    case "3D000":
      return new FloxyError("CONFIGURATION_INVALID", `the database refuses the connection: ${said}; check its URL`, {
        cause: error,
      });
    default:
      return error;
  }
};

/**
 * As {@link asStoreError}, for an attempt to connect: what neither the server nor the network said, such as a certificate
 * that is not trusted, is `CONFIGURATION_INVALID`.
 */
export const asConnectError = (error: unknown): unknown => {
  const known = asStoreError(error);
  if (known instanceof FloxyError || sqlState.test(codeOf(error))) return known;
  const said = error instanceof Error ? messageOf(error) : String(error);
  return new FloxyError("CONFIGURATION_INVALID", `no connection to the database can be made: ${said}`, {
    cause: error,
  });
};

/** The SQLSTATE or the system's code that an error carries, or an empty text. */
export const codeOf = (error: unknown): string => {
  const code: unknown = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : "";
};

// Classes 08 (connection) and 57P (shutdown, crash, starting up, database dropped), 53300 (too many connections), 25006
// (read-only: a standby), 25P03 and 57P05 (the server ended an idle session), and what the system says of sockets and names.
const unavailableCode =
  /^(08...|57P..|53300|25006|25P0[34]|E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|(HOST|NET)(UNREACH|DOWN)|NOTFOUND|AI_AGAIN))$/;

// Deadlock, serialization failure, lock not available, cancelled (statement_timeout).
const transientCode = /^(40P01|40001|55P03|57014|53...|58030)$/;

const sqlState = /^[0-9A-Z]{5}$/;

// The driver gives its own errors no code, so these few are known by their text; database.test.ts holds it to them.
const driverMessage =
  /^(Connection terminated|Query read timeout$|timeout expired$|timeout exceeded when trying to connect$|Client has encountered a connection error|Client was closed|Connection ended)/;

// A plan whose table was changed under it, by a migration while we run. The code alone says only "not supported".
const isStalePlan = (error: unknown): boolean =>
  codeOf(error) === "0A000" && (error as { routine?: unknown }).routine === "RevalidateCachedQuery";

// No Unix socket, so no server; of files the same code would say something else.
const isMissingSocket = (error: unknown): boolean =>
  codeOf(error) === "ENOENT" && (error as { syscall?: unknown }).syscall === "connect";

const messageOf = (error: Error): string => {
  // Several addresses of one name were tried: the outer error has no message of its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first.message : error.message;
};
