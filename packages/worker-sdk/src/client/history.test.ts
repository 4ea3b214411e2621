import type { EventRow } from "@floxy/shared";
import { newId } from "@floxy/shared";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, quiet } from "./testing/database.ts";

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  await client.register(chainOf("two", ["first", "second"]));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const all = [
  "instance.started",
  "step.leased",
  "step.completed",
  "step.leased",
  "step.completed",
  "instance.completed",
];
const typesOf = (events: readonly EventRow[]): string[] => events.map(({ type }) => type);

describe("events", () => {
  it("are read page by page", async () => {
    const { instanceId } = await client.start("two", 1);
    await database.complete("first", 1);
    await database.complete("second", 2);
    const pages: string[] = [];
    for (let after = 0; ; ) {
      const page = await client.events(instanceId, { after, limit: 4 });
      pages.push(...typesOf(page));
      after = page.at(-1)?.eventId ?? after;
      if (page.length === 0) break;
    }
    expect(pages).toEqual(all);
  });

  it("refuses what cannot be read", async () => {
    expect(await codeOf(client.events(newId()))).toBe("INSTANCE_NOT_FOUND");
    expect(await codeOf(client.events("x"))).toBe("INSTANCE_NOT_FOUND");
    const { instanceId } = await client.start("two", 1);
    await database.query("DELETE FROM floxy.queue");
    for (const options of [{ limit: 0 }, { limit: 1_001 }, { limit: 1.5 }, { after: -1 }, { after: Number.NaN }]) {
      expect(await codeOf(client.events(instanceId, options))).toBe("OPTION_INVALID");
    }
  });
});

describe("following", () => {
  it("tells each event once and ends with the instance", async () => {
    const { instanceId } = await client.start("two", 1);
    const told: EventRow[] = [];
    const follow = (async () => {
      for await (const event of client.follow(instanceId)) told.push(event);
    })();
    await expect.poll(() => told.length).toBe(1);
    await database.complete("first", 1);
    await expect.poll(() => told.length, { timeout: 5_000 }).toBe(3);
    await database.complete("second", 2);
    await follow;
    expect(typesOf(told)).toEqual(all);
  });

  it("ends at once for an instance that has ended, also behind its last event", async () => {
    const { instanceId } = await client.start("two", 1);
    await database.complete("first", 1);
    await database.complete("second", 2);
    const told: EventRow[] = [];
    for await (const event of client.follow(instanceId)) told.push(event);
    expect(typesOf(told)).toEqual(all);
    for await (const event of client.follow(instanceId, { after: told.at(-1)?.eventId })) told.push(event);
    expect(told).toHaveLength(all.length);
  });

  it("also tells an event that shows up behind one with a greater id", async () => {
    const { instanceId } = await client.start("two", 1);
    const slow = new pg.Client({ connectionString: database.url });
    await slow.connect();
    await slow.query("BEGIN");
    const insert =
      "INSERT INTO floxy.event (instance_id, type, worker_id) VALUES ($1, 'step.leased', $2) RETURNING event_id";
    await slow.query(insert, [instanceId, "slow"]);
    await database.query(insert, [instanceId, "fast"]);
    const workers: (string | null)[] = [];
    for await (const event of client.follow(instanceId)) {
      workers.push(event.workerId);
      if (event.workerId === "fast") await slow.query("COMMIT");
      if (event.workerId === "slow") break;
    }
    await slow.end();
    expect(workers).toEqual([null, "fast", "slow"]);
    await database.query("DELETE FROM floxy.queue");
  });

  it("throws for an instance that does not exist, for a signal, and when the client is closed", async () => {
    const follow = async (from: FloxyClient, instanceId: string, signal?: AbortSignal) => {
      for await (const _ of from.follow(instanceId, { signal }));
    };
    expect(await codeOf(follow(client, newId()))).toBe("INSTANCE_NOT_FOUND");
    const { instanceId } = await client.start("two", 1);
    await database.query("DELETE FROM floxy.queue");
    const controller = new AbortController();
    const followed = follow(client, instanceId, controller.signal);
    controller.abort(new Error("enough"));
    await expect(followed).rejects.toThrow("enough");
    const other = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
    const closed = codeOf(follow(other, instanceId));
    await other.close();
    expect(await closed).toBe("SHUTDOWN");
  });
});
