import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  await client.register(definitionOf("order", [task("a")]));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const said = { requestedBy: "ops", reason: "the law" };
const dayMs = 86_400_000;

describe("retention", () => {
  it("is set, listed and removed, by somebody who says so", async () => {
    expect(await client.listRetention()).toEqual([]);
    expect(await client.setRetention({ keepMs: 30 * dayMs }, said)).toEqual({ changed: true });
    expect(await client.setRetention({ keepMs: 30 * dayMs }, said)).toEqual({ changed: false });
    const failed = { definition: "order", status: "failed" } as const;
    expect(await client.setRetention({ ...failed, keepMs: null }, said)).toEqual({ changed: true });
    const createdAt = expect.any(Date);
    expect(await client.listRetention()).toEqual([
      { ...failed, keepMs: null, createdAt },
      { definition: null, status: null, keepMs: 30 * dayMs, createdAt },
    ]);
    expect(await client.removeRetention(failed, said)).toEqual({ changed: true });
    expect(await client.removeRetention(failed, said)).toEqual({ changed: false });
    const { acts } = await client.audit();
    expect(
      acts.map(({ act, definitionName, requestedBy, reason }) => [act, definitionName, requestedBy, reason]),
    ).toEqual([
      ["remove_retention", "order", "ops", "the law"],
      ["set_retention", "order", "ops", "the law"],
      ["set_retention", null, "ops", "the law"],
    ]);
  });

  it("removes an instance with its history when its time has come, and its key can be used again", async () => {
    const start = () => client.start("order", {}, { idempotencyKey: "k" });
    const { instanceId } = await start();
    await database.complete("a", 1);
    await client.setRetention({ definition: "order", keepMs: dayMs }, said);
    expect(await client.prune({ byRow: true })).toMatchObject({ instances: 0, done: true });
    expect((await start()).instanceId).toBe(instanceId);
    await database.query("UPDATE floxy.instance SET finished_at = now() - interval '25 hours'");
    expect(await client.prune({ byRow: true })).toEqual({
      instances: 1,
      partitions: 0,
      acts: 0,
      done: true,
      blocked: null,
    });
    expect(await codeOf(client.get(instanceId))).toBe("INSTANCE_NOT_FOUND");
    expect(await codeOf(client.events(instanceId))).toBe("INSTANCE_NOT_FOUND");
    expect(await codeOf(client.cancel(instanceId, said))).toBe("INSTANCE_NOT_FOUND");
    expect((await start()).instanceId).not.toBe(instanceId);
    expect((await client.doctor({ environment: false })).findings).toEqual([]);
  });

  it.each([
    ["a definition that is misspelt", () => client.setRetention({ definiton: "order", keepMs: dayMs } as never, said)],
    ["no time", () => client.setRetention({} as never, said)],
    ["too short a time", () => client.setRetention({ keepMs: 1 }, said)],
    ["a status of what has not ended", () => client.setRetention({ status: "dlq", keepMs: dayMs } as never, said)],
    ["nobody who says so", () => client.setRetention({ keepMs: dayMs }, {} as never)],
    ["an option that there is not", () => client.prune({ eager: true } as never)],
    ["a limit of nothing", () => client.prune({ limit: 0 })],
    ["batches that are too large", () => client.prune({ batchSize: 10_001 })],
    ["a flag that is none", () => client.prune({ byRow: "yes" } as never)],
    ["a target that is none", () => client.removeRetention(null as never, said)],
  ])("refuses %s", async (_, call) => {
    const before = await client.listRetention();
    expect(await codeOf(call())).toBe("OPTION_INVALID");
    expect(await client.listRetention()).toEqual(before);
  });

  it("refuses a name that cannot be, and one that nobody has registered", async () => {
    expect(await codeOf(client.setRetention({ definition: "*", keepMs: dayMs }, said))).toBe("NAME_INVALID");
    expect(await codeOf(client.setRetention({ definition: "x", keepMs: dayMs }, said))).toBe("DEFINITION_NOT_FOUND");
  });
});
