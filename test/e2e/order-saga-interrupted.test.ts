/** `npm start`, ended from outside: by Ctrl-C and its like, and by kill -9. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { OwnServer } from "./own-server.ts";
import { databasesOn, makeOwnServer } from "./own-server.ts";
import type { SagaRun } from "./saga-run.ts";
import { startSaga } from "./saga-run.ts";

let run: SagaRun;

const startSlowly = (): SagaRun => startSaga({ DATABASE_URL: inject("databaseUrl"), OUTSIDE_CALL_MS: "200" });

const expectNothingLeft = async (): Promise<void> => {
  expect(run.survivors()).toEqual([]);
  expect(await databasesOn(inject("databaseUrl"))).not.toContain(run.database());
  expect(run.output()).not.toMatch(/PROOF|starting it again|could not|Error|^\S+ +\d+ {2}! /m);
};

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(run.output());
  run.kill("SIGTERM");
  await run.ended;
});

describe("a run that is asked to end", { timeout: 120_000 }, () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s drains its processes, drops its database, and ends with %i", async (signal, code) => {
    run = startSlowly();
    await run.until(/^payment .* charged/, 4);
    run.kill(signal);
    expect(await run.ended).toEqual({ code, signal: null });
    expect(run.output()).toContain(`interrupted by ${signal}`);
    expect(run.database()).not.toBe("");
    await expectNothingLeft();
  });

  it("before its processes are ready leaves nothing behind either", async () => {
    run = startSlowly();
    await run.until(/^Starting /);
    run.kill("SIGINT");
    expect(await run.ended).toEqual({ code: 130, signal: null });
    await expectNothingLeft();
  });
});

describe("a run that is killed", { timeout: 120_000 }, () => {
  let server: OwnServer;
  let folder: string;
  beforeEach(async () => {
    server = await makeOwnServer();
    folder = await mkdtemp(join(tmpdir(), "floxy-e2e-orders-"));
  });
  afterEach(async () => {
    await server.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it("takes its processes and its server with it; the next one drops its database", async () => {
    run = startSaga({ ...server.env, OUTSIDE_CALL_MS: "200" });
    await run.until(/^payment .* charged/, 4);
    run.kill("SIGKILL");
    const killed = run.database();
    await eventually(() => run.survivors().length === 0, { deadlineMs: 20_000 });
    await eventually(async () => !(await server.isRunning()));
    expect(await server.databases()).toEqual([killed]);

    const lines = [{ sku: "lamp-arc", quantity: 1, unitCents: 15_900 }];
    const order = { orderId: "N-1", customer: "Ada", card: "4242424242424242", country: "DE", lines };
    await writeFile(join(folder, "one.jsonl"), JSON.stringify(order));
    run = startSaga(server.env, [join(folder, "one.jsonl")]);
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.output()).toContain(`the database ${killed} of a run that was killed is dropped`);
    expect(await server.databases()).toEqual([]);
  });
});
