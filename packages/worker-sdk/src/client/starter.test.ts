import type { Executor, PreparedStart, Started, Statement } from "@floxy/shared";
import {
  createGraphCache,
  FloxyError,
  insertStarts,
  isFloxyError,
  noHints,
  prepareStart,
  registerDefinition,
} from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createStarter, startBatchLimit } from "./starter.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, createTestDatabase } from "./testing/database.ts";

let database: TestDatabase;
const graphs = createGraphCache();

beforeAll(async () => {
  database = await createTestDatabase();
  await registerDefinition(database.db, chainOf("order", ["charge"]));
});

afterAll(() => database.drop());

/** The database with something that happens to each statement. */
const through = (
  meddle: (statement: Statement, send: () => Promise<object[]>, values: readonly unknown[]) => Promise<object[]>,
): Executor => ({
  schema: database.db.schema,
  query: async (statement, values = []) =>
    (await meddle(statement, () => database.db.query(statement, values), values)) as never[],
});

const starterOn = (db: Executor, timeoutMs = 5_000) => {
  const hints = noHints();
  const onHints = (more: ReturnType<typeof noHints>) => {
    for (const handler of more.ready) hints.ready.add(handler);
  };
  return { hints, ...createStarter({ db, timeoutMs, random: () => 0, onHints, onRetry: () => {} }) };
};

const prepare =
  (input: unknown = {}, idempotencyKey?: string) =>
  (): Promise<PreparedStart> =>
    prepareStart(database.db, graphs, { definitionName: "order", input, idempotencyKey });

const isInsert = ({ name }: Statement): boolean => name.startsWith("insert_");

const lost = () => Object.assign(new Error("Connection terminated unexpectedly"));

const countOf = async (instanceId: string): Promise<number> => {
  const rows = await database.query("SELECT 1 FROM floxy.instance WHERE instance_id = $1", [instanceId]);
  return rows.length;
};

