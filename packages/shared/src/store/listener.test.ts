import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { channelName, parseNotification } from "./channel.ts";
import { openDatabase } from "./database.ts";
import type { Database } from "./executor.ts";
import type { ListenerOptions } from "./listener.ts";
import { openListener } from "./listener.ts";
import { createNotifier } from "./notifier.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, eventually, sql } from "./testing/database.ts";
import type { TestProxy } from "./testing/proxy.ts";
import { openProxy } from "./testing/proxy.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"), { migrate: false });
  db = openDatabase({ connectionString: database.url });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

/** A listener and what it was told, as texts in order. */
const listen = (options: Partial<ListenerOptions> = {}) => {
  const heard: string[] = [];
  const errors: unknown[] = [];
  const listener = openListener({
    connectionString: database.url,
    schema: "floxy",
    channels: ["ready", "abort"],
    onNotification: (channel, payload) => heard.push(`${channel} ${parseNotification(payload).join()}`),
    onResync: () => heard.push("resync"),
    onState: (connected) => heard.push(connected ? "connected" : "lost"),
    onError: (error) => errors.push(error),
    applicationName: `listener ${expect.getState().currentTestName}`.slice(0, 60),
    maxRetryMs: 20,
    ...options,
  });
  onTestFinished(() => listener.close());
  return { listener, heard, errors };
};

const tell = async (...items: string[]): Promise<void> => {
  const notifier = createNotifier({ db });
  notifier.notify("ready", items);
  await notifier.close();
};

