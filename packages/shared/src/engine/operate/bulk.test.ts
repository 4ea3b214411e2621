import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import type { BulkAct, BulkRow } from "../../store/bulk.ts";
import { findBulkItems, getBulk, listBulkItems, takeBulkItem } from "../../store/bulk.ts";
import { openDatabase } from "../../store/database.ts";
import { sql } from "../../store/testing/database.ts";
import { newId } from "../../vocabulary/id.ts";
import { registerDefinition } from "../graphs.ts";
import { noHints } from "../hints.ts";
import { insertStarts, prepareStart } from "../start.ts";
import { done, failed, Stand, task } from "../testing/stand.ts";
import type { BulkDeadLetterFilter } from "./bulk.ts";
import { runBulk, startBulk } from "./bulk.ts";
import { requeueStep } from "./dead-letter.ts";
import { cancelInstance } from "./stop.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
}, 30_000);

afterAll(() => stand.close());

const sleep: NodeJson = { kind: "sleep", name: "sleep", durationMs: 3_600_000 };

const register = (name: string, nodes: readonly NodeJson[], more: Partial<DefinitionJson> = {}) =>
  registerDefinition(stand.db, { format: 1, name, version: 1, ...more, nodes });

const start = async (name: string, options: { version?: number; metadata?: object } = {}): Promise<string> => {
  const { version, metadata } = options;
  const request = { definitionName: name, definitionVersion: version, input: {}, metadata };
  const prepared = await prepareStart(stand.db, stand.graphs, request as Parameters<typeof prepareStart>[2]);
  await insertStarts(stand.db, [prepared], stand.hints);
  return prepared.row.instanceId;
};

const said = { requestedBy: "ops", reason: "drill" };

const ask = async (act: BulkAct, filter: BulkDeadLetterFilter): Promise<string> => {
  const bulkId = newId();
  await startBulk(stand.db, { ...said, bulkId, act, filter, hints: noHints() });
  return bulkId;
};

const run = async (): Promise<void> => {
  while ((await runBulk(stand.db, stand.graphs, { limit: 10, hints: stand.hints })).found > 0);
};

const items = async (bulkId: string) => {
  const rows = await listBulkItems(stand.db, { bulkId, after: 0, states: null, limit: 1_000 });
  return rows.map(({ instanceId, node, state, code }) => ({ instanceId, node, state, code }));
};

const countsOf = async (bulkId: string): Promise<Partial<BulkRow> | undefined> => {
  const bulk = await getBulk(stand.db, bulkId);
  if (bulk === undefined) return undefined;
  const { count, pending, done: completed, failed: broken, skipped } = bulk;
  return { count, pending, done: completed, failed: broken, skipped };
};

const statusOf = async (instanceId: string): Promise<string> => (await stand.view(instanceId)).status;

