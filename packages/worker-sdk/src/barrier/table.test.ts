import { expect, it } from "vitest";
import { barrierSchema, createBarrierTable, pruneBarrier } from "./table.ts";
import { createService } from "./testing/service.ts";

const dayMs = 86_400_000;

it("many processes can make the table at once, and the SQL of a migration can be run again", async () => {
  const { pool } = await createService();
  await Promise.all(Array.from({ length: 8 }, () => createBarrierTable(pool, { table: "at_once" })));
  for (let run = 0; run < 2; run++) await pool.query(barrierSchema({ table: "at_once" }));
  const { rows } = await pool.query(
    "SELECT indexname FROM pg_indexes WHERE tablename = 'at_once' ORDER BY indexname COLLATE \"C\"",
  );
  expect(rows).toEqual([{ indexname: "at_once_changed_at" }, { indexname: "at_once_pkey" }]);
});

it("a role that may not make tables can start with one that is there", async () => {
  const { pool, transaction } = await createService();
  await pool.query("CREATE SCHEMA guarded");
  await createBarrierTable(pool, { schema: "guarded" });
  const role = `floxy_role_${process.pid}_${Math.random().toString(36).slice(2)}`;
  await transaction(async (client) => {
    await client.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA guarded TO ${role}; SET LOCAL ROLE ${role}`);
    await createBarrierTable(client, { schema: "guarded" });
    const another = createBarrierTable(client, { schema: "guarded", table: "another" });
    await expect(another).rejects.toMatchObject({ code: "42501" });
  }, "ROLLBACK");
});

it("names that cannot be used are refused", () => {
  const tables = ["", "a'b", "a$1", "a?", "a\\b", "a\nb", "x".repeat(53), "ü".repeat(27)];
  for (const table of tables) {
    expect(() => barrierSchema({ table }), table).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
  }
  for (const schema of ["", "a'b", "x".repeat(64)]) {
    expect(() => barrierSchema({ schema }), schema).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
  }
  expect(barrierSchema({ schema: "x".repeat(63), table: "x".repeat(52) })).toContain("x_changed_at");
});

it("prunes what is old in batches, and passes over what is in use", async () => {
  const { pool, call, transaction, rowCount } = await createService();
  for (let index = 0; index < 7; index++) await call({ lane: "forward", effectKey: `i/${index}` });
  const age = "UPDATE floxy_barrier SET changed_at = now() - interval '100 days' WHERE effect_key <> 'i/6'";
  await pool.query(age);
  const statements: string[] = [];
  const client = {
    query(text: string, values?: unknown[]) {
      statements.push(text);
      return pool.query(text, values);
    },
  };
  await transaction(async (holder) => {
    await holder.query("SELECT FROM floxy_barrier WHERE effect_key = 'i/0' FOR UPDATE");
    expect(await pruneBarrier(client, { batchSize: 2 })).toBe(5);
  });
  expect(statements).toHaveLength(3);
  expect(await rowCount()).toBe(2);
  expect(await pruneBarrier(pool, { olderThanMs: 101 * dayMs })).toBe(0);
  expect(await pruneBarrier(pool)).toBe(1);
  expect(await rowCount()).toBe(1);
});

it("an undone effect is as old as its undo", async () => {
  const { pool, call } = await createService();
  await call({ lane: "forward" });
  await pool.query("UPDATE floxy_barrier SET changed_at = now() - interval '100 days'");
  await call({ lane: "compensation" });
  expect(await pruneBarrier(pool)).toBe(0);
});

it("refuses an age that is too short to be meant, and a size that is none", async () => {
  const { pool } = await createService();
  const wrong = [{ olderThanMs: 90 }, { olderThanMs: Number.NaN }, { batchSize: 0 }, { batchSize: 1.5 }];
  for (const options of wrong) {
    await expect(pruneBarrier(pool, options)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  }
});
