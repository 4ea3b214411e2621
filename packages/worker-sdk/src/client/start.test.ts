import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { channelName, isFloxyError, parseNotification } from "@floxy/shared";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, eventually, quiet } from "./testing/database.ts";

const charge = defineStep(
  "charge",
  defineHandler<{ id: string; amount: number }, { paid: boolean }>({ name: "charge" }),
);
const Order = z.object({ id: z.string(), amount: z.number().positive() });
const order = workflow({ name: "order", version: 1, input: Order }).step(charge).build();
const input = { id: "o-1", amount: 5 };

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

const exists = async (instanceId: string): Promise<boolean> => (await codeOf(client.get(instanceId))) === "no error";

describe("start", () => {
  it("registers a workflow by itself and starts an instance that can be looked at", async () => {
    const handle = await client.start(order, input, { priority: 80, metadata: { tenant: "a" } });
    expect(handle.created).toBe(true);
    expect(await handle.get()).toMatchObject({
      instanceId: handle.instanceId,
      definition: { name: "order", version: 1 },
      status: "running",
      priority: 80,
      input,
      metadata: { tenant: "a" },
      steps: [{ step: "charge", status: "pending", attempt: 0 }],
    });
  });

  it("takes the highest version of a definition that is given by name", async () => {
    await client.register(chainOf("versioned", ["a"]));
    await client.register(chainOf("versioned", ["a"], { version: 7 }));
    await client.register(chainOf("versioned", ["a"], { version: 3 }));
    const newest = await Promise.all(Array.from({ length: 5 }, () => client.start("versioned", null)));
    for (const handle of newest) expect((await handle.get()).definition.version).toBe(7);
    const older = await client.start("versioned", null, { version: 3 });
    expect((await older.get()).definition.version).toBe(3);
  });

  it("starts one instance for one idempotency key, also from twenty callers of two clients at once", async () => {
    const other = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
    const starts = Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? client : other).start(order, input, { idempotencyKey: "twenty" }),
    );
    const handles = await Promise.all(starts);
    await other.close();
    expect(new Set(handles.map(({ instanceId }) => instanceId)).size).toBe(1);
    expect(handles.filter(({ created }) => created)).toHaveLength(1);
    const { instances } = await client.list({ definition: "order" });
    expect(instances.filter(({ idempotencyKey }) => idempotencyKey === "twenty")).toHaveLength(1);
  });

  it("takes a repeat for one when the members of its input come in another order", async () => {
    const first = await client.start("order", { id: "x", amount: 1 }, { idempotencyKey: "ordered" });
    const again = await client.start("order", { amount: 1, id: "x" }, { idempotencyKey: "ordered" });
    expect(again).toMatchObject({ instanceId: first.instanceId, created: false });
  });

  it("answers IDEMPOTENCY_CONFLICT for another input under the same key, and only to that caller", async () => {
    const first = await client.start(order, input, { idempotencyKey: "conflict" });
    const before = await database.counts();
    const [same, other] = await Promise.allSettled([
      client.start(order, input, { idempotencyKey: "conflict" }),
      client.start(order, { ...input, amount: 6 }, { idempotencyKey: "conflict" }),
    ]);
    expect(same).toMatchObject({ status: "fulfilled", value: { instanceId: first.instanceId, created: false } });
    expect(other.status === "rejected" && isFloxyError(other.reason, "IDEMPOTENCY_CONFLICT")).toBe(true);
    expect(other).toMatchObject({ reason: { data: { instanceId: first.instanceId } } });
    expect(await database.counts()).toEqual(before);
  });

  it("lets another definition use the same key", async () => {
    await client.register(chainOf("other", ["a"]));
    const [one, two] = await Promise.all([
      client.start(order, input, { idempotencyKey: "shared" }),
      client.start("other", 1, { idempotencyKey: "shared" }),
    ]);
    expect([one.created, two.created]).toEqual([true, true]);
  });

  it("survives the end of its connection in the middle of a start, and starts once", async () => {
    const before = (await database.counts()).instance ?? 0;
    const start = await database.db.transaction(async (tx) => {
      await tx.query({ name: "lock", text: (schema) => `LOCK TABLE ${schema}.instance IN ACCESS EXCLUSIVE MODE` });
      const started = client.start(order, input);
      started.catch(() => {});
      const blocked = "FROM pg_stat_activity WHERE application_name = 'floxy client' AND wait_event_type = 'Lock'";
      await eventually(async () => (await database.query(`SELECT 1 ${blocked}`)).length > 0);
      await database.query(`SELECT pg_terminate_backend(pid) ${blocked}`);
      return { started };
    });
    const handle = await start.started;
    expect(handle.created).toBe(true);
    expect(await exists(handle.instanceId)).toBe(true);
    expect((await database.counts()).instance).toBe(before + 1);
  });

  it("answers DATABASE_UNAVAILABLE when no database comes up in time", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const lonely = new FloxyClient({
      connectionString: `postgres://u@127.0.0.1:${port}/none`,
      listenConnectionString: false,
      startTimeoutMs: 200,
      logger: quiet,
    });
    await expect(lonely.start("order", input)).rejects.toThrow(/within 200 ms.*nothing was written/);
    expect(await codeOf(lonely.start("order", input))).toBe("DATABASE_UNAVAILABLE");
    await lonely.close();
  });

  it("is refused after close, which can be called twice", async () => {
    const closed = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
    await Promise.all([closed.close(), closed.close()]);
    expect(await codeOf(closed.start(order, input))).toBe("SHUTDOWN");
    expect(await codeOf(closed.get("x"))).toBe("SHUTDOWN");
  });
});

