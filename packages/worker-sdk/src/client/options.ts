/** What a client can be told, with its defaults. */
import { FloxyError } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import { consoleLogger } from "../worker/logger.ts";

/** How to make a {@link FloxyClient}. */
export interface ClientOptions {
  /** The database that all services share: `postgres://user:password@host:5432/database`. */
  readonly connectionString: string;
  /** The schema of Floxy's tables. Default `floxy`. */
  readonly schema?: string | undefined;
  /** Another URL for LISTEN, needed behind pgbouncer in transaction mode; `false` for polling alone. */
  readonly listenConnectionString?: string | false | undefined;
  /** The most connections, not counting the one for LISTEN. Default 4. */
  readonly maxConnections?: number | undefined;
  /** `false` behind pgbouncer in transaction mode. Default `true`. */
  readonly prepare?: boolean | undefined;
  /** The largest input or metadata of an instance, in bytes of JSON. Default 1 MiB. */
  readonly payloadLimit?: number | undefined;
  /** How long a start is tried again while the database cannot be reached, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number | undefined;
  /** How long an act, such as cancelling, is tried again while the database cannot be reached, in milliseconds. Default 30,000. */
  readonly actTimeoutMs?: number | undefined;
  /** Where the client logs. Default: warnings and errors to the console. */
  readonly logger?: Logger | undefined;
}

/** The options of a client, all of them. */
export type ResolvedClientOptions = {
  readonly [K in keyof Omit<ClientOptions, "payloadLimit">]-?: Exclude<ClientOptions[K], undefined>;
} & { readonly payloadLimit: number | undefined };

/** The longest that a timer of Node.js can wait, in milliseconds. */
export const timerLimitMs = 2_147_483_647;

/** Checks the options and fills in the defaults. Throws `OPTION_INVALID` that names all that is wrong. */
export const resolveClientOptions = (options: ClientOptions): ResolvedClientOptions => {
  const problems: string[] = [];
  const integer = (name: string, value: number, most: number): number => {
    const fits = Number.isInteger(value) && value >= 1 && value <= most;
    if (!fits) problems.push(`${name} must be an integer from 1 to ${most}, not ${String(value)}`);
    return value;
  };
  const { connectionString, payloadLimit, listenConnectionString: listen } = options;
  if (!isText(connectionString)) problems.push("connectionString is missing");
  if (listen !== undefined && listen !== false && !isText(listen)) {
    problems.push("listenConnectionString must be a URL or false");
  }
  if (payloadLimit !== undefined) integer("payloadLimit", payloadLimit, 256 * 1_048_576);
  const resolved: ResolvedClientOptions = {
    connectionString,
    schema: options.schema ?? "floxy",
    listenConnectionString: listen ?? connectionString,
    maxConnections: integer("maxConnections", options.maxConnections ?? 4, 1_000),
    prepare: options.prepare ?? true,
    payloadLimit,
    startTimeoutMs: integer("startTimeoutMs", options.startTimeoutMs ?? 30_000, timerLimitMs),
    actTimeoutMs: integer("actTimeoutMs", options.actTimeoutMs ?? 30_000, timerLimitMs),
    logger: options.logger ?? consoleLogger,
  };
  if (problems.length === 0) return resolved;
  throw new FloxyError("OPTION_INVALID", `The client cannot be made: ${problems.join("; ")}.`);
};

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
