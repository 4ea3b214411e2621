import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import type { DatabaseOptions } from "./database.ts";
import { openDatabase } from "./database.ts";
import { isTransient, isUnavailable } from "./database-error.ts";
import type { Database } from "./executor.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, eventually, sql } from "./testing/database.ts";
import { openProxy } from "./testing/proxy.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
});
afterAll(() => database.drop());

const open = (options: Partial<DatabaseOptions> = {}): Database => {
  const db = openDatabase({ connectionString: database.url, ...options });
  onTestFinished(() => db.close());
  return db;
};

const pidOf = async (db: Pick<Database, "query" | "schema">): Promise<number> =>
  (await sql<{ pid: number }>(db, "SELECT pg_backend_pid() AS pid"))[0]?.pid ?? 0;

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

/** Makes a table that only this test knows. */
const table = async (db: Database, columns: string): Promise<string> => {
  const name = `t${Math.random().toString(36).slice(2)}`;
  await sql(db, `CREATE TABLE ${name} (${columns})`);
  return name;
};

describe("values", () => {
  it("gives bigint as a number, json as its text and jsonb as its value", async () => {
    const rows = await sql(
      open(),
      `SELECT 9007199254740991::bigint AS n, '{"a": 1}'::json AS j, '{"a": 1}'::jsonb AS b`,
    );
    expect(rows).toEqual([{ n: 9007199254740991, j: '{"a": 1}', b: { a: 1 } }]);
  });

  it("throws rather than giving a bigint that a number cannot hold", async () => {
    await expect(sql(open(), "SELECT 9007199254740993::bigint AS n")).rejects.toThrow(RangeError);
  });

  it("names itself to the server", async () => {
    const db = open({ applicationName: "who asks" });
    expect(await sql(db, "SELECT current_setting('application_name') AS name")).toEqual([{ name: "who asks" }]);
  });

  it.each([true, false])("takes parameters and lists with prepare %s", async (prepare) => {
    const db = open({ prepare, maxConnections: 1 });
    for (let round = 0; round < 2; round += 1) {
      const rows = await sql(db, "SELECT * FROM unnest($1::text[], $2::bigint[]) AS u(a, b)", ['x"', "y"], [1, null]);
      expect(rows).toEqual([
        { a: 'x"', b: 1 },
        { a: "y", b: null },
      ]);
    }
    const prepared = await sql(
      db,
      "SELECT count(*)::int > 0 AS any FROM pg_prepared_statements WHERE statement LIKE '%unnest%'",
    );
    expect(prepared).toEqual([{ any: prepare }]);
  });
});

