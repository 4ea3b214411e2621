import type { PreparedStart, Started } from "@floxy/shared";
import { FloxyError, isFloxyError } from "@floxy/shared";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { FloxyClient } from "./client.ts";
import type { StartItem, StartItems, StartManyOptions, StartResult } from "./start-many.ts";
import { startMany, startManyLimit } from "./start-many.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, quiet } from "./testing/database.ts";

const charge = defineStep(
  "charge",
  defineHandler<{ id: number; amount: number }, { paid: boolean }>({ name: "charge" }),
);
const Order = z.object({ id: z.number(), amount: z.number().positive() });
const order = workflow({ name: "order", version: 1, input: Order }).step(charge).build();

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
});

beforeEach(() => {
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  return () => client.close();
});

afterAll(() => database.drop());

const itemOf = (id: number, key?: string): StartItem<{ id: number; amount: number }> => ({
  input: { id, amount: 1 },
  ...(key !== undefined && { idempotencyKey: key }),
});

const listOf = (count: number, prefix?: string) =>
  Array.from({ length: count }, (_, id) => itemOf(id, prefix === undefined ? undefined : `${prefix}-${id}`));

/** Collects all results. */
const collect = () => {
  const results: StartResult[] = [];
  return { results, onBatch: (batch: readonly StartResult[]) => void results.push(...batch) };
};

const instancesOf = (prefix: string) =>
  database.query<{ instance_id: string; key: string; input: { id: number } }>(
    `SELECT instance_id, idempotency_key AS key, input FROM floxy.instance
     WHERE idempotency_key LIKE $1 || '-%' ORDER BY instance_id`,
    [prefix],
  );

