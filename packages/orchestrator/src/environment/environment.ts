/** Reading the configuration from the environment: every bad value is reported, not only the first. */
import type { Problem } from "@floxy/shared";
import { FloxyError, quote } from "@floxy/shared";
import { z } from "zod";
import type { LogLevel } from "../log.ts";
import type { OrchestratorOptions } from "../options.ts";
import type { SettingName } from "./settings.ts";
import { settingShapes, settingTexts } from "./settings.ts";
import { describeUrl } from "./url.ts";

/** What the environment asks for. */
export interface Configuration {
  readonly options: OrchestratorOptions;
  readonly logLevel: LogLevel;
  /** What is odd, but not wrong: sentences for the log. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const shape = z.object(settingShapes).partial().required({ DATABASE_URL: true });

/**
 * Reads the configuration. Throws `CONFIGURATION_INVALID` with a problem for each bad value; no message holds a password.
 * A variable that is set to nothing counts as not set.
 */
export const readEnvironment = (environment: Environment): Configuration => {
  const names = Object.keys(settingTexts) as SettingName[];
  const given = Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = environment[name]?.trim() || settingTexts[name].fallback;
      return value ? [[name, value]] : [];
    }),
  );
  const parsed = shape.safeParse(given);
  if (!parsed.success) throw invalid(parsed.error, given);
  return { ...configure(parsed.data), warnings: warningsOf(environment) };
};

type Settings = z.infer<typeof shape>;

const configure = (set: Settings): Omit<Configuration, "warnings"> => {
  const { FLOXY_LISTEN_URL: listenUrl, FLOXY_HTTP_PORT: port, FLOXY_HTTP_HOST: host, FLOXY_PREPARE: prepare } = set;
  const reconcileMs = set.FLOXY_RECONCILE_INTERVAL_MS;
  const historyMs = set.FLOXY_HISTORY_INTERVAL_MS;
  // Without prepared statements there is a pgbouncer on the way, which swallows LISTEN.
  const ownListener = prepare === false ? false : set.DATABASE_URL;
  return {
    options: {
      connectionString: set.DATABASE_URL,
      schema: set.FLOXY_SCHEMA,
      migrate: set.FLOXY_MIGRATE,
      listenConnectionString: listenUrl === "off" ? false : (listenUrl ?? ownListener),
      prepare,
      poolSize: set.FLOXY_POOL_SIZE,
      http: port === "off" || port === undefined ? false : { host, port },
      pollIntervalMs: set.FLOXY_POLL_INTERVAL_MS,
      reviewBatch: set.FLOXY_REVIEW_BATCH,
      sampleIntervalMs: set.FLOXY_SAMPLE_INTERVAL_MS,
      reconcileIntervalMs: reconcileMs === "off" ? false : reconcileMs,
      historyIntervalMs: historyMs === "off" ? false : historyMs,
      staleAfterMs: set.FLOXY_STALE_AFTER_MS,
      drainTimeoutMs: set.FLOXY_DRAIN_TIMEOUT_MS,
    },
    logLevel: set.FLOXY_LOG_LEVEL ?? "info",
  };
};

const invalid = (error: z.ZodError, given: Readonly<Record<string, string>>): FloxyError => {
  const names = [...new Set(error.issues.map((issue) => String(issue.path[0]) as SettingName))];
  const problems = names.map((name) => problemOf(name, given[name]));
  const lines = problems.map(({ message }) => `  ${message}`).join("\n");
  return new FloxyError("CONFIGURATION_INVALID", `the configuration is not valid:\n${lines}`, { problems });
};

const problemOf = (name: SettingName, value: string | undefined): Problem => {
  const { allowed, secret } = settingTexts[name];
  const must = `it must be ${allowed}`;
  if (value === undefined) return { path: name, code: "missing", message: `${name} is not set; ${must}` };
  const shown = secret ? describeUrl(value) : quote(value);
  return { path: name, code: "invalid_value", message: `${name} is ${shown}; ${must}` };
};

const warningsOf = (environment: Environment): string[] =>
  Object.keys(environment)
    .filter((name) => name.startsWith("FLOXY_") && !(name in settingTexts))
    .sort()
    .map(
      (name) => `${quote(name)} is not a setting of the orchestrator and has no effect; see --help for those that are`,
    );
