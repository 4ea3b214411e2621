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
  await client.register(definitionOf("order", [task("a"), task("b")], { version: 2, onFailure: "dlq" }));
  await client.register(definitionOf("parcel", [task("a")]));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const said = { requestedBy: "ops" };

describe("definitions", () => {
  it("are listed by name and the newest version first, with what runs of each", async () => {
    const started = [await client.start("order", {}, { version: 1 }), await client.start("order", {}, { version: 1 })];
    await client.start("order", {});
    await database.complete("a", 1);
    await started[1]?.cancel(said);
    await client.deprecate("order", 1, said);
    await client.pauseDefinition("parcel", said);
    const listed = await client.definitions();
    expect(listed.map(({ name, version }) => [name, version])).toEqual([
      ["order", 2],
      ["order", 1],
      ["parcel", 1],
    ]);
    const [second, first, parcel] = listed;
    expect(second).toMatchObject({ deprecatedAt: null, paused: false, instances: { running: 1 } });
    expect(first).toMatchObject({ deprecatedAt: expect.any(Date), createdAt: expect.any(Date) });
    expect(first?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(parcel).toMatchObject({ paused: true, instances: {} });
    expect(await client.definitions({ name: "parcel" })).toEqual([parcel]);
    expect(await client.definitions({ name: "nothing" })).toEqual([]);
  });

  it("count only what has not ended, by status", async () => {
    await client.register(definitionOf("counted", [task("c")]));
    const [done, cancelled, running] = [
      await client.start("counted", {}),
      await client.start("counted", {}),
      await client.start("counted", {}),
    ];
    await database.complete("c", 1);
    const counts = async () => (await client.definitions({ name: "counted" }))[0]?.instances;
    expect(await counts()).toEqual({ running: 2 });
    await database.lease("c");
    await Promise.all([done, cancelled, running].map((one) => one.cancel(said).catch(() => {})));
    await database.review();
    expect(await counts()).toEqual({ cancelling: 1 });
  });

  it("are read with their content: by number, or the highest that is not deprecated", async () => {
    const { definition, version } = await client.definition("order");
    expect({ version, nodes: definition.nodes.length }).toEqual({ version: 2, nodes: 2 });
    expect((await client.definition("order", 1)).definition).toEqual(definitionOf("order", [task("a")]));
  });

  it("are compared", async () => {
    const { changes, text } = await client.diffDefinitions("order", 1, 2);
    expect(changes.map(({ kind }) => kind)).toEqual(["option", "added"]);
    expect(text).toBe(`~ onFailure: (none) → "dlq"\n+ task 'b' at nodes[1]`);
    expect(await client.diffDefinitions("order", 2, 2)).toEqual({ changes: [], text: "" });
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ["DEFINITION_NOT_FOUND", "a name that is not registered", () => client.definition("nothing")],
    ["DEFINITION_NOT_FOUND", "a version that is not registered", () => client.definition("order", 3)],
    ["DEFINITION_NOT_FOUND", "a comparison with nothing", () => client.diffDefinitions("order", 1, 3)],
    ["NAME_INVALID", "a name that is none", () => client.definition("a b")],
    ["NAME_INVALID", "a list of a name that is none", () => client.definitions({ name: "a b" })],
    ["OPTION_INVALID", "a version that is none", () => client.definition("order", 1.5)],
    ["OPTION_INVALID", "an unknown option", () => client.definitions({ names: "x" } as never)],
  ])("refuse with %s %s", async (code, _, call) => {
    expect(await codeOf(call())).toBe(code);
  });
});
