import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, logger: quiet });
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

describe("the doctor", () => {
  it("looks at rows and surroundings, and names what it finds", async () => {
    await client.register(definitionOf("order", [task("a")]));
    const { instanceId } = await client.start("order", {});
    const healthy = await client.doctor();
    expect(healthy).toMatchObject({ ok: true, findings: [] });
    expect(healthy.checks[0]).toMatchObject({ check: "environment_schema_is_migrated", result: "ok" });
    await database.query("DELETE FROM floxy.queue");
    const check = "invariant_1_instance_waits_for_something";
    const finding = {
      check,
      count: 1,
      instanceIds: [instanceId],
      meaning: expect.any(String),
      advice: expect.any(String),
    };
    expect(await client.doctor()).toMatchObject({ ok: false, findings: [finding] });
  });

  it("looks at rows only when it is told so", async () => {
    const { checks } = await client.doctor({ environment: false });
    expect(checks.filter(({ check }) => check.startsWith("environment"))).toEqual([]);
    expect(checks.length).toBeGreaterThan(30);
  });

  it("refuses options that it does not know", async () => {
    expect(await codeOf(client.doctor({ grace: 1 } as never))).toBe("OPTION_INVALID");
    expect(await codeOf(client.doctor({ graceMs: -1 }))).toBe("OPTION_INVALID");
  });
});