describe("start in the caller's transaction", () => {
  const within = async <T>(end: "COMMIT" | "ROLLBACK", work: (transaction: pg.Client) => Promise<T>): Promise<T> => {
    const caller = new pg.Client({ connectionString: database.url });
    await caller.connect();
    try {
      await caller.query("BEGIN");
      const result = await work(caller);
      await caller.query(end);
      return result;
    } finally {
      await caller.end();
    }
  };

  it("exists once the caller commits, and not before", async () => {
    const handle = await within("COMMIT", async (transaction) => {
      const started = await client.start(order, input, { transaction });
      expect(await exists(started.instanceId)).toBe(false);
      return started;
    });
    expect(await exists(handle.instanceId)).toBe(true);
    expect(await database.query("SELECT 1 FROM floxy.queue WHERE instance_id = $1", [handle.instanceId])).toHaveLength(
      1,
    );
  });

  it("leaves nothing behind when the caller rolls back", async () => {
    await client.register(order);
    const before = await database.counts();
    const handle = await within("ROLLBACK", (transaction) => client.start(order, input, { transaction }));
    expect(await exists(handle.instanceId)).toBe(false);
    expect(await database.counts()).toEqual(before);
  });

  it("tells workers at the commit, in the same transaction", async () => {
    const listening = new pg.Client({ connectionString: database.url });
    await listening.connect();
    const heard: (string | undefined)[] = [];
    listening.on("notification", ({ payload }) => heard.push(payload));
    await listening.query(`LISTEN "${channelName("floxy", "ready")}"`);
    await within("ROLLBACK", (transaction) => client.start(order, input, { transaction }));
    await listening.query("SELECT 1");
    expect(heard).toEqual([]);
    await within("COMMIT", (transaction) => client.start(order, input, { transaction }));
    await eventually(async () => heard.length > 0);
    expect(heard.flatMap((payload) => parseNotification(payload ?? ""))).toEqual(["charge"]);
    await listening.end();
  });

  it("keeps the caller's transaction usable after a conflict of idempotency keys", async () => {
    await client.start(order, input, { idempotencyKey: "within" });
    const handle = await within("COMMIT", async (transaction) => {
      const conflict = client.start(order, { ...input, amount: 9 }, { transaction, idempotencyKey: "within" });
      expect(await codeOf(conflict)).toBe("IDEMPOTENCY_CONFLICT");
      return client.start(order, input, { transaction });
    });
    expect(await exists(handle.instanceId)).toBe(true);
  });

  it("passes the database's errors on and does not try again", async () => {
    await within("ROLLBACK", async (transaction) => {
      await transaction.query("SELECT 1/0").catch(() => {});
      await expect(client.start(order, input, { transaction })).rejects.toMatchObject({ code: "25P02" });
    });
  });

  it("does not take a pool for a transaction", async () => {
    const pool = new pg.Pool({ connectionString: database.url });
    await expect(client.start(order, input, { transaction: pool as never })).rejects.toThrow("transaction is a pool");
    await pool.end();
  });
});
