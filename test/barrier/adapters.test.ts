import type { BarrierCall, BarrierResult } from "@floxy/worker-sdk";
import { barrier, createBarrierTable, pruneBarrier } from "@floxy/worker-sdk";
import pg from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import type { Library } from "./libraries.ts";
import { libraries } from "./libraries.ts";

const action: BarrierCall = { effectKey: "i/step?$1", lane: "forward" };
const undo: BarrierCall = { ...action, lane: "compensation" };

/** Question marks and parameters in names and values are what adapters stumble over. */
const table = { table: 'odd "barrier" :x' };

const open = async (connect: (url: string) => Library) => {
  const database = await createTestDatabase(inject("databaseUrl"));
  const library = connect(database.url);
  const observer = new pg.Pool({ connectionString: database.url });
  onTestFinished(async () => {
    await Promise.all([library.close(), observer.end()]);
    await database.drop();
  });
  await observer.query("CREATE TABLE ledger (amount int, id serial)");
  await createBarrierTable(library.outside, table);
  const ledger = async (): Promise<number[]> => {
    const { rows } = await observer.query("SELECT amount FROM ledger ORDER BY id");
    return rows.map(({ amount }: { amount: number }) => amount);
  };
  const call = (which: BarrierCall, value?: unknown): Promise<BarrierResult<unknown>> =>
    library.transaction(({ client, book }) =>
      barrier(
        client,
        which,
        async () => {
          await book(which.lane === "forward" ? 1 : -1);
          return value;
        },
        table,
      ),
    );
  return { library, observer, ledger, call };
};

describe.each(Object.entries(libraries))("a transaction of %s", (_, connect) => {
  test("an action and its compensation are applied once each, and their repeats are not", async () => {
    const { call, ledger } = await open(connect);
    const value = { text: "what? $1 \\? 'x' \"y\" ü", list: [1, null, { n: 2.5 }] };
    expect(await call(action, value)).toEqual({ applied: true, reason: undefined, value });
    expect(await call(action, "again")).toEqual({ applied: false, reason: "repeated", value });
    expect(await call(undo)).toEqual({ applied: true, reason: undefined, value: undefined });
    expect(await call(undo)).toEqual({ applied: false, reason: "repeated", value: undefined });
    expect(await call(action)).toEqual({ applied: false, reason: "hanging", value: undefined });
    expect(await ledger()).toEqual([1, -1]);
  });

  test("an empty compensation and the action that comes after it change nothing", async () => {
    const { call, ledger } = await open(connect);
    expect(await call(undo)).toEqual({ applied: false, reason: "empty", value: undefined });
    expect(await call(action)).toEqual({ applied: false, reason: "hanging", value: undefined });
    expect(await ledger()).toEqual([]);
  });

  test("what is rolled back has not been", async () => {
    const { library, call, ledger } = await open(connect);
    const failing = library.transaction(async ({ client, book }) => {
      await barrier(client, action, () => book(1).then(() => 1), table);
      throw new Error("no carrier");
    });
    await expect(failing).rejects.toThrow("no carrier");
    expect(await call(action, 2)).toMatchObject({ applied: true, value: 2 });
    expect(await ledger()).toEqual([1]);
  });

  test("outside of a transaction nothing is written", async () => {
    const { library, observer } = await open(connect);
    for (const which of [action, undo]) {
      const refused = barrier(library.outside, which, () => expect.unreachable(), table);
      await expect(refused).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    expect((await observer.query('SELECT FROM "odd ""barrier"" :x"')).rowCount).toBe(0);
  });

  test("old rows can be pruned through it", async () => {
    const { library, observer, call } = await open(connect);
    await call(action);
    await observer.query(`UPDATE "odd ""barrier"" :x" SET changed_at = '2020-01-01'`);
    expect(await pruneBarrier(library.outside, table)).toBe(1);
  });
});
