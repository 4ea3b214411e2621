import { newId } from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { ListOptions } from "./list.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, quiet } from "./testing/database.ts";

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  await client.register(chainOf("a", ["a"]));
  await client.register(chainOf("b", ["b"]));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const idsOf = async (options: ListOptions): Promise<string[]> =>
  (await client.list(options)).instances.map(({ instanceId }) => instanceId);

describe("list", () => {
  it("answers an empty page without a cursor when there is nothing", async () => {
    expect(await client.list()).toEqual({ instances: [] });
  });

  it("goes through all, the newest first, in pages of any size", async () => {
    const started: string[] = [];
    for (let n = 0; n < 7; n += 1) started.unshift((await client.start("a", n)).instanceId);
    for (const limit of [1, 3, 7, 50]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.list({ definition: "a", limit, cursor });
        expect(page.instances.length).toBeLessThanOrEqual(limit);
        seen.push(...page.instances.map(({ instanceId }) => instanceId));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(seen).toEqual(started);
    }
  });

  it("filters by definition and by one status or several", async () => {
    const one = await client.start("b", 1);
    await database.complete("b", { done: 1 });
    const two = await client.start("b", 2);
    expect(await idsOf({ definition: "b" })).toEqual([two.instanceId, one.instanceId]);
    expect(await idsOf({ definition: "b", status: "completed" })).toEqual([one.instanceId]);
    expect(await idsOf({ definition: "b", status: ["running", "completed"] })).toHaveLength(2);
    expect(await idsOf({ status: "failed" })).toEqual([]);
    expect((await client.list({ status: "completed" })).instances).toMatchObject([
      { definition: { name: "b", version: 1 }, input: 1, output: { done: 1 } },
    ]);
  });

  it.each([
    [{ limit: 0 }, "OPTION_INVALID"],
    [{ limit: 501 }, "OPTION_INVALID"],
    [{ limit: 2.5 }, "OPTION_INVALID"],
    [{ cursor: "nonsense" }, "OPTION_INVALID"],
    [{ status: "done" as never }, "OPTION_INVALID"],
    [{ status: ["running", "gone" as never] as const }, "OPTION_INVALID"],
    [{ definition: "a b" }, "NAME_INVALID"],
  ])("refuses %j", async (options, code) => {
    expect(await codeOf(client.list(options))).toBe(code);
  });
});

describe("get", () => {
  it("says when there is no such instance, or could not be", async () => {
    await expect(client.get(newId())).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
    await expect(client.get("a\0b")).rejects.toThrow("'a\\u0000b' is not the id of an instance");
    expect(await codeOf(client.get(7 as never))).toBe("INSTANCE_NOT_FOUND");
  });
});
