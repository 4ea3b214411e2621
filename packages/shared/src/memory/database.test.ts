import { beforeEach, describe, expect, it } from "vitest";
import { insertRecords } from "../store/decision.ts";
import { getDefinition, insertDefinition } from "../store/definition.ts";
import type { Database, Executor } from "../store/executor.ts";
import { statement } from "../store/executor.ts";
import { putInbox, takeInbox } from "../store/inbox.ts";
import { insertInstances } from "../store/start.ts";
import { loadSteps } from "../store/state.ts";
import { newId } from "../vocabulary/id.ts";
import { createMemoryDatabase } from "./database.ts";
import { createTables } from "./tables.ts";

let db: Database;

beforeEach(() => {
  db = createMemoryDatabase({ now: () => 1_000 });
});

const start = async (): Promise<string> => {
  const instanceId = newId();
  const advance = { records: [], enqueue: [], review: false, joins: null, finished: null };
  const definition = {
    definitionName: "d",
    definitionVersion: 1,
    priority: 50,
    deadlineMs: null,
    idempotencyKey: null,
  };
  await insertInstances(db, [{ instanceId, ...definition, input: "{}", metadata: "{}", advance }]);
  return instanceId;
};

describe("a database in memory", () => {
  it("lets callers in one at a time, in the order in which they came", async () => {
    const order: string[] = [];
    const release: (() => void)[] = [];
    const first = db.transaction(async (tx) => {
      await putInbox(tx, [{ instanceId: "i" }]);
      await new Promise<void>((resolve) => release.push(resolve));
      order.push("first");
    });
    const second = takeInbox(db, 1).then((notes) => order.push(`second ${notes.length}`));
    await expect.poll(() => release.length).toBe(1);
    release[0]?.();
    await Promise.all([first, second]);
    expect(order).toEqual(["first", "second 1"]);
  });

  it("reads definitions while a transaction is open, which may wait for whoever reads", async () => {
    const row = { name: "d", version: 1, fingerprint: "f", body: "{}" };
    await insertDefinition(db, row);
    const read = await db.transaction(async (tx) => {
      await putInbox(tx, [{ instanceId: "i" }]);
      return getDefinition(db, "d", 1);
    });
    expect(read).toEqual(row);
    expect(await takeInbox(db, 9)).toHaveLength(1);
  });

  it("keeps the order of what was settled within one millisecond", async () => {
    const instanceId = await start();
    const nothing = { side: null, error: null, inputFrom: null, due: null, contained: false };
    for (const node of ["z", "a"]) await insertRecords(db, [{ instanceId, node, status: "completed", ...nothing }]);
    expect((await loadSteps(db, [instanceId])).map(({ node }) => node)).toEqual(["z", "a"]);
  });

  it("keeps its rows where a test can look at them", async () => {
    const tables = createTables();
    db = createMemoryDatabase({ now: () => 5, tables });
    const instanceId = await start();
    expect(tables.instance.of(instanceId)).toMatchObject([{ status: "running", createdAt: 5 }]);
  });

  it("says that it runs no SQL, in a transaction or not", async () => {
    const select = statement("select_one", () => "SELECT 1");
    const asked = (executor: Executor): Promise<object[]> => executor.query(select);
    const refused = { code: "INTERNAL", message: "the statement select_one needs PostgreSQL, and this is memory" };
    await expect(asked(db)).rejects.toMatchObject(refused);
    await expect(db.transaction(asked)).rejects.toMatchObject(refused);
  });

  it("takes no calls once it is closed", async () => {
    await db.close();
    await expect(takeInbox(db, 1)).rejects.toMatchObject({ code: "SHUTDOWN" });
    await expect(getDefinition(db, "d", 1)).rejects.toMatchObject({ code: "SHUTDOWN" });
    await expect(db.transaction(async () => 1)).rejects.toMatchObject({ code: "SHUTDOWN" });
  });
});
