import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { registerDefinition } from "./graphs.ts";
import { noHints } from "./hints.ts";
import { deprecateDefinition } from "./operate/definition.ts";
import type { StartRequest } from "./start.ts";
import { insertStarts, prepareStart } from "./start.ts";
import { Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const start = async (request: Omit<StartRequest, "definitionName">) => {
  const prepared = await prepareStart(stand.db, stand.graphs, { definitionName: "orders", ...request });
  const [started] = await insertStarts(stand.db, [prepared], noHints());
  return started;
};

describe("a start that is repeated under its idempotency key", () => {
  it("answers the instance that exists, whatever versions were registered and deprecated since", async () => {
    const register = (version: number, required: readonly string[]) =>
      registerDefinition(stand.db, {
        format: 1,
        name: "orders",
        version,
        inputSchema: {
          type: "object",
          properties: Object.fromEntries(required.map((name) => [name, { type: "number" }])),
          required: [...required],
        },
        nodes: [task("a")],
      });
    await register(1, ["id"]);
    const first = await start({ input: { id: 1 }, idempotencyKey: "k" });
    await register(2, ["id", "customer"]);
    await expect(start({ input: { id: 1 } })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    expect(await start({ input: { id: 1 }, idempotencyKey: "k" })).toEqual({ ...first, created: false });
    expect(await start({ input: { id: 2 }, idempotencyKey: "k" })).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    await expect(start({ input: { id: 1 }, idempotencyKey: "new" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    for (const version of [1, 2]) await deprecateDefinition(stand.db, { name: "orders", version, requestedBy: "op" });
    expect(await start({ input: { id: 1 }, idempotencyKey: "k" })).toEqual({ ...first, created: false });
    await expect(start({ input: { id: 1 } })).rejects.toMatchObject({ code: "DEFINITION_NOT_FOUND" });
  });
});