describe("startMany", () => {
  it("starts all items, and gives each its result in order", async () => {
    const { results, onBatch } = collect();
    const items = listOf(2 * startManyLimit + 5, "all");
    expect(await client.startMany(order, items, { onBatch })).toEqual({
      ...{ count: items.length, created: items.length, existing: 0, failed: 0, failures: [] },
    });
    expect(results.map(({ index }) => index)).toEqual([...items.keys()]);
    const rows = await instancesOf("all");
    expect(rows.map((row) => [row.instance_id, row.input.id])).toEqual(
      results.map(({ instanceId, index }) => [instanceId, index]),
    );
    const queued = await database.query("SELECT 1 FROM floxy.queue WHERE instance_id = ANY ($1)", [
      rows.map((row) => row.instance_id),
    ]);
    expect(queued).toHaveLength(items.length);
  });

  it("starts what an async iterable brings, by name, each with what is said of it", async () => {
    await client.register(chainOf("plain", ["a"]));
    const items = async function* () {
      yield { input: 1, priority: 7, metadata: { from: "file" }, deadlineMs: 60_000 };
      yield { input: "two" };
    };
    const { results, onBatch } = collect();
    expect(await client.startMany("plain", items(), { onBatch })).toMatchObject({ created: 2 });
    const [one, two] = await Promise.all(results.map(({ instanceId }) => client.get(instanceId ?? "")));
    expect(one).toMatchObject({ input: 1, priority: 7, metadata: { from: "file" }, deadlineAt: expect.any(Date) });
    expect(two).toMatchObject({ input: "two", priority: 50, metadata: {}, deadlineAt: null });
  });

  it("refuses a bad item alone, and says which", async () => {
    const items: StartItem[] = listOf(20, "bad");
    const bad: [number, StartItem][] = [
      [3, { input: { id: 3, amount: -1 } }],
      [5, null as never],
      [7, { input: { id: 7, amount: 1 }, priority: 101 }],
      [11, { input: { id: 11, amount: 1 }, metadata: { f: () => 1 } }],
    ];
    for (const [index, item] of bad) items[index] = item;
    const { count, created, failed, failures } = await client.startMany("order", items);
    expect({ count, created, failed }).toEqual({ count: 20, created: 16, failed: 4 });
    expect(failures.map(({ index, error }) => [index, error.code])).toEqual([
      [3, "INPUT_INVALID"],
      [5, "OPTION_INVALID"],
      [7, "OPTION_INVALID"],
      [11, "JSON_UNSTORABLE"],
    ]);
    expect(await instancesOf("bad")).toHaveLength(16);
  });

  it("starts nothing twice when all items are given again", async () => {
    const first = collect();
    const items = listOf(startManyLimit + 50, "again");
    await client.startMany(order, items.slice(0, 70), { onBatch: first.onBatch });
    const { results, onBatch } = collect();
    expect(await client.startMany(order, items, { onBatch })).toMatchObject({ created: 980, existing: 70, failed: 0 });
    expect(results.slice(0, 70).map(({ instanceId }) => instanceId)).toEqual(
      first.results.map(({ instanceId }) => instanceId),
    );
    expect(await instancesOf("again")).toHaveLength(items.length);
  });

  it("knows the same key with the same input, and with another one, also within one batch", async () => {
    await client.start(order, { id: 1, amount: 1 }, { idempotencyKey: "dup-old" });
    const items = [
      itemOf(1, "dup-new"),
      itemOf(1, "dup-new"),
      itemOf(2, "dup-new"),
      itemOf(1, "dup-old"),
      itemOf(9, "dup-old"),
    ];
    const { results, onBatch } = collect();
    expect(await client.startMany(order, items, { onBatch })).toMatchObject({ created: 1, existing: 2, failed: 2 });
    expect(results.map(({ created, error }) => error?.code ?? created)).toEqual([
      ...[true, false, "IDEMPOTENCY_CONFLICT", false, "IDEMPOTENCY_CONFLICT"],
    ]);
    expect(results[1]?.instanceId).toBe(results[0]?.instanceId);
  });

  it("does not deadlock with others who import the same keys in another order", async () => {
    const other = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
    const items = listOf(3_000, "race");
    // Priorities differ, so that what is common to the items of a batch differs too.
    const shuffled = items.map((_, n) => ({ ...(items[(n * 1_009) % items.length] as StartItem), priority: n % 101 }));
    const done = await Promise.all([
      client.startMany(order, items),
      other.startMany("order", shuffled),
      client.startMany("order", items.toReversed()),
    ]);
    await other.close();
    expect(done.map(({ failed }) => failed)).toEqual([0, 0, 0]);
    expect(done.reduce((sum, { created }) => sum + created, 0)).toBe(items.length);
    const [deadlocks] = await database.query<{ count: string }>(
      "SELECT deadlocks AS count FROM pg_stat_database WHERE datname = current_database()",
    );
    expect(deadlocks?.count).toBe("0");
  });

  it("survives the loss of all its connections in the middle, and starts each item once", async () => {
    const items = listOf(8 * startManyLimit, "lost");
    const { results, onBatch } = collect();
    const cut =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'floxy client'";
    const done = await client.startMany(order, items, {
      onBatch: async (batch) => {
        onBatch(batch);
        await database.query(cut);
      },
    });
    expect(done).toMatchObject({ created: items.length, failed: 0 });
    expect(results.map(({ index }) => index)).toEqual([...items.keys()]);
    expect(await instancesOf("lost")).toHaveLength(items.length);
  });

  it("holds by name to one version, and a repeat to that of the first", async () => {
    const narrow = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
    await client.register(chainOf("versioned", ["a"]));
    await client.startMany("versioned", [{ input: {}, idempotencyKey: "v" }]);
    await client.register(chainOf("versioned", ["a"], { version: 2, inputSchema: narrow }));
    expect(
      await client.startMany("versioned", [{ input: {}, idempotencyKey: "v" }, { input: {} }, { input: { n: 1 } }]),
    ).toMatchObject({ created: 1, existing: 1, failed: 1 });
    expect(await client.start("versioned", {}, { idempotencyKey: "v" })).toMatchObject({ created: false });
  });

  it("throws for what concerns all items, and writes nothing", async () => {
    expect(await codeOf(client.startMany("nobody", [{ input: 1 }]))).toBe("DEFINITION_NOT_FOUND");
    expect(await codeOf(client.startMany(order, "text" as never))).toBe("OPTION_INVALID");
    expect(await codeOf(client.startMany(order, [], { version: 2 }))).toBe("OPTION_INVALID");
    expect(await codeOf(client.startMany(order, [], { transaction: {} as never }))).toBe("OPTION_INVALID");
    expect(await client.startMany(order, [])).toMatchObject({ count: 0 });
    await client.close();
    expect(await codeOf(client.startMany(order, []))).toBe("SHUTDOWN");
  });
});