describe("transaction", () => {
  it("commits what it did and gives what the work gave", async () => {
    const db = open();
    const t = await table(db, "n int");
    const answer = await db.transaction(async (tx) => {
      await sql(tx, `INSERT INTO ${t} VALUES (1)`);
      return "done";
    });
    expect(answer).toBe("done");
    expect(await sql(db, `SELECT n FROM ${t}`)).toEqual([{ n: 1 }]);
  });

  it("rolls back when the work throws, throws the same, and keeps the connection", async () => {
    const db = open({ maxConnections: 1 });
    const t = await table(db, "n int");
    const before = await pidOf(db);
    const mine = new Error("mine");
    const work = db.transaction(async (tx) => {
      await sql(tx, `INSERT INTO ${t} VALUES (1)`);
      throw mine;
    });
    expect(await errorOf(work)).toBe(mine);
    expect(await sql(db, `SELECT n FROM ${t}`)).toEqual([]);
    expect(await pidOf(db)).toBe(before);
  });

  it("sends statements that are not awaited together, and answers each", async () => {
    const way = await openProxy(database.url);
    onTestFinished(() => way.close());
    const numbers = await open({ connectionString: way.url }).transaction(async (tx) => {
      const letGo = way.hold();
      const answers = [1, 2, 3].map((n) => sql<{ n: number }>(tx, `SELECT ${n} AS n, 'statement ${n}'`));
      await eventually(() => expect(way.sent()).toMatch(/statement 1.*statement 2.*statement 3/s));
      letGo();
      return Promise.all(answers);
    });
    expect(numbers.flat().map(({ n }) => n)).toEqual([1, 2, 3]);
  });

  it("says which of several statements failed, and nothing of the others takes effect", async () => {
    const db = open({ maxConnections: 1 });
    const t = await table(db, "n int PRIMARY KEY");
    const work = db.transaction(async (tx) => {
      const first = sql(tx, `INSERT INTO ${t} VALUES (1)`);
      const wrong = sql(tx, `INSERT INTO ${t} VALUES (1) /* again */`);
      const last = sql(tx, `INSERT INTO ${t} VALUES (2)`);
      await last;
      await Promise.all([first, wrong]);
    });
    await expect(work).rejects.toMatchObject({ code: "23505" });
    expect(await sql(db, `SELECT n FROM ${t}`)).toEqual([]);
  });

  it("fails when the work swallowed the error of a statement", async () => {
    const db = open();
    const work = db.transaction(async (tx) => {
      await errorOf(sql(tx, "SELECT 1 / $1::int", 0));
      return "done";
    });
    await expect(work).rejects.toMatchObject({ code: "22012" });
  });

  it("fails when a statement that nobody awaited failed", async () => {
    const work = open().transaction(async (tx) => {
      void sql(tx, "SELECT 1 / $1::int", 0);
    });
    await expect(work).rejects.toMatchObject({ code: "22012" });
  });

  it("refuses statements after its end", async () => {
    const db = open();
    const tx = await db.transaction(async (tx) => tx);
    await expect(pidOf(tx)).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("is ended by the server when its client stays silent", async () => {
    const db = open({ idleInTransactionTimeoutMs: 50 });
    const other = open();
    const error = await errorOf(
      db.transaction(async (tx) => {
        const pid = await pidOf(tx);
        await eventually(async () =>
          expect(await sql(other, "SELECT FROM pg_stat_activity WHERE pid = $1", pid)).toEqual([]),
        );
        await pidOf(tx);
      }),
    );
    expect(error).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await pidOf(db)).toBeGreaterThan(0);
  });

  it("reads what is committed, whatever level the role has by default", async () => {
    const db = open({ connectionString: `${database.url}?options=-c%20default_transaction_isolation%3Dserializable` });
    const level = await db.transaction((tx) => sql(tx, "SELECT current_setting('transaction_isolation') AS level"));
    expect(level).toEqual([{ level: "read committed" }]);
  });
});

describe("errors", () => {
  it("says DATABASE_UNAVAILABLE when nobody listens", async () => {
    const error = await errorOf(pidOf(open({ connectionString: "postgres://127.0.0.1:1/x" })));
    expect(error).toMatchObject({ code: "DATABASE_UNAVAILABLE", kind: "retryable", cause: { code: "ECONNREFUSED" } });
  });

  it("says DATABASE_UNAVAILABLE when a server does not answer in time", async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const db = open({ connectionString: `postgres://127.0.0.1:${port}/x`, connectionTimeoutMs: 50 });
    await expect(pidOf(db)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });

  it("says DATABASE_UNAVAILABLE when a statement takes too long, and drops its connection", async () => {
    const db = open({ maxConnections: 1, queryTimeoutMs: 1_000 });
    const before = await pidOf(db);
    await expect(sql(db, "SELECT pg_sleep(60)")).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await pidOf(db)).not.toBe(before);
  });

  it("says DATABASE_UNAVAILABLE when all connections stay lent", async () => {
    const db = open({ maxConnections: 1, connectionTimeoutMs: 1_000 });
    const error = await db.transaction(() => errorOf(pidOf(db)));
    expect(error).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });

  it("survives the server ending its connections, lent and idle", async () => {
    const reported: unknown[] = [];
    const db = open({ maxConnections: 2, onError: (error) => reported.push(error) });
    const other = open();
    await Promise.all([pidOf(db), pidOf(db)]);
    const error = await errorOf(
      db.transaction(async (tx) => {
        const mine = await pidOf(tx);
        const idle = await pidOf(db);
        await sql(other, "SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS pid", [mine, idle]);
        await pidOf(tx);
      }),
    );
    expect(error).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    await eventually(async () =>
      expect(reported).toMatchObject([{ code: "DATABASE_UNAVAILABLE", cause: { code: "57P01" } }]),
    );
    expect(await pidOf(db)).toBeGreaterThan(0);
  });

  it("drops a connection that became read-only", async () => {
    const db = open({ maxConnections: 1 });
    const t = await table(db, "n int");
    const before = await pidOf(db);
    await sql(db, "SET default_transaction_read_only = on");
    await expect(sql(db, `INSERT INTO ${t} VALUES (1)`)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await pidOf(db)).not.toBe(before);
    await sql(db, `INSERT INTO ${t} VALUES (1)`);
  });

  it("keeps a connection whose statement was wrong", async () => {
    const db = open({ maxConnections: 1 });
    const before = await pidOf(db);
    await expect(sql(db, "SELECT 1 / $1::int", 0)).rejects.toMatchObject({ code: "22012" });
    expect(await pidOf(db)).toBe(before);
  });

  it("forgets prepared statements whose table was changed under them", async () => {
    const db = open({ maxConnections: 1 });
    const t = await table(db, "n int");
    await sql(db, `SELECT * FROM ${t}`);
    await sql(db, `ALTER TABLE ${t} ADD COLUMN m int`);
    const error = await errorOf(sql(db, `SELECT * FROM ${t}`));
    expect(isTransient(error)).toBe(true);
    expect(await sql(db, `SELECT * FROM ${t}`)).toEqual([]);
  });

  it("says SCHEMA_OUTDATED when there are no tables", async () => {
    const db = open({ schema: "nobody made this" });
    await expect(sql(db, "SELECT FROM {schema}.queue")).rejects.toMatchObject({
      code: "SCHEMA_OUTDATED",
      message: expect.stringContaining("run the migrations"),
    });
  });

  it("says CONFIGURATION_INVALID for a database that does not exist", async () => {
    const url = Object.assign(new URL(database.url), { pathname: "/nobody_made_this" }).href;
    await expect(pidOf(open({ connectionString: url }))).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
  });

  it("says CONFIGURATION_INVALID for a URL that cannot be read, without showing its password", () => {
    const attempt = (): unknown => open({ connectionString: "postgres://me:secret@host:port/x" });
    expect(attempt).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
    expect(attempt).not.toThrow(/secret/);
  });

  it.each(["", "a\u0000b", "o'clock", "ä".repeat(32)])(
    "says CONFIGURATION_INVALID for the schema name %j",
    (schema) => {
      expect(() => open({ schema })).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
    },
  );

  it("says SHUTDOWN after close, and closes twice without complaint", async () => {
    const db = open();
    await db.close();
    await db.close();
    await expect(pidOf(db)).rejects.toMatchObject({ code: "SHUTDOWN" });
  });

  it("closes soon inside a black hole, and leaves no socket behind", async () => {
    const way = await openProxy(database.url);
    onTestFinished(() => way.close());
    const db = open({ connectionString: way.url });
    await pidOf(db);
    way.swallow = true;
    const before = performance.now();
    await db.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    await eventually(() => expect(way.isForsaken()).toBe(true));
  });

  it("counts deadlocks, serialization failures and cancelled statements as transient, and not as unavailable", () => {
    for (const code of ["40P01", "40001", "55P03", "57014"]) {
      const error = Object.assign(new Error("x"), { code });
      expect([isTransient(error), isUnavailable(error)]).toEqual([true, false]);
    }
    expect(isTransient(Object.assign(new Error("disk full"), { code: "53100" }))).toBe(true);
    expect(isTransient(Object.assign(new Error("x"), { code: "23505" }))).toBe(false);
  });
});