const backends = async (name = `listener ${expect.getState().currentTestName}`.slice(0, 60)): Promise<number[]> => {
  const rows = await sql<{ pid: number }>(db, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", name);
  return rows.map((row) => row.pid);
};

const lay = async (): Promise<TestProxy> => {
  const way = await openProxy(database.url);
  onTestFinished(() => way.close());
  return way;
};

describe("a listener", () => {
  it("connects, asks for a look at everything, and hears its channels in order", async () => {
    const { listener, heard } = listen();
    expect(listener.connected).toBe(false);
    listener.start();
    listener.start();
    await eventually(() => expect(heard).toEqual(["connected", "resync"]));
    expect(listener.connected).toBe(true);
    await tell("a", "b");
    await tell("c");
    await sql(db, "SELECT pg_notify('floxy_review', '[]'), pg_notify('floxy_abort', 'x')");
    await eventually(() => expect(heard.slice(2)).toEqual(["ready a,b", "ready c", "abort *"]));
    expect(await backends()).toHaveLength(1);
  });

  it("does not hear another schema", async () => {
    const { listener, heard } = listen({ schema: 'other "one"' });
    listener.start();
    await eventually(() => expect(heard).toContain("resync"));
    await tell("a");
    await sql(db, "SELECT pg_notify($1, $2)", channelName('other "one"', "ready"), '["b"]');
    await eventually(() => expect(heard.slice(2)).toEqual(["ready b"]));
  });

  it("comes back after the server ended its connection, and asks for a look again", async () => {
    const { listener, heard, errors } = listen();
    listener.start();
    await eventually(() => expect(heard).toContain("resync"));
    for (const pid of await backends()) await sql(db, "SELECT pg_terminate_backend($1)", pid);
    await eventually(() => expect(heard.slice(2)).toEqual(["lost", "connected", "resync"]));
    await tell("a");
    await eventually(() => expect(heard.at(-1)).toBe("ready a"));
    expect(errors).toMatchObject([{ code: "DATABASE_UNAVAILABLE" }]);
    expect(await backends()).toHaveLength(1);
  });

  it("notices a black hole by its heartbeat, and takes a new connection", async () => {
    const way = await lay();
    // Long enough for a machine that is busy: a connection that is only slow must not count as lost.
    const { listener, heard, errors } = listen({ connectionString: way.url, heartbeatMs: 30, deadlineMs: 1_500 });
    listener.start();
    await eventually(() => expect(heard).toEqual(["connected", "resync"]));
    way.swallow = true;
    await eventually(() => expect(heard.slice(2)).toEqual(["lost"]));
    expect(listener.connected).toBe(false);
    await eventually(() => expect(way.count()).toBeGreaterThan(1));
    way.swallow = false;
    await eventually(() => expect(heard.slice(2)).toEqual(["lost", "connected", "resync"]));
    await tell("a");
    await eventually(() => expect(heard.at(-1)).toBe("ready a"));
    expect(errors).toContainEqual(expect.objectContaining({ code: "DATABASE_UNAVAILABLE" }));
  });

  it("closes soon inside a black hole, and leaves no socket behind", async () => {
    const way = await lay();
    const { listener, heard } = listen({ connectionString: way.url });
    listener.start();
    await eventually(() => expect(heard).toContain("resync"));
    way.swallow = true;
    const before = performance.now();
    await listener.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    await eventually(() => expect(way.isForsaken()).toBe(true));
  });

  it("keeps its connection while heartbeats come back", async () => {
    const way = await lay();
    const { listener, heard } = listen({ connectionString: way.url, heartbeatMs: 5, deadlineMs: 1_000 });
    listener.start();
    await eventually(() => expect(heard).toContain("resync"));
    const beats = async () =>
      (
        await sql<{ at: string }>(
          db,
          "SELECT query_start::text AS at FROM pg_stat_activity WHERE pid = $1",
          (
            await backends()
          )[0],
        )
      )[0]?.at;
    const first = await beats();
    await eventually(async () => expect(await beats()).not.toBe(first));
    expect(way.count()).toBe(1);
    expect(heard).toEqual(["connected", "resync"]);
  });

  it("goes on trying, says once that nothing arrives, and waits a jittered time that doubles to its limit", async () => {
    const timeout = vi.spyOn(globalThis, "setTimeout");
    const { listener, heard, errors } = listen({
      connectionString: "postgres://127.0.0.1:1/x",
      maxRetryMs: 300,
      random: () => 0.0625,
    });
    listener.start();
    await eventually(() => expect(errors.length).toBeGreaterThanOrEqual(4));
    await listener.close();
    expect(heard).toEqual(["lost"]);
    expect(errors[0]).toMatchObject({ code: "DATABASE_UNAVAILABLE", cause: { code: "ECONNREFUSED" } });
    const waits = timeout.mock.calls.map(([, ms]) => ms).filter((ms) => ms !== undefined && ms % 6.25 === 0 && ms < 20);
    expect(waits.slice(0, 3)).toEqual([6.25, 12.5, 18.75]);
  });

  it("survives callbacks that throw, and reports what they threw", async () => {
    const broken = new Error("broken");
    const { listener, errors } = listen({
      onNotification() {
        throw broken;
      },
      onResync() {
        throw broken;
      },
    });
    listener.start();
    await eventually(() => expect(errors).toEqual([broken]));
    await tell("a");
    await tell("b");
    await eventually(() => expect(errors).toEqual([broken, broken, broken]));
    expect(listener.connected).toBe(true);
  });

  it("hears nothing after close, leaves no connection, and does not start again", async () => {
    const { listener, heard } = listen();
    listener.start();
    await eventually(() => expect(heard).toContain("resync"));
    await listener.close();
    await listener.close();
    listener.start();
    await tell("a");
    await eventually(async () => expect(await backends()).toEqual([]));
    expect(heard).toEqual(["connected", "resync"]);
    expect(listener.connected).toBe(false);
  });

  it("can be closed while it connects", async () => {
    const { listener, heard } = listen();
    listener.start();
    await listener.close();
    await eventually(async () => expect(await backends()).toEqual([]));
    expect(heard).toEqual([]);
  });

  it("says CONFIGURATION_INVALID at once for a URL that cannot be read", () => {
    const attempt = (): unknown => listen({ connectionString: "postgres://me:secret@host:port/x" });
    expect(attempt).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
  });
});

describe("the name of a channel", () => {
  it("is the schema's and the channel's, and never longer than PostgreSQL keeps", () => {
    expect(channelName("floxy", "ready")).toBe("floxy_ready");
    const [one, two] = ["a", "b"].map((end) => channelName(`${"ä".repeat(30)}${end}`, "finished"));
    expect(one).not.toBe(two);
    expect(Buffer.byteLength(one ?? "")).toBeLessThanOrEqual(63);
  });
});
