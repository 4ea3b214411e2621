/** Acts in bulk as the client asks for them. What orchestrators do is done here by hand. */
import { createGraphCache, isId, noHints, openListener, parseNotification, runBulk } from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BulkStarted } from "./bulk.ts";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, eventually, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const said = { requestedBy: "ops", reason: "INC-7" };
const graphs = createGraphCache();

/** Does items of bulk acts, as an orchestrator does; all unless told. */
const work = async (limit = 100): Promise<void> => {
  await runBulk(database.db, graphs, { limit, hints: noHints() });
};

const start = async (name: string, count: number): Promise<string[]> => {
  await client.register(definitionOf(name, [task(name)], { onFailure: "dlq" }));
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push((await client.start(name, { n }, { metadata: { n } })).instanceId);
  return ids;
};

const idOf = ({ bulkId }: BulkStarted): string => bulkId ?? "none";

describe("an act in bulk", () => {
  it("is counted at once, and then looked at while it is done", async () => {
    const ids = await start("looked", 5);
    const asked = await client.bulkCancel({ definition: "looked" }, said);
    expect(asked).toEqual({ bulkId: expect.any(String), count: 5 });
    const bulkId = idOf(asked);
    expect(isId(bulkId)).toBe(true);
    const bulk = { bulkId, act: "cancel", ...said, filter: { definition: "looked" }, count: 5 };
    expect(await client.bulk(bulkId)).toMatchObject({ ...bulk, pending: 5, done: 0, failed: 0, skipped: 0 });
    await work(2);
    expect(await client.bulk(bulkId)).toMatchObject({ ...bulk, pending: 3, done: 2, finishedAt: null });
    expect(await client.bulkItems(bulkId, { states: ["done"] })).toMatchObject([
      { position: 1, instanceId: ids[0], step: null, state: "done", finishedAt: expect.any(Date) },
      { position: 2, instanceId: ids[1], step: null, state: "done" },
    ]);
    const page = await client.bulkItems(bulkId, { after: 3, limit: 1 });
    expect(page).toMatchObject([{ position: 4, instanceId: ids[3], state: "pending", finishedAt: null }]);
    const finished = client.waitForBulk(bulkId);
    await work();
    expect(await finished).toMatchObject({ ...bulk, pending: 0, done: 5, finishedAt: expect.any(Date) });
    expect((await client.audit({ limit: 20 })).acts.filter(({ act }) => act === "cancel")).toHaveLength(6);
  });

  it("only counts in a dry run", async () => {
    await start("dry", 2);
    const asked = await client.bulkCancel({ definition: "dry", metadata: { n: 1 } }, { ...said, dryRun: true });
    expect(asked).toEqual({ bulkId: null, count: 1 });
  });

  it("deals with dead letters: requeued, given up, compensated again", async () => {
    const fail = async (handler: string): Promise<void> => {
      await database.fail(handler);
      await database.review();
    };
    const [first, second] = await start("letters", 2);
    await fail("letters");
    await fail("letters");
    const filter = { definition: "letters", handler: "letters", errorCode: "HANDLER_FAILED" } as const;
    const requeued = await client.bulkRequeue(filter, said);
    await work();
    expect(await client.bulkItems(idOf(requeued))).toMatchObject([
      { instanceId: first, step: "letters", state: "done" },
      { instanceId: second, step: "letters", state: "done" },
    ]);
    await fail("letters");
    await fail("letters");
    expect(await client.bulkDiscard(filter, said)).toMatchObject({ count: 2 });
    await work();
    await database.review();
    await fail("undo-letters");
    await fail("undo-letters");
    expect(await client.get(first ?? "")).toMatchObject({ status: "dlq" });
    expect(await client.bulkRetryCompensations({ handler: "undo-letters" }, said)).toMatchObject({ count: 2 });
    await work();
    await database.complete("undo-letters", null);
    await database.complete("undo-letters", null);
    await database.review();
    expect(await client.get(first ?? "")).toMatchObject({ status: "failed" });
  });

  it("wakes orchestrators", async () => {
    await start("waking", 1);
    const heard: string[] = [];
    let isListening = false;
    const listener = openListener({
      connectionString: database.url,
      schema: "floxy",
      channels: ["review"],
      onNotification: (_, payload) => heard.push(...parseNotification(payload)),
      onResync: () => {
        isListening = true;
      },
    });
    listener.start();
    try {
      await eventually(async () => isListening);
      await client.bulkCancel({ definition: "waking" }, said);
      await eventually(async () => heard.includes("bulk"));
    } finally {
      await listener.close();
    }
  });

  it("is waited for until time is up, or whoever waits gives up", async () => {
    await start("late", 1);
    const bulkId = idOf(await client.bulkCancel({ definition: "late" }, said));
    expect(await codeOf(client.waitForBulk(bulkId, { timeoutMs: 30 }))).toBe("WAIT_TIMEOUT");
    const stop = new AbortController();
    const waiting = client.waitForBulk(bulkId, { signal: stop.signal });
    stop.abort(new Error("no patience"));
    await expect(waiting).rejects.toThrow("no patience");
    await work();
    expect(await client.waitForBulk(bulkId, { timeoutMs: 5_000 })).toMatchObject({ done: 1 });
  });

  it.each<[string, () => Promise<unknown>]>([
    ["an unknown option", () => client.bulkCancel({ definition: "x" }, { ...said, dryrun: true } as never)],
    ["a dry run that is no yes or no", () => client.bulkCancel({ definition: "x" }, { ...said, dryRun: 1 } as never)],
    ["nobody who asks", () => client.bulkCancel({ definition: "x" }, {} as never)],
    ["a filter that chooses everything", () => client.bulkRequeue({}, said)],
    ["a discard without a reason", () => client.bulkDiscard({ definition: "x" }, { requestedBy: "ops" } as never)],
    ["a page of nothing", () => client.bulkItems("01ARZ3NDEKTSV4RRFFQ69G5FAV", { limit: 0 })],
    ["a page from nowhere", () => client.bulkItems("01ARZ3NDEKTSV4RRFFQ69G5FAV", { after: -1 })],
    ["states that are none", () => client.bulkItems("01ARZ3NDEKTSV4RRFFQ69G5FAV", { states: ["over"] as never })],
    ["a wait of no time", () => client.waitForBulk("x", { timeoutMs: -1 })],
  ])("refuses %s", async (_, call) => {
    expect(await codeOf(call())).toBe("OPTION_INVALID");
  });

  it.each<[string, () => Promise<unknown>]>([
    ["an id that is none", () => client.bulk("x")],
    ["an id of nothing", () => client.bulk("01ARZ3NDEKTSV4RRFFQ69G5FAV")],
    ["items of nothing", () => client.bulkItems("01ARZ3NDEKTSV4RRFFQ69G5FAV")],
    ["a wait for nothing", () => client.waitForBulk("x")],
  ])("does not find %s", async (_, call) => {
    expect(await codeOf(call())).toBe("BULK_NOT_FOUND");
  });
});
