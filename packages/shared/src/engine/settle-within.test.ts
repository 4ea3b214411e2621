import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { Executor } from "../store/executor.ts";
import type { LeasedStep } from "../store/queue.ts";
import { eventually, sql } from "../store/testing/database.ts";
import { noHints } from "./hints.ts";
import { abortInstance } from "./operate/stop.ts";
import type { AttemptResult, FinishedAttempt } from "./settle.ts";
import { settleWithin } from "./settle-within.ts";
import { done, failed, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
  await sql(stand.db, "CREATE TABLE effect (a text)");
});

afterAll(() => stand.close());

const attemptOf = async (leased: LeasedStep | undefined, result: AttemptResult): Promise<FinishedAttempt> => {
  if (leased === undefined) throw new Error("the step was not leased");
  return {
    ...leased,
    graph: await stand.graphs.get(stand.db, leased.definitionName, leased.definitionVersion),
    result,
  };
};

const settleIn = (tx: Executor, attempt: FinishedAttempt, hints = noHints()) =>
  settleWithin(tx, attempt, { workerId: "w", random: () => 0, hints });

const effects = (a: string) => sql(stand.db, "SELECT FROM effect WHERE a = $1", a);

it("settles with what the caller wrote, or not at all", async () => {
  const id = await stand.start([task("a"), task("b")]);
  const attempt = await attemptOf((await stand.lease()).get("a"), done);
  const write = (fails: boolean) =>
    stand.db.transaction(async (tx) => {
      await sql(tx, "INSERT INTO effect VALUES ($1)", id);
      const hints = noHints();
      expect(await settleIn(tx, attempt, hints)).toBe("settled");
      expect([...hints.ready]).toEqual(["h"]);
      if (fails) throw new Error("rolled back");
    });
  await expect(write(true)).rejects.toThrow("rolled back");
  expect(await stand.statuses(id)).toMatchObject({ a: "running" });
  expect(await effects(id)).toHaveLength(0);
  await write(false);
  expect(await stand.statuses(id)).toMatchObject({ a: "completed" });
  expect(await effects(id)).toHaveLength(1);
  await stand.lease();
});

it("answers that an attempt is lost when its instance was aborted", async () => {
  const id = await stand.start([task("a")]);
  const attempt = await attemptOf((await stand.lease()).get("a"), done);
  await abortInstance(stand.db, stand.graphs, { instanceId: id, requestedBy: "me", hints: noHints() });
  expect(await stand.db.transaction((tx) => settleIn(tx, attempt))).toBe("lost");
});

it("recognises what a transaction wrote that it had to wait for", async () => {
  const id = await stand.start([task("a", { retry: { maxAttempts: 2 } })]);
  const leased = (await stand.lease()).get("a");
  const [completed, inDoubt] = [await attemptOf(leased, done), await attemptOf(leased, failed("in doubt"))];
  let second: Promise<string> | undefined;
  await stand.db.transaction(async (tx) => {
    await settleIn(tx, completed);
    second = stand.db.transaction((other) => settleIn(other, inDoubt));
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    await eventually(async () => expect(await sql(stand.db, waiting)).toHaveLength(1));
  });
  expect(await second).toBe("settled");
  expect(await stand.view(id)).toMatchObject({ status: "completed", output: "done" });
  expect(await stand.story(id)).not.toContain("step.refused a");
});

it("records the failure when that transaction was rolled back", async () => {
  const id = await stand.start([task("a")]);
  const leased = (await stand.lease()).get("a");
  const [completed, inDoubt] = [await attemptOf(leased, done), await attemptOf(leased, failed("in doubt"))];
  let second: Promise<string> | undefined;
  const first = stand.db.transaction(async (tx) => {
    await settleIn(tx, completed);
    second = stand.db.transaction((other) => settleIn(other, inDoubt));
    throw new Error("rolled back");
  });
  await expect(first).rejects.toThrow("rolled back");
  expect(await second).toBe("settled");
  expect(await stand.view(id)).toMatchObject({ status: "rolling_back", error: { message: "in doubt" } });
});

it("throws when what follows cannot be decided: a completed step is never written as failed beside its effects", async () => {
  await stand.start([task("a"), task("b")]);
  const result: AttemptResult = {
    kind: "completed",
    get output(): string {
      throw new Error("unreadable");
    },
  };
  const attempt = await attemptOf((await stand.lease()).get("a"), result);
  await expect(stand.db.transaction((tx) => settleIn(tx, attempt))).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.stringContaining("cannot be decided"),
  });
});