describe("asking for a bulk act", () => {
  it("writes what the filter chooses at that moment, and who wants it, and does nothing yet", async () => {
    await register("asked", [sleep]);
    const ids = [await start("asked"), await start("asked")];
    const hints = noHints();
    const bulkId = newId();
    const params = { ...said, bulkId, act: "cancel", filter: { definition: "asked" }, hints } as const;
    expect(await startBulk(stand.db, params)).toBe(2);
    const later = await start("asked");
    expect(await items(bulkId)).toEqual(
      ids.map((instanceId) => ({ instanceId, node: null, state: "pending", code: null })),
    );
    expect(await getBulk(stand.db, bulkId)).toMatchObject({
      act: "cancel",
      ...said,
      count: 2,
      pending: 2,
      finishedAt: null,
    });
    expect(hints.bulk).toBe(true);
    expect(await startBulk(stand.db, params)).toBe(2);
    const audit = await sql(
      stand.db,
      "SELECT act, requested_by, reason, data::jsonb FROM {schema}.audit WHERE act_id = $1",
      bulkId,
    );
    const data = { bulkId, count: 2, filter: { definition: "asked" } };
    expect(audit).toEqual([{ act: "cancel", requested_by: "ops", reason: "drill", data }]);
    await run();
    expect(await Promise.all([...ids, later].map(statusOf))).toEqual(["cancelled", "cancelled", "running"]);
  });

  it("chooses by each criterion", async () => {
    await register("chosen", [sleep]);
    await register("chosen", [task("a"), sleep], { version: 2 });
    const one = await start("chosen", { version: 1, metadata: { tenant: "x", deep: { n: 1 } } });
    const [row] = await sql<{ now: Date }>(stand.db, "SELECT clock_timestamp() AS now");
    const middle = row?.now ?? new Date(0);
    const two = await start("chosen", { version: 2, metadata: { tenant: "y" } });
    const chosen = async (filter: BulkDeadLetterFilter): Promise<readonly string[]> => {
      const found = await items(await ask("cancel", { definition: "chosen", ...filter }));
      return found.map(({ instanceId }) => (instanceId === one ? "one" : instanceId === two ? "two" : instanceId));
    };
    expect(await chosen({})).toEqual(["one", "two"]);
    expect(await chosen({ version: 2 })).toEqual(["two"]);
    expect(await chosen({ statuses: ["running"] })).toEqual(["one", "two"]);
    expect(await chosen({ statuses: ["dlq", "completed"] })).toEqual([]);
    expect(await chosen({ createdBefore: middle })).toEqual(["one"]);
    expect(await chosen({ createdAfter: middle })).toEqual(["two"]);
    expect(await chosen({ metadata: { deep: { n: 1 } } })).toEqual(["one"]);
    expect(await chosen({ metadata: { tenant: "z" } })).toEqual([]);
  });

  it("only counts in a dry run", async () => {
    await register("counted", [sleep]);
    await start("counted");
    const bulkId = newId();
    const params = { ...said, bulkId, act: "cancel", filter: { definition: "counted" }, hints: noHints() } as const;
    expect(await startBulk(stand.db, { ...params, dryRun: true })).toBe(1);
    expect(await getBulk(stand.db, bulkId)).toBeUndefined();
  });

  it("is finished at once when nothing is chosen", async () => {
    const bulk = await getBulk(stand.db, await ask("cancel", { definition: "nobody" }));
    expect(bulk).toMatchObject({ count: 0, pending: 0, finishedAt: expect.any(Date) });
  });

  it.each<[string, BulkAct, object]>([
    ["chooses everything", "cancel", {}],
    ["chooses everything by what is undefined", "cancel", { definition: undefined }],
    ["is misspelt", "cancel", { definitionName: "x", version: 1 }],
    ["is no object", "cancel", null as unknown as object],
    ["has an unknown status", "cancel", { statuses: ["asleep"] }],
    ["has statuses that are no list", "cancel", { statuses: "running" }],
    ["has a time that is none", "cancel", { createdBefore: "yesterday" }],
    ["has a version that is none", "cancel", { version: 0 }],
    ["asks for dead letters of whole instances", "cancel", { handler: "h" }],
    ["has a code that is none", "requeue", { errorCode: "OOPS" }],
  ])("refuses a filter that %s", async (_, act, filter) => {
    const params = { ...said, bulkId: newId(), act, filter, hints: noHints() };
    await expect(startBulk(stand.db, params)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("refuses an act without a person, and a discard without a reason", async () => {
    const params = { bulkId: newId(), filter: { definition: "x" }, hints: noHints() };
    const nobody = startBulk(stand.db, { ...params, act: "cancel", requestedBy: " " });
    await expect(nobody).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const unexplained = startBulk(stand.db, { ...params, act: "discard", requestedBy: "ops" });
    await expect(unexplained).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("the items of a bulk act", () => {
  const fail = async (name: string, result = failed()): Promise<string> => {
    const instanceId = await start(name);
    await stand.settle([(await stand.lease()).get("a"), result]);
    await stand.review();
    return instanceId;
  };

  it("are requeued by handler and code of the error, and the instance goes on as if it had never failed", async () => {
    await register("again", [task("a"), sleep], { onFailure: "dlq" });
    await register("other", [task("a", { handler: "undo" })], { onFailure: "dlq" });
    const ids = [await fail("again"), await fail("again")];
    const other = await fail("other");
    expect(await items(await ask("requeue", { handler: "h", errorCode: "STEP_TIMEOUT" }))).toEqual([]);
    const bulkId = await ask("requeue", { handler: "h", errorCode: "HANDLER_FAILED" });
    await run();
    expect(await items(bulkId)).toEqual(
      ids.map((instanceId) => ({ instanceId, node: "a", state: "done", code: null })),
    );
    await stand.settle(...[...(await stand.lease()).values()].map((step) => [step, done] as const));
    expect(await statusOf(other)).toBe("dlq");
    expect(await getBulk(stand.db, bulkId)).toMatchObject({ done: 2, finishedAt: expect.any(Date) });
    await cancelInstance(stand.db, stand.graphs, { instanceId: other, ...said, hints: noHints() });
  });

  it("are skipped when somebody else has dealt with them meanwhile, each with the reason", async () => {
    await register("overtaken", [task("a"), sleep], { onFailure: "dlq" });
    const [requeued, gone, left] = [await fail("overtaken"), await fail("overtaken"), await fail("overtaken")];
    const bulkId = await ask("discard", { definition: "overtaken" });
    await requeueStep(stand.db, stand.graphs, { instanceId: requeued, step: "a", ...said, hints: noHints() });
    await cancelInstance(stand.db, stand.graphs, { instanceId: gone, ...said, hints: noHints() });
    await stand.review();
    await stand.settle([(await stand.lease()).get("undo:a"), done]);
    await stand.review();
    expect(await statusOf(gone)).toBe("cancelled");
    await run();
    expect(await items(bulkId)).toEqual([
      { instanceId: requeued, node: "a", state: "skipped", code: "DEAD_LETTER_NOT_FOUND" },
      { instanceId: gone, node: "a", state: "skipped", code: "INSTANCE_TERMINAL" },
      { instanceId: left, node: "a", state: "done", code: null },
    ]);
    expect(await statusOf(left)).toBe("rolling_back");
  });

  it("are skipped without a code when all is already as the act wants it", async () => {
    await register("cancelling", [task("a"), task("b")]);
    const instanceId = await start("cancelling");
    await stand.settle([(await stand.lease()).get("a"), done]);
    const bulkIds = [
      await ask("cancel", { definition: "cancelling" }),
      await ask("cancel", { definition: "cancelling" }),
    ];
    await run();
    expect(await items(bulkIds[0] ?? "")).toEqual([{ instanceId, node: null, state: "done", code: null }]);
    expect(await items(bulkIds[1] ?? "")).toEqual([{ instanceId, node: null, state: "skipped", code: null }]);
  });

  it("call compensations again", async () => {
    await register("undone", [task("a", { compensation: { handler: "undo", retry: { maxAttempts: 1 } } }), sleep]);
    const instanceId = await start("undone");
    await stand.settle([(await stand.lease()).get("a"), done]);
    await cancelInstance(stand.db, stand.graphs, { instanceId, ...said, hints: noHints() });
    await stand.settle([(await stand.lease()).get("undo:a"), failed()]);
    await stand.review();
    expect(await statusOf(instanceId)).toBe("dlq");
    const bulkId = await ask("retry_compensation", { statuses: ["dlq"], definition: "undone" });
    await run();
    expect(await items(bulkId)).toEqual([{ instanceId, node: "a", state: "done", code: null }]);
    await stand.settle([(await stand.lease()).get("undo:a"), done]);
    await stand.review();
    expect(await statusOf(instanceId)).toBe("cancelled");
  });

  it("fail one by one, and the others go on", async () => {
    await register("broken", [sleep]);
    const ids = [await start("broken"), await start("broken"), await start("broken")];
    const lost = "UPDATE {schema}.instance SET definition_name = 'unregistered' WHERE instance_id = $1";
    const bulkId = await ask("cancel", { definition: "broken" });
    await sql(stand.db, lost, ids[1]);
    await run();
    expect((await items(bulkId)).map(({ state, code }) => [state, code])).toEqual([
      ["done", null],
      ["failed", "DEFINITION_NOT_FOUND"],
      ["done", null],
    ]);
    expect(await countsOf(bulkId)).toEqual({ count: 3, pending: 0, done: 2, failed: 1, skipped: 0 });
  });

  it("are passed over while another orchestrator has them, and done once when both look at the same", async () => {
    await register("shared", [sleep]);
    const instanceId = await start("shared");
    const bulkId = await ask("cancel", { definition: "shared" });
    const other = openDatabase({ connectionString: stand.url });
    try {
      await other.transaction(async (tx) => {
        expect(await takeBulkItem(tx, { bulkId, position: 1 })).toBe(true);
        expect(await findBulkItems(stand.db, 10)).toEqual([]);
      });
      await Promise.all([stand.db, other].map((db) => runBulk(db, stand.graphs, { limit: 10, hints: noHints() })));
      expect(await items(bulkId)).toEqual([{ instanceId, node: null, state: "done", code: null }]);
      const told = await stand.story(instanceId);
      expect(told.filter((type) => type === "instance.cancelling")).toHaveLength(1);
    } finally {
      await other.close();
    }
  });

  it("are done if and only if they say so: an act whose item was taken away leaves no trace", async () => {
    await register("atomic", [sleep]);
    const instanceId = await start("atomic");
    const within = {
      begin: async () => {},
      end: async () => {
        throw new Error("died before the commit");
      },
    };
    const params = { instanceId, ...said, hints: noHints(), within };
    await expect(cancelInstance(stand.db, stand.graphs, params)).rejects.toThrow("died before the commit");
    expect(await statusOf(instanceId)).toBe("running");
    expect(await sql(stand.db, "SELECT FROM {schema}.audit WHERE instance_id = $1", instanceId)).toEqual([]);
  });

  it("stay pending when the database goes away, and are done when it is back", async () => {
    await register("away", [sleep]);
    await start("away");
    const bulkId = await ask("cancel", { definition: "away" });
    const cut = openDatabase({ connectionString: stand.url });
    const tripped = {
      ...cut,
      transaction: () => Promise.reject(Object.assign(new Error("terminated"), { code: "57P01" })),
    };
    await expect(runBulk(tripped, stand.graphs, { limit: 10, hints: noHints() })).rejects.toThrow("terminated");
    await cut.close();
    expect(await countsOf(bulkId)).toEqual({ count: 1, pending: 1, done: 0, failed: 0, skipped: 0 });
    await run();
    expect(await countsOf(bulkId)).toEqual({ count: 1, pending: 0, done: 1, failed: 0, skipped: 0 });
  });
});
