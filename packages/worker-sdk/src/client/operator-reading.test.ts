/** Reading the audit and the dead letters, page by page. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { DeadLettersOptions } from "./dead-letters.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, quiet } from "./testing/database.ts";
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

const said = { requestedBy: "ops", reason: "drill" };

describe("audit", () => {
  it("goes through all acts, the newest first, in pages of any size", async () => {
    await client.register(definitionOf("audited", [{ kind: "signal", name: "last" }]));
    const { instanceId } = await client.start("audited", null);
    const other = await client.start("audited", null);
    for (let n = 0; n < 6; n += 1) await client.signal(instanceId, `s${n}`, { sentBy: `p${n}` });
    await other.cancel(said);
    await client.deprecate("audited", 1, said);
    for (const limit of [1, 4, 6, 500]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.audit({ instanceId, limit, cursor });
        expect(page.acts.length).toBeLessThanOrEqual(limit);
        seen.push(...page.acts.map(({ requestedBy }) => requestedBy));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(seen).toEqual(["p5", "p4", "p3", "p2", "p1", "p0"]);
    }
    const { acts } = await client.audit({ limit: 3 });
    expect(acts).toMatchObject([
      { act: "deprecate", instanceId: null, definitionName: "audited", definitionVersion: 1, ...said },
      { act: "cancel", instanceId: other.instanceId, definitionName: "audited" },
      { act: "signal", instanceId, data: { name: "s5" } },
    ]);
    expect(acts[0]?.createdAt).toBeInstanceOf(Date);
  });
});

describe("deadLetters", () => {
  const listed = async (options: DeadLettersOptions): Promise<string[]> => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.deadLetters({ ...options, cursor });
      seen.push(...page.deadLetters.map(({ instanceId }) => instanceId));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return seen;
  };

  it("lists what waits for a person, the oldest first, by definition, handler and kind", async () => {
    expect(await client.deadLetters()).toEqual({ deadLetters: [] });
    await client.register(definitionOf("card", [task("charge")], { onFailure: "dlq" }));
    await client.register(definitionOf("till", [task("pay"), task("ship")]));
    const cards: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      cards.push((await client.start("card", n)).instanceId);
      await database.fail("charge");
    }
    await database.review();
    // All of one moment, so that only their ids tell them apart.
    await database.query("UPDATE floxy.dead_letter SET created_at = '2026-01-01 00:00:00.000001+00'");
    const till = await client.start("till", 1);
    await database.complete("pay", 1);
    await till.cancel(said);
    await database.fail("undo-pay", "empty");
    await database.review();

    for (const limit of [1, 2, 5]) expect(await listed({ limit })).toEqual([...cards, till.instanceId]);
    expect(await listed({ definition: "card", limit: 3 })).toEqual(cards);
    expect(await listed({ handler: "charge" })).toEqual(cards);
    expect(await listed({ handler: "pay" })).toEqual([]);
    expect(await listed({ kind: "compensation" })).toEqual([till.instanceId]);
    expect((await client.deadLetters({ handler: "undo-pay" })).deadLetters).toEqual([
      {
        instanceId: till.instanceId,
        definition: { name: "till", version: 1 },
        status: "dlq",
        step: "pay",
        kind: "compensation",
        handler: "undo-pay",
        error: { code: "HANDLER_FAILED", message: "empty" },
        attempt: 1,
        givenInput: undefined,
        createdAt: expect.any(Date),
      },
    ]);
  });

  it("shows what a person gave a step as input before", async () => {
    const { instanceId } = await client.start("card", 9);
    await database.fail("charge");
    await database.review();
    await client.requeue(instanceId, "charge", { ...said, input: { card: 2 } });
    await database.fail("charge");
    await database.review();
    const { deadLetters } = await client.deadLetters({ definition: "card", limit: 500 });
    expect(deadLetters.at(-1)).toMatchObject({ instanceId, givenInput: { card: 2 } });
  });
});
