import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { CommandIo } from "./cli.ts";
import { runCommand } from "./cli.ts";
import { settingTexts } from "./environment/settings.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase } from "./testing/database.ts";
import type { CommandProcess } from "./testing/process.ts";
import { runOrchestrator } from "./testing/process.ts";

const call = async (args: readonly string[], environment: CommandIo["environment"] = {}) => {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCommand({
    args,
    environment,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    onSignal: () => {},
    exit: () => {},
  });
  return { code, out: out.join(""), err: err.join("") };
};

describe("the command", () => {
  test("explains every setting", async () => {
    const { code, out } = await call(["--help"]);
    expect(code).toBe(0);
    for (const name of Object.keys(settingTexts)) expect(out).toContain(`\n  ${name}`);
    expect(out).toContain("FLOXY_HTTP_PORT=9464");
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
  });

  test("says its version", async () => {
    expect(await call(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test("refuses arguments that it does not know", async () => {
    expect(await call(["--prot", "1"])).toMatchObject({ code: 2, err: expect.stringContaining("--prot") });
    expect(await call(["start"])).toMatchObject({ code: 2, err: expect.stringContaining("start") });
  });

  test("lists all that is wrong with the environment", async () => {
    const { code, err } = await call([], { FLOXY_HTTP_PORT: "x", FLOXY_MIGRATE: "maybe" });
    expect(code).toBe(2);
    expect(err).toMatch(/DATABASE_URL is not set.*FLOXY_MIGRATE is 'maybe'.*FLOXY_HTTP_PORT is 'x'/s);
  });
});

describe("the process", { timeout: 30_000 }, () => {
  let database: TestDatabase;
  const processes: CommandProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase(inject("databaseUrl"), { migrated: false });
  });

  afterAll(async () => {
    for (const { kill } of processes) kill("SIGKILL");
    await Promise.all(processes.map(({ ended }) => ended));
    await database.drop();
  });

  const run: typeof runOrchestrator = (...args) => {
    const command = runOrchestrator(...args);
    processes.push(command);
    return command;
  };

  test("ends with 2 on a bad environment, without the password", async () => {
    const command = run([], { DATABASE_URL: "postgres://app:s3cret@:x/y", FLOXY_REVIEW_BATCH: "many" });
    expect(await command.ended).toEqual({ code: 2, signal: null });
    expect(command.output()).toMatch(/DATABASE_URL is .*FLOXY_REVIEW_BATCH is 'many'/s);
    expect(command.output()).not.toContain("s3cret");
  });

  test("ends with 1 when the schema is missing and it may not migrate", async () => {
    const command = run([], { DATABASE_URL: database.url, FLOXY_MIGRATE: "false", FLOXY_HTTP_PORT: "off" });
    expect(await command.ended).toEqual({ code: 1, signal: null });
    expect(command.output()).toContain("SCHEMA_OUTDATED");
  });

  test.each(["SIGTERM", "SIGINT"] as const)("runs until %s, drains, and ends with 0", async (signal) => {
    const command = run([], { DATABASE_URL: database.url, FLOXY_HTTP_PORT: "0", FLOXY_UNKNOWN: "1" });
    await vi.waitFor(() => expect(command.output()).toContain("the orchestrator runs"), { timeout: 25_000 });
    expect(command.output()).toContain("'FLOXY_UNKNOWN' is not a setting");
    command.kill(signal);
    expect(await command.ended).toEqual({ code: 0, signal: null });
    expect(command.output()).toContain('"stopped"');
    for (const line of command.output().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
  });

  test("can be stopped while it waits for the database", async () => {
    const command = run([], { DATABASE_URL: "postgres://u:s3cret@127.0.0.1:1/none", FLOXY_HTTP_PORT: "0" });
    await vi.waitFor(() => expect(command.output()).toContain("trying again"), { timeout: 25_000 });
    command.kill("SIGTERM");
    expect(await command.ended).toEqual({ code: 0, signal: null });
    expect(command.output()).not.toContain("s3cret");
  });
});
