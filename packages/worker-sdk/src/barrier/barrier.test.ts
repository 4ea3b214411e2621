import pg from "pg";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { BarrierCall } from "./barrier.ts";
import { barrier } from "./barrier.ts";
import { createBarrierTable } from "./table.ts";
import { expected, ledgerOf } from "./testing/model.ts";
import type { ServiceCall } from "./testing/service.ts";
import { createService } from "./testing/service.ts";

const action: BarrierCall = { effectKey: "i/step", lane: "forward" };
const undo: BarrierCall = { effectKey: "i/step", lane: "compensation" };

describe("one call after another", () => {
  it("an action has its effect once; a repeated call answers what the first one did", async () => {
    const { call, ledger } = await createService();
    const value = { paymentId: 7, lines: [1, null, "ü"] };
    expect(await call({ ...action, value })).toEqual({ applied: true, reason: undefined, value });
    expect(await call({ ...action, value: "another" })).toEqual({ applied: false, reason: "repeated", value });
    expect(await ledger()).toEqual([1]);
  });

  it("work that answers nothing answers nothing when it is repeated, and null stays null", async () => {
    const { call } = await createService();
    await call(action);
    expect(await call(action)).toEqual({ applied: false, reason: "repeated", value: undefined });
    await call({ ...action, effectKey: "i/other", value: null });
    expect((await call({ ...action, effectKey: "i/other" })).value).toBeNull();
  });

  it("a compensation undoes its action once", async () => {
    const { call, ledger } = await createService();
    await call({ ...action, value: "of the action" });
    expect(await call(undo)).toEqual({ applied: true, reason: undefined, value: undefined });
    expect(await call(undo)).toEqual({ applied: false, reason: "repeated", value: undefined });
    expect(await ledger()).toEqual([1, -1]);
  });

  it("a compensation without its action changes nothing and keeps the action from coming later", async () => {
    const { call, ledger } = await createService();
    expect(await call(undo)).toEqual({ applied: false, reason: "empty", value: undefined });
    expect(await call({ ...action, value: 1 })).toEqual({ applied: false, reason: "hanging", value: undefined });
    expect(await call(undo)).toMatchObject({ applied: false, reason: "repeated" });
    expect(await ledger()).toEqual([]);
  });

  it("every sequence of up to four calls, committed and rolled back, does what the model says", async () => {
    const { call, ledger } = await createService();
    const calls: readonly ServiceCall[] = [action, undo].flatMap((one) => [one, { ...one, end: "ROLLBACK" as const }]);
    const longer = (sequences: readonly (readonly ServiceCall[])[]) =>
      sequences.flatMap((sequence) => calls.map((one) => [...sequence, one]));
    const all = longer(longer(longer(longer([[]]))));
    await Promise.all(
      all.map(async (sequence, index) => {
        const effectKey = `i/step#${index}`;
        const said = JSON.stringify(sequence.map(({ lane, end = "COMMIT" }) => `${lane} ${end}`));
        let state: Parameters<typeof expected>[0] = "none";
        for (const one of sequence) {
          const next = expected(state, one.lane);
          expect((await call({ ...one, effectKey })).reason, said).toBe(next.reason);
          if (one.end === undefined) state = next.state;
          expect(await ledger(effectKey), said).toEqual(ledgerOf(state));
        }
      }),
    );
    expect(all).toHaveLength(256);
  }, 60_000);

  it("what the work throws comes out, and rolled back it leaves nothing behind", async () => {
    const { transaction, call, ledger, rowCount } = await createService();
    const failing = transaction((client) =>
      barrier(client, action, async () => {
        await client.query("INSERT INTO ledger VALUES ('i/step', 1)");
        throw new Error("no carrier");
      }),
    );
    await expect(failing).rejects.toThrow("no carrier");
    expect(await rowCount()).toBe(0);
    expect(await call(action)).toMatchObject({ applied: true });
    expect(await ledger()).toEqual([1]);
  });

  it("a value that is no JSON is refused", async () => {
    const { call, ledger } = await createService();
    await expect(call({ ...action, value: Number.NaN })).rejects.toMatchObject({ code: "JSON_UNSTORABLE" });
    expect(await ledger()).toEqual([]);
  });

  it("other keys and other names are other effects, and a compensation undoes what has its name", async () => {
    const { transaction, pass, call, ledger } = await createService();
    await transaction(async (client) => {
      for (const name of ["book", undefined]) expect((await pass(client, { ...action, name })).applied).toBe(true);
    });
    expect(await ledger()).toEqual([1, 1]);
    expect(await call({ ...undo, name: "book" })).toMatchObject({ applied: true });
    expect(await call({ ...undo, name: "mail" })).toMatchObject({ reason: "empty" });
    expect(await call({ ...undo, effectKey: "i/other" })).toMatchObject({ reason: "empty" });
    expect(await ledger()).toEqual([1, 1, -1]);
  });

  it("works in a schema and a table with odd names", async () => {
    const { pool, call, rowCount } = await createService();
    const table = { schema: 'Odd "one"', table: 'my "Table" :x --' };
    await pool.query('CREATE SCHEMA "Odd ""one"""');
    await createBarrierTable(pool, table);
    for (const one of [action, undo]) expect(await call({ ...one, ...table })).toMatchObject({ applied: true });
    expect(await call({ ...action, ...table })).toMatchObject({ reason: "hanging" });
    expect([await rowCount('"Odd ""one"""."my ""Table"" :x --"'), await rowCount()]).toEqual([1, 0]);
  });
});

