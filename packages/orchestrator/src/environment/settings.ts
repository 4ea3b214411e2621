/** The settings that the environment can give, in the order of `--help`. Values arrive as text and are checked by zod. */
import { z } from "zod";
import { logLevels } from "../log.ts";
import { isDatabaseUrl } from "./url.ts";

/** What people are told of a setting. */
export interface SettingText {
  readonly help: string;
  /** What is allowed; it ends the sentence "… must be". */
  readonly allowed: string;
  /** The value when it is not set; absent if it must be set. */
  readonly fallback?: string;
  /** Whether its value may hold a password. */
  readonly secret?: true;
}

const text = z.string().trim();
const databaseUrl = text.refine(isDatabaseUrl);
const yesOrNo = text.pipe(z.enum(["true", "false"])).transform((value) => value === "true");
const integer = (min: number, max: number) =>
  text
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));

/** The shapes of the values, by the name of the variable. */
export const settingShapes = {
  DATABASE_URL: databaseUrl,
  FLOXY_SCHEMA: text.refine((name) => Buffer.byteLength(name) <= 63 && !name.includes("\0")),
  FLOXY_MIGRATE: yesOrNo,
  FLOXY_LISTEN_URL: text.pipe(z.union([z.literal("off"), databaseUrl])),
  FLOXY_PREPARE: yesOrNo,
  FLOXY_POOL_SIZE: integer(2, 100),
  FLOXY_HTTP_HOST: text.regex(/^[\w.:-]+$/),
  FLOXY_HTTP_PORT: text.pipe(z.union([z.literal("off").transform(() => "off" as const), integer(0, 65_535)])),
  FLOXY_POLL_INTERVAL_MS: integer(50, 60_000),
  FLOXY_REVIEW_BATCH: integer(1, 1_000),
  FLOXY_SAMPLE_INTERVAL_MS: integer(5_000, 3_600_000),
  FLOXY_HISTORY_INTERVAL_MS: text.pipe(
    z.union([z.literal("off").transform(() => "off" as const), integer(1_000, 86_400_000)]),
  ),
  FLOXY_RECONCILE_INTERVAL_MS: text.pipe(
    z.union([z.literal("off").transform(() => "off" as const), integer(1_000, 86_400_000)]),
  ),
  FLOXY_STALE_AFTER_MS: integer(1_000, 3_600_000),
  FLOXY_DRAIN_TIMEOUT_MS: integer(0, 3_600_000),
  FLOXY_LOG_LEVEL: text.pipe(z.enum(logLevels)),
};

/** The name of a setting's variable. */
export type SettingName = keyof typeof settingShapes;

const url = "a URL such as postgres://user:password@host:5432/database, special characters percent-encoded";
const milliseconds = (min: string, max: string) => `a whole number of milliseconds from ${min} to ${max}`;

/** The words for the settings, by the name of the variable. */
export const settingTexts: Readonly<Record<SettingName, SettingText>> = {
  DATABASE_URL: { help: "The PostgreSQL database that the workers share.", allowed: url, secret: true },
  FLOXY_SCHEMA: { help: "The schema of Floxy's tables.", allowed: "a name of at most 63 bytes", fallback: "floxy" },
  FLOXY_MIGRATE: {
    help: "Bring the schema up to date on start; with false, start only if it is. Copies wait for each other.",
    allowed: "true or false",
    fallback: "true",
  },
  FLOXY_LISTEN_URL: {
    help:
      "A URL of its own for LISTEN, past pgbouncer; off polls only. When it is not set, DATABASE_URL is used, or, with " +
      "FLOXY_PREPARE=false, none.",
    allowed: `off, or ${url}`,
    fallback: "",
    secret: true,
  },
  FLOXY_PREPARE: {
    help: "Use prepared statements; false behind pgbouncer in transaction mode.",
    allowed: "true or false",
    fallback: "true",
  },
  FLOXY_POOL_SIZE: {
    help: "The most connections besides the one for LISTEN.",
    allowed: "a whole number from 2 to 100",
    fallback: "4",
  },
  FLOXY_HTTP_HOST: {
    help: "The address for /metrics, /healthz and /readyz; 0.0.0.0 lets other hosts in.",
    allowed: "an address or host name without scheme and port, such as 127.0.0.1 or 0.0.0.0",
    fallback: "127.0.0.1",
  },
  FLOXY_HTTP_PORT: {
    help: "Its port; 0 takes a free one, off serves nothing.",
    allowed: "off, or a whole number from 0 to 65535",
    fallback: "9464",
  },
  FLOXY_POLL_INTERVAL_MS: {
    help: "The longest wait between two looks when no notification arrives.",
    allowed: milliseconds("50", "60000"),
    fallback: "1000",
  },
  FLOXY_REVIEW_BATCH: {
    help: "The most instances reviewed in one transaction.",
    allowed: "a whole number from 1 to 1000",
    fallback: "250",
  },
  FLOXY_SAMPLE_INTERVAL_MS: {
    help: "The time between two samples of the queue for the metrics.",
    allowed: milliseconds("5000", "3600000"),
    fallback: "15000",
  },
  FLOXY_RECONCILE_INTERVAL_MS: {
    help: "The time between two looks for lost timers and instances that nothing moves; off never looks.",
    allowed: `off, or ${milliseconds("1000", "86400000")}`,
    fallback: "60000",
  },
  FLOXY_HISTORY_INTERVAL_MS: {
    help: "The time between two looks after history: partitions ahead, and what retention lets go; off never looks.",
    allowed: `off, or ${milliseconds("1000", "86400000")}`,
    fallback: "30000",
  },
  FLOXY_STALE_AFTER_MS: {
    help: "How late a service may be before /healthz answers 503.",
    allowed: milliseconds("1000", "3600000"),
    fallback: "30000",
  },
  FLOXY_DRAIN_TIMEOUT_MS: {
    help: "How long a stop waits for what is running.",
    allowed: milliseconds("0", "3600000"),
    fallback: "10000",
  },
  FLOXY_LOG_LEVEL: { help: "How much is logged.", allowed: logLevels.join(", "), fallback: "info" },
};