describe("createStarter", () => {
  it("coalesces concurrent starts into one statement for each round trip, of at most 500", async () => {
    const sizes: number[] = [];
    const starter = starterOn(
      through((statement, send, values) => {
        if (isInsert(statement)) sizes.push((values[0] as unknown[]).length);
        return send();
      }),
    );
    const prepared = await Promise.all(Array.from({ length: 1_200 }, (_, n) => prepare({ n })()));
    const started = await Promise.all(prepared.map((one) => starter.start(async () => one)));
    expect(started.map(({ instanceId }) => instanceId)).toEqual(prepared.map(({ row }) => row.instanceId));
    expect(sizes).toEqual([1, startBatchLimit, startBatchLimit, 199]);
  });

  it("sends the same start again when the answer was lost, and starts it once", async () => {
    let answers = 0;
    const starter = starterOn(
      through(async (statement, send) => {
        const rows = await send();
        if (isInsert(statement) && answers++ < 2) throw lost();
        return rows;
      }),
    );
    const { row } = await prepare()();
    const started = await starter.start(async () => ({ row }));
    expect(started).toEqual({ instanceId: row.instanceId, created: true });
    expect(answers).toBe(3);
    expect(await countOf(row.instanceId)).toBe(1);
    expect(starter.hints.ready).toEqual(new Set(["charge"]));
  });

  it("answers DATABASE_UNAVAILABLE with the id when the database stays away, and keeps nothing to send later", async () => {
    let sent = 0;
    const starter = starterOn(
      through(async () => {
        sent += 1;
        throw lost();
      }),
      100,
    );
    const { row } = await prepare()();
    const start = starter.start(async () => ({ row }));
    await expect(start).rejects.toSatisfy(
      (error) => isFloxyError(error, "DATABASE_UNAVAILABLE") && error.data.instanceId === row.instanceId,
    );
    const before = sent;
    await starter.close(new Error("closed") as never);
    expect(before).toBeGreaterThan(1);
    expect(sent).toBe(before);
  });

  it("answers in time also when the database hangs, and drops what has not gone out", async () => {
    let release = () => {};
    const hanging = new Promise<void>((resolve) => {
      release = resolve;
    });
    const inserts: unknown[] = [];
    const starter = starterOn(
      through(async (_, send, values) => {
        inserts.push(values[0]);
        await hanging;
        return send();
      }),
      100,
    );
    const [first, second] = [await prepare()(), await prepare()()];
    const results = await Promise.allSettled([first, second].map((one) => starter.start(async () => one)));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    release();
    await starter.close(new Error("closed") as never);
    expect(inserts).toEqual([[first.row.instanceId]]);
    expect(await countOf(second.row.instanceId)).toBe(0);
  });

  it("lets nobody fail for what the database refuses of another", async () => {
    const starter = starterOn(database.db);
    const prepared = await Promise.all(Array.from({ length: 20 }, (_, n) => prepare({ n })()));
    const broken = prepared.map((one, n) => (n === 13 ? { row: { ...one.row, priority: 1_000 } } : one));
    const results = await Promise.allSettled(broken.map((one) => starter.start(async () => one)));
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(prepared.map((_, n) => n !== 13));
    const refused = results[13];
    expect(refused?.status === "rejected" && isFloxyError(refused.reason, "INTERNAL")).toBe(true);
    expect(await Promise.all(prepared.map(({ row }) => countOf(row.instanceId)))).toEqual(
      prepared.map((_, n) => (n === 13 ? 0 : 1)),
    );
  });

  it("does not halve a batch for an error that hits all", async () => {
    let sent = 0;
    const starter = starterOn(
      through(async () => {
        sent += 1;
        throw new FloxyError("SCHEMA_OUTDATED", "no tables");
      }),
    );
    const prepared = await Promise.all(Array.from({ length: 8 }, () => prepare()()));
    const results = await Promise.allSettled(prepared.map((one) => starter.start(async () => one)));
    expect(results.every((one) => one.status === "rejected" && isFloxyError(one.reason, "SCHEMA_OUTDATED"))).toBe(true);
    expect(sent).toBe(2);
  });

  it("does not keep starts without a key waiting for a transaction that holds a key", async () => {
    const held = await prepare({}, "held")();
    const starter = starterOn(database.db);
    let waiting: Promise<Started> | undefined;
    await database.db.transaction(async (tx) => {
      await insertStarts(tx, [held], noHints());
      waiting = starter.start(prepare({}, "held"));
      expect(await starter.start(prepare())).toMatchObject({ created: true });
    });
    expect(await waiting).toEqual({ instanceId: held.row.instanceId, created: false });
  });

  it("sends many again when the answer was lost, only those that have none, and starts each once", async () => {
    const sizes: number[] = [];
    let answers = 0;
    const starter = starterOn(
      through(async (statement, send, values) => {
        const rows = await send();
        if (!isInsert(statement)) return rows;
        sizes.push((values[0] as unknown[]).length);
        if (answers++ < 2) throw lost();
        return rows;
      }),
    );
    const known = await prepare({}, "many-known")();
    await insertStarts(database.db, [known], noHints());
    const starts = await Promise.all([
      ...[prepare({ n: 1 })(), prepare({}, "many-known")(), prepare({ n: 2 })(), prepare({ n: 3 }, "many-known")()],
    ]);
    const [one, two, three, four] = await starter.startMany(starts);
    expect(one).toEqual({ instanceId: starts[0]?.row.instanceId, created: true });
    expect(two).toEqual({ instanceId: known.row.instanceId, created: false });
    expect(three).toEqual({ instanceId: starts[2]?.row.instanceId, created: true });
    expect(isFloxyError(four, "IDEMPOTENCY_CONFLICT")).toBe(true);
    // A form that takes it for granted that no id exists, and the one that does not: each answer that is lost is one.
    expect(sizes.length).toBeGreaterThanOrEqual(3);
    expect(await countOf(starts[0]?.row.instanceId ?? "")).toBe(1);
    expect(starter.hints.ready).toEqual(new Set(["charge"]));
  });

  it("refuses one of many that the database refuses, and no other", async () => {
    const starter = starterOn(database.db);
    const starts = await Promise.all(Array.from({ length: 9 }, (_, n) => prepare({ n })()));
    const broken = starts.map((one, n) => (n === 4 ? { row: { ...one.row, priority: 1_000 } } : one));
    const answers = await starter.startMany(broken);
    expect(answers.map((answer) => isFloxyError(answer, "INTERNAL"))).toEqual(starts.map((_, n) => n === 4));
  });

  it("answers DATABASE_UNAVAILABLE for many when the database stays away, and SHUTDOWN once closed", async () => {
    const away = through(async () => {
      throw lost();
    });
    const starter = starterOn(away, 50);
    const starts = [await prepare()()];
    await expect(starter.startMany(starts)).rejects.toSatisfy((error) => isFloxyError(error, "DATABASE_UNAVAILABLE"));
    await starter.close(new FloxyError("SHUTDOWN", "closed"));
    await expect(starter.startMany(starts)).rejects.toSatisfy((error) => isFloxyError(error, "SHUTDOWN"));
  });

  it("gets callers who start one after the other into every statement", async () => {
    const sizes: number[] = [];
    const starter = starterOn(
      through((statement, send, values) => {
        if (isInsert(statement)) sizes.push((values[0] as unknown[]).length);
        return send();
      }),
    );
    const prepared = await Promise.all(Array.from({ length: 40 }, (_, n) => prepare({ n })()));
    const caller = async (_: unknown, first: number) => {
      for (const one of prepared.slice(first * 5, first * 5 + 5)) await starter.start(async () => one);
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    // The first goes out alone, then those who came meanwhile, and from then on all together.
    expect(sizes).toEqual([1, 7, 8, 8, 8, 8]);
  });
});