describe("what is refused", () => {
  const notInTransaction = { code: "OPTION_INVALID", message: expect.stringContaining("not in a transaction") };

  it("a barrier outside of a transaction, on a client and on pools: nothing is written and no work is done", async () => {
    const { url, pool, rowCount } = await createService();
    const pools = [1, 3].map((max) => new pg.Pool({ connectionString: url, max }));
    const client = await pool.connect();
    onTestFinished(async () => {
      client.release();
      await Promise.all(pools.map((one) => one.end()));
    });
    const work = vi.fn(() => 1);
    for (const one of [client, ...pools]) {
      for (const call of [action, undo]) await expect(barrier(one, call, work)).rejects.toMatchObject(notInTransaction);
    }
    expect(work).not.toHaveBeenCalled();
    expect(await rowCount()).toBe(0);
  });

  it("a repeated call outside of a transaction, so that a test of the happy path finds it", async () => {
    const { pool, call, ledger } = await createService();
    await call(action);
    const work = vi.fn(() => 1);
    for (const one of [action, undo]) {
      await expect(barrier(pool, one, work)).rejects.toMatchObject(notInTransaction);
    }
    expect(work).not.toHaveBeenCalled();
    expect(await call(undo)).toMatchObject({ applied: true });
    expect(await ledger()).toEqual([1, -1]);
  });

  it("the same barrier twice in one transaction; one that a savepoint took back does not count", async () => {
    const { transaction, pass, ledger } = await createService();
    for (const one of [action, undo]) {
      const twice = transaction(async (client) => {
        await pass(client, one);
        await pass(client, one);
      });
      await expect(twice).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    await transaction(async (client) => {
      await client.query("SAVEPOINT before");
      await pass(client, action);
      await client.query("ROLLBACK TO before");
      expect(await pass(client, action)).toMatchObject({ applied: true });
    });
    expect(await ledger()).toEqual([1]);
  });

  it("a call that is none, as another service may send it", async () => {
    const { transaction, rowCount } = await createService();
    const calls = [
      { ...action, effectKey: "" },
      { ...action, effectKey: 7 },
      { ...action, effectKey: "a\0b" },
      { ...action, effectKey: "x".repeat(1_001) },
      { effectKey: "i/step" },
      { ...action, lane: "backward" },
    ];
    for (const one of calls) {
      const refused = transaction((client) => barrier(client, one as BarrierCall, () => 1));
      await expect(refused, JSON.stringify(one).slice(0, 50)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    const named = transaction((client) => barrier(client, action, () => 1, { name: "" }));
    await expect(named).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(await rowCount()).toBe(0);
  });
});

it("looks again when the row that stopped it is pruned before it can be read", async () => {
  const { transaction, call } = await createService();
  await call(action);
  const result = await transaction((client) => {
    let pruned = false;
    return barrier(
      {
        async query(text, values) {
          const answer = await client.query(text, values);
          if (!pruned && answer.rows.length === 0) await client.query("DELETE FROM floxy_barrier");
          pruned ||= answer.rows.length === 0;
          return answer;
        },
      },
      action,
      () => "again",
    );
  });
  expect(result).toMatchObject({ applied: true, value: "again" });
});
