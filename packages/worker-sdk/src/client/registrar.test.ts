import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FloxyClient } from "./client.ts";
import { createRegistrar } from "./registrar.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, quiet } from "./testing/database.ts";

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

const stored = () => database.query("SELECT *, xmin::text FROM floxy.definition ORDER BY name, version");

describe("register", () => {
  it("does nothing when the same is registered, also by twenty at once", async () => {
    await Promise.all(Array.from({ length: 20 }, () => client.register(chainOf("same", ["a", "b"]))));
    const before = await stored();
    expect(before).toHaveLength(1);
    expect(await client.register(chainOf("same", ["a", "b"]))).toEqual(chainOf("same", ["a", "b"]));
    expect(await stored()).toEqual(before);
  });

  it("answers DEFINITION_CONFLICT for other content, and changes nothing", async () => {
    await client.register(chainOf("fixed", ["a"]));
    const before = await stored();
    await expect(client.register(chainOf("fixed", ["b"]))).rejects.toMatchObject({
      code: "DEFINITION_CONFLICT",
      message: expect.stringMatching(/'fixed' version 1.*version 2 or higher/),
    });
    expect(await stored()).toEqual(before);
    await client.register(chainOf("fixed", ["b"], { version: 2 }));
  });

  it("lists all that is wrong, and stores nothing", async () => {
    const before = await stored();
    const wrong = {
      format: 1,
      name: "bad name",
      version: 0,
      nodes: [
        { kind: "task", name: "a", handler: "" },
        { kind: "task", name: "a", handler: "h", input: { $: "steps.later.x +" } },
      ],
    };
    const error: unknown = await client.register(wrong as never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "DEFINITION_INVALID" });
    const paths = (error as { problems: { path: string }[] }).problems.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["name", "version", "nodes[0].handler", "nodes[1].name"]));
    expect(paths.some((path) => path.startsWith("nodes[1].input"))).toBe(true);
    expect(await stored()).toEqual(before);
  });

  it.each([[null], [7], ["name"], [[]], [{}], [{ definition: 1, fingerprint: "x" }]])("refuses %j", async (value) => {
    expect(await codeOf(client.register(value as never))).toBe("DEFINITION_INVALID");
  });
});

describe("ensure", () => {
  it("registers a workflow once, and again only after it failed", async () => {
    const query = vi.spyOn(database.db, "query");
    const registrar = createRegistrar(database.db);
    const definition = chainOf("ensured", ["a"]);
    await Promise.all([registrar.ensure({ definition }), registrar.ensure({ definition })]);
    const calls = query.mock.calls.length;
    await registrar.ensure({ definition });
    expect(query).toHaveBeenCalledTimes(calls);
    const other = { definition: chainOf("ensured", ["b"]) };
    expect(await codeOf(registrar.ensure(other))).toBe("DEFINITION_CONFLICT");
    expect(await codeOf(registrar.ensure(other))).toBe("DEFINITION_CONFLICT");
    query.mockRestore();
  });
});
