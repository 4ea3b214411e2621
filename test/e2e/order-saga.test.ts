/** `npm start`, and what it promises when processes are killed in the middle of it. */
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { OwnServer } from "./own-server.ts";
import { databasesOn, makeOwnServer } from "./own-server.ts";
import type { Member, SagaRun } from "./saga-run.ts";
import { startSaga } from "./saga-run.ts";

const orderCount = 40;
const anEnd = /^ +[✓✗] A-\d+ /;

/** What a process is at when it is killed; each has far more to do after that than before. */
const atWork: Readonly<Record<Member, { readonly says: RegExp; readonly times: number }>> = {
  orders: { says: /^orders .* accepted/, times: 5 },
  payment: { says: /^payment .* charged/, times: 3 },
  inventory: { says: /^inventory .* reserved/, times: 3 },
  shipping: { says: /^shipping .* shipped/, times: 3 },
  orchestrator: { says: /^ +✓/, times: 1 },
};

let run: SagaRun;

/** A run on the server of all tests, slow enough to have a middle. */
const startSlowly = (): SagaRun => startSaga({ DATABASE_URL: inject("databaseUrl"), OUTSIDE_CALL_MS: "80" });

/** Kills a process once it is at work, and answers its number. */
const killAtWork = async (name: Member): Promise<number> => {
  const { says, times } = atWork[name];
  await run.until(says, times);
  const pid = run.pidOf(name);
  process.kill(pid, "SIGKILL");
  // Beyond doubt in the middle: most orders had not ended.
  expect(run.count(anEnd)).toBeLessThan(orderCount / 2);
  return pid;
};

const expectRestart = (name: Member, killed: number): void => {
  const output = run.output();
  const restart = output.indexOf(`${killed}    was killed by SIGKILL; starting it again`);
  expect(restart).toBeGreaterThan(-1);
  expect(run.pidOf(name)).not.toBe(killed);
  const after = output.slice(restart);
  expect(after).toMatch(new RegExp(`^${name} +\\d+    is ready$`, "m"));
  expect([...after.matchAll(new RegExp(anEnd, "gm"))].length).toBeGreaterThan(orderCount / 2);
};

const expectProof = async (): Promise<void> => {
  const end = await run.ended;
  const output = run.output();
  expect(output).toContain("PROOF HOLDS");
  expect(output).toContain("26 completed, 14 failed and undone\n");
  expect(run.count(anEnd)).toBe(orderCount);
  expect(end).toEqual({ code: 0, signal: null });
};

const expectNothingLeft = async (): Promise<void> => {
  expect(run.survivors()).toEqual([]);
  expect(run.database()).not.toBe("");
  expect(await databasesOn(inject("databaseUrl"))).not.toContain(run.database());
};

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(run.output());
  run.kill("SIGTERM");
  await run.ended;
});

describe("the order saga on a server of its own", { timeout: 120_000 }, () => {
  let server: OwnServer;
  beforeEach(async () => {
    server = await makeOwnServer();
  });
  afterEach(() => server.remove());

  it("proves that every order happened once or not at all, and leaves nothing behind", async () => {
    run = startSaga(server.env);
    await expectProof();
    expect(run.survivors()).toEqual([]);
    expect(await server.isRunning()).toBe(false);
    expect(await server.databases()).toEqual([]);
    // Nothing but what it is meant to say: no warning, no stack, no line of a log.
    expect(run.output()).not.toMatch(/^\S+ +\d+ {2}! |^\s+at |Error|Warning|\{"|undefined/m);
  });
});

describe("the proof holds", { timeout: 120_000 }, () => {
  it.each(["orders", "payment", "inventory", "shipping", "orchestrator"] as const)(
    "when %s is killed in the middle",
    async (name) => {
      run = startSlowly();
      const killed = await killAtWork(name);
      await expectProof();
      expectRestart(name, killed);
      await expectNothingLeft();
    },
  );

  it("when two services are killed at once", async () => {
    run = startSlowly();
    await run.until(atWork.shipping.says, 2);
    const [payment, inventory] = await Promise.all([killAtWork("payment"), killAtWork("inventory")]);
    await expectProof();
    expectRestart("payment", payment);
    expectRestart("inventory", inventory);
    await expectNothingLeft();
  });

  it("when one service is killed, and again as soon as it is back at work", async () => {
    run = startSlowly();
    const first = await killAtWork("payment");
    await run.until(/^payment .* is ready/);
    const second = run.pidOf("payment");
    await run.until(new RegExp(`^payment +${second} .* charged`));
    process.kill(second, "SIGKILL");
    await expectProof();
    expectRestart("payment", first);
    expectRestart("payment", second);
    await expectNothingLeft();
  });
});
