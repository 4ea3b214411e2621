import type { OpenTransaction, TransactionPool } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import { expect, it } from "vitest";
import { createLog, fakeDatabase, leasedStep, resolvedStep, turns } from "./testing/steps.ts";
import { Transactions } from "./transactions.ts";

/** A pool that hands out transactions when the test says so, and what became of them. */
const setUp = (refusals: readonly Error[] = []) => {
  const left = [...refusals];
  const ends: string[] = [];
  let mayBegin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    mayBegin = resolve;
  });
  const settled = fakeDatabase({ "*": () => [], settle: () => [{ ordinal: 0, result: "settled" }] });
  const open: OpenTransaction = {
    executor: settled.db,
    ask: async () => ({ command: "SELECT", rowCount: 0, rows: [], fields: [] }),
    takeOver: async () => true,
    commit: async () => void ends.push("committed"),
    rollback: async () => void ends.push("rolled back"),
    drop: () => void ends.push("dropped"),
  };
  const pool: TransactionPool = {
    async begin() {
      const refusal = left.shift();
      if (refusal !== undefined) throw refusal;
      await begun;
      return open;
    },
    close: async () => {},
  };
  const { logger, lines } = createLog();
  const transactions = new Transactions({ pool, workerId: "w", logger, random: () => 0, onHints: () => {} });
  return { transactions, mayBegin, ends, lines, open };
};

const never = new AbortController().signal;
const completed = {
  ...leasedStep(),
  graph: resolvedStep().graph,
  result: { kind: "completed", output: "1" },
} as const;

it("tries to begin again whatever the database says, because the handler has no part in it", async () => {
  const refusals = [new FloxyError("DATABASE_UNAVAILABLE", "away"), new FloxyError("CONFIGURATION_INVALID", "no")];
  const { transactions, mayBegin, lines } = setUp(refusals);
  mayBegin();
  await transactions.begin(1_000, never);
  expect(lines.map(({ level }) => level)).toEqual(["warn", "warn"]);
});

it("a transaction that has begun when nobody waits for it any more is rolled back", async () => {
  const { transactions, mayBegin, ends } = setUp();
  const controller = new AbortController();
  const begin = transactions.begin(1_000, controller.signal);
  const reason = new FloxyError("STEP_TIMEOUT", "late");
  controller.abort(reason);
  await expect(begin).rejects.toBe(reason);
  expect(ends).toEqual([]);
  mayBegin();
  await turns();
  expect(ends).toEqual(["rolled back"]);
});

it("so is one that begins in the very moment, whichever comes first", async () => {
  for (let hops = 0; hops < 12; hops++) {
    const { transactions, mayBegin, ends } = setUp();
    const controller = new AbortController();
    const begin = transactions.begin(1_000, controller.signal);
    mayBegin();
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    controller.abort(new FloxyError("STEP_TIMEOUT", "late"));
    await begin.then((transaction) => transactions.discard(transaction)).catch(() => {});
    await turns();
    expect(ends, `after ${hops} hops`).toEqual(["rolled back"]);
  }
});

it("leaves nothing to settle of what it has committed", async () => {
  const { transactions, mayBegin, ends } = setUp();
  mayBegin();
  expect(await transactions.end(await transactions.begin(1_000, never), completed)).toBeUndefined();
  expect(ends[0]).toBe("committed");
});

it("asks again under the same token when nobody said whether it was committed", async () => {
  const { transactions, mayBegin, open } = setUp();
  mayBegin();
  const transaction = await transactions.begin(1_000, never);
  open.commit = () => Promise.reject(new FloxyError("DATABASE_UNAVAILABLE", "gone"));
  expect(await transactions.end(transaction, completed)).toMatchObject({
    token: completed.token,
    isInDoubt: true,
    result: { kind: "failed", retryable: true, called: true, error: { code: "DATABASE_UNAVAILABLE" } },
  });
});

it("a database that refuses to settle a step is no reason to give the step up", async () => {
  const { transactions, mayBegin, open, ends } = setUp();
  mayBegin();
  const transaction = await transactions.begin(1_000, never);
  open.executor.query = () => Promise.reject(new FloxyError("SCHEMA_OUTDATED", "in the middle of a migration"));
  const left = await transactions.end(transaction, completed);
  expect(left).toMatchObject({ result: { kind: "failed", retryable: true, error: { code: "SCHEMA_OUTDATED" } } });
  expect(ends).toEqual(["rolled back"]);
});

it("drops what is open, and what opens later, once it is given up", async () => {
  const { transactions, mayBegin, ends } = setUp();
  mayBegin();
  await transactions.begin(1_000, never);
  transactions.giveUp();
  expect(ends).toEqual(["dropped"]);
  await transactions.begin(1_000, never);
  expect(ends).toEqual(["dropped", "dropped"]);
});