describe("startMany in the caller's transaction", () => {
  const within = async <T>(end: "COMMIT" | "ROLLBACK", work: (transaction: pg.Client) => Promise<T>): Promise<T> => {
    const caller = new pg.Client({ connectionString: database.url });
    await caller.connect();
    try {
      await caller.query("BEGIN");
      const result = await work(caller);
      await caller.query(end);
      return result;
    } finally {
      await caller.end();
    }
  };

  it("starts all if and only if the caller commits, and reports conflicts", async () => {
    const items = listOf(startManyLimit + 10, "within");
    await within("ROLLBACK", (transaction) => client.startMany(order, items, { transaction }));
    expect(await instancesOf("within")).toEqual([]);
    await client.start(order, { id: 99, amount: 1 }, { idempotencyKey: "within-4" });
    const done = await within("COMMIT", (transaction) => client.startMany(order, items, { transaction }));
    expect(done).toMatchObject({ created: items.length - 1, failed: 1, failures: [{ index: 4 }] });
    expect(await instancesOf("within")).toHaveLength(items.length);
  });
});

describe("the batches of startMany", () => {
  const prepared = (n: unknown) =>
    ({ row: { instanceId: `i-${String(n)}`, input: "{}", metadata: "{}" } }) as PreparedStart;

  /** Starts where a batch comes back when the test lets it. */
  const held = (items: StartItems, options: StartManyOptions = {}) => {
    const sent: { first: string; size: number; back: () => void; fail: (error: unknown) => void }[] = [];
    const done = startMany({
      items,
      options,
      prepare: async ({ input }) => prepared(input),
      send: (starts) =>
        new Promise<readonly Started[]>((resolve, reject) => {
          const answers = starts.map(({ row }) => ({ instanceId: row.instanceId, created: true }));
          const first = answers[0]?.instanceId ?? "";
          sent.push({ first, size: starts.length, back: () => resolve(answers), fail: reject });
        }),
      reach: (call) => call(),
    });
    done.catch(() => {});
    return { sent, done };
  };

  it("takes no more of an endless iterable than three batches before a result is there", async () => {
    let taken = 0;
    let isLeft = false;
    const endless = function* () {
      try {
        for (;;) yield { input: taken++ };
      } finally {
        isLeft = true;
      }
    };
    const stop = new AbortController();
    const seen: number[] = [];
    const onBatch = (batch: readonly StartResult[]) => void seen.push(batch.length);
    const { sent, done } = held(endless(), { signal: stop.signal, onBatch });
    for (let round = 0; round < 5; round += 1) {
      await expect.poll(() => sent.length).toBe(round + 2);
      await expect.poll(() => taken).toBe((round + 3) * startManyLimit);
      sent[round]?.back();
    }
    stop.abort(new Error("enough"));
    for (const { back } of sent) back();
    await expect.poll(() => sent.length).toBe(7);
    sent.at(-1)?.back();
    await expect(done).rejects.toThrow("enough");
    expect(isLeft).toBe(true);
    expect(seen.length).toBeGreaterThanOrEqual(5);
  });

  it("gives results in the order of the items, whichever batch is back first", async () => {
    const { results, onBatch } = collect();
    const items = Array.from({ length: 2 * startManyLimit }, (_, input) => ({ input }));
    const { sent, done } = held(items, { onBatch });
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.back();
    await new Promise(setImmediate);
    expect(results).toEqual([]);
    sent[0]?.back();
    expect(await done).toMatchObject({ created: items.length });
    expect(results.map(({ instanceId }) => instanceId)).toEqual(items.map(({ input }) => `i-${input}`));
  });

  it("says how many items had their results when the database stayed away, and waits for what is under way", async () => {
    const items = Array.from({ length: 3 * startManyLimit }, (_, input) => ({ input }));
    const { sent, done } = held(items);
    await expect.poll(() => sent.length).toBe(2);
    sent[0]?.back();
    await expect.poll(() => sent.length).toBe(3);
    sent[1]?.fail(new FloxyError("DATABASE_UNAVAILABLE", "away."));
    let isOver = false;
    done.catch(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    sent[2]?.back();
    await expect(done).rejects.toSatisfy(
      (error) => isFloxyError(error, "DATABASE_UNAVAILABLE") && error.data.count === startManyLimit,
    );
  });

  it("throws what the iterable throws, and what onBatch throws", async () => {
    const broken = async function* () {
      yield { input: 1 };
      throw new Error("the file is torn");
    };
    await expect(held(broken()).done).rejects.toThrow("the file is torn");
    const onBatch = () => Promise.reject(new Error("no room for results"));
    const { sent, done } = held([{ input: 1 }], { onBatch });
    await expect.poll(() => sent.length).toBe(1);
    sent[0]?.back();
    await expect(done).rejects.toThrow("no room for results");
  });
});
