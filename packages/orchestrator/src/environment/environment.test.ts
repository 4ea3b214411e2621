import { FloxyError } from "@floxy/shared";
import { describe, expect, test } from "vitest";
import { readEnvironment } from "./environment.ts";

const url = "postgres://app:s3cret@db.internal:5432/orders";

const refusal = (environment: Record<string, string>): FloxyError => {
  try {
    readEnvironment(environment);
  } catch (error) {
    if (error instanceof FloxyError) return error;
  }
  throw new Error("the environment was accepted");
};

describe("the environment", () => {
  test("needs only the database; all else has a default", () => {
    const { options, logLevel, warnings } = readEnvironment({ DATABASE_URL: url, PATH: "/bin" });
    expect(options).toEqual({
      connectionString: url,
      listenConnectionString: url,
      schema: "floxy",
      migrate: true,
      prepare: true,
      poolSize: 4,
      http: { host: "127.0.0.1", port: 9464 },
      pollIntervalMs: 1_000,
      reviewBatch: 250,
      sampleIntervalMs: 15_000,
      reconcileIntervalMs: 60_000,
      historyIntervalMs: 30_000,
      staleAfterMs: 30_000,
      drainTimeoutMs: 10_000,
    });
    expect(logLevel).toBe("info");
    expect(warnings).toEqual([]);
  });

  test("sets everything", () => {
    const { options, logLevel } = readEnvironment({
      DATABASE_URL: url,
      FLOXY_SCHEMA: "sagas",
      FLOXY_MIGRATE: "false",
      FLOXY_LISTEN_URL: "postgresql://other/orders",
      FLOXY_PREPARE: "false",
      FLOXY_POOL_SIZE: " 7 ",
      FLOXY_HTTP_HOST: "0.0.0.0",
      FLOXY_HTTP_PORT: "0",
      FLOXY_POLL_INTERVAL_MS: "250",
      FLOXY_REVIEW_BATCH: "10",
      FLOXY_RECONCILE_INTERVAL_MS: "off",
      FLOXY_HISTORY_INTERVAL_MS: "off",
      FLOXY_LOG_LEVEL: "debug",
    });
    expect(options).toMatchObject({
      schema: "sagas",
      migrate: false,
      listenConnectionString: "postgresql://other/orders",
      prepare: false,
      poolSize: 7,
      http: { host: "0.0.0.0", port: 0 },
      pollIntervalMs: 250,
      reviewBatch: 10,
      reconcileIntervalMs: false,
      historyIntervalMs: false,
    });
    expect(logLevel).toBe("debug");
  });

  test("turns listening and HTTP off, and does not listen through pgbouncer unless told where", () => {
    const listening = (more: Record<string, string>) =>
      readEnvironment({ DATABASE_URL: url, ...more }).options.listenConnectionString;
    expect(listening({ FLOXY_LISTEN_URL: "off" })).toBe(false);
    expect(listening({ FLOXY_PREPARE: "false" })).toBe(false);
    expect(listening({ FLOXY_PREPARE: "false", FLOXY_LISTEN_URL: url })).toBe(url);
    expect(readEnvironment({ DATABASE_URL: url, FLOXY_HTTP_PORT: "off" }).options.http).toBe(false);
  });

  test("takes a variable that is set to nothing as not set", () => {
    expect(readEnvironment({ DATABASE_URL: url, FLOXY_SCHEMA: "", FLOXY_HTTP_PORT: "" }).options.schema).toBe("floxy");
    expect(refusal({ DATABASE_URL: " " }).problems).toMatchObject([{ path: "DATABASE_URL", code: "missing" }]);
  });

  test("reports every bad value at once: its name, what was given, what is allowed", () => {
    const { code, message, problems } = refusal({
      FLOXY_HTTP_PORT: "94640",
      FLOXY_POLL_INTERVAL_MS: "1s",
      FLOXY_MIGRATE: "yes",
      FLOXY_LOG_LEVEL: "loud",
      FLOXY_REVIEW_BATCH: "0",
    });
    expect(code).toBe("CONFIGURATION_INVALID");
    expect(problems.map(({ message }) => message)).toEqual([
      "DATABASE_URL is not set; it must be a URL such as postgres://user:password@host:5432/database, special characters percent-encoded",
      "FLOXY_MIGRATE is 'yes'; it must be true or false",
      "FLOXY_HTTP_PORT is '94640'; it must be off, or a whole number from 0 to 65535",
      "FLOXY_POLL_INTERVAL_MS is '1s'; it must be a whole number of milliseconds from 50 to 60000",
      "FLOXY_REVIEW_BATCH is '0'; it must be a whole number from 1 to 1000",
      "FLOXY_LOG_LEVEL is 'loud'; it must be silent, fatal, error, warn, info, debug, trace",
    ]);
    for (const problem of problems) expect(message).toContain(`\n  ${problem.message}`);
  });

  test.each([
    "mysql://app:s3cret@db.internal/orders",
    "postgres://app:s3cret@db.internal:port/orders",
    "postgres//app:s3cret@db.internal/orders",
    "host=db.internal password=s3cret",
    "s3cret",
  ])("never repeats a password: %s", (bad) => {
    const { message, problems } = refusal({ DATABASE_URL: bad, FLOXY_LISTEN_URL: bad });
    expect(problems).toHaveLength(2);
    expect(message).not.toContain("s3cret");
  });

  test("shows where a URL of the wrong kind leads", () => {
    expect(refusal({ DATABASE_URL: "mysql://app:s3cret@db.internal/orders" }).message).toContain(
      "DATABASE_URL is 'mysql://…@db.internal…'; it must be a URL such as",
    );
  });

  test("warns of variables that look like settings and are none", () => {
    const { warnings } = readEnvironment({ DATABASE_URL: url, FLOXY_HTTP_PROT: "1", FLOXY_SCHEMA: "a", OTHER: "b" });
    expect(warnings).toEqual([
      "'FLOXY_HTTP_PROT' is not a setting of the orchestrator and has no effect; see --help for those that are",
    ]);
  });
});
