import { newId } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, codeOf, createTestDatabase, eventually, quiet } from "./testing/database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const client = new FloxyClient({ connectionString: database.url });
  await client.register(chainOf("one", ["step"]));
  await client.close();
});

// What one test leaves in the queue is not for the next.
afterEach(() => database.query("DELETE FROM floxy.queue"));

afterAll(() => database.drop());

/** A client that is closed when the test is over. */
const withClient = async (listen: boolean, test: (client: FloxyClient) => Promise<void>): Promise<void> => {
  const { url } = database;
  const client = new FloxyClient({
    connectionString: url,
    logger: quiet,
    ...(!listen && { listenConnectionString: false }),
  });
  await test(client).finally(() => client.close());
};

/** Ends an instance as an orchestrator does after a rollback. */
const endAs = async (instanceId: string, status: string, cause: object | null = null): Promise<void> => {
  await database.query("DELETE FROM floxy.queue WHERE instance_id = $1", [instanceId]);
  await database.query(
    "UPDATE floxy.instance SET status = $2, cause = $3, boundary = 'paid', finished_at = now() WHERE instance_id = $1",
    [instanceId, status, cause],
  );
};

// The last thing a listener does before it is ready is to send itself a heartbeat.
const listening =
  "SELECT 1 FROM pg_stat_activity WHERE application_name = 'floxy client listener' AND state = 'idle' AND query ~* 'notify'";

const untilListening = () => eventually(async () => (await database.query(listening)).length > 0);

describe("waiting for the end", () => {
  it("answers at once for an instance that has ended", async () => {
    await withClient(false, async (client) => {
      const handle = await client.start("one", 1);
      await database.complete("step", { done: true });
      expect(await handle.result()).toEqual({ done: true });
      expect(await handle.waitForEnd()).toMatchObject({ status: "completed", output: { done: true }, input: 1 });
    });
  });

  it("is woken by a notification within 200 ms, long before it would look by itself", async () => {
    await withClient(true, async (client) => {
      const handle = await client.start("one", 1);
      const wait = handle.waitForEnd();
      await untilListening();
      await database.complete("step", "out");
      const committed = performance.now();
      await database.notify("finished", [handle.instanceId]);
      expect(await wait).toMatchObject({ status: "completed", output: "out" });
      expect(performance.now() - committed).toBeLessThan(200);
    });
  });

  it("opens one connection to listen for any number of waits", async () => {
    await withClient(true, async (client) => {
      const handles = await Promise.all(Array.from({ length: 50 }, (_, n) => client.start("one", n)));
      const waits = Promise.all(handles.map((handle) => handle.result()));
      await untilListening();
      expect(await database.query(listening)).toHaveLength(1);
      for (const _ of handles) await database.complete("step", "out");
      await database.notify("finished", ["*"]);
      expect(new Set(await waits)).toEqual(new Set(["out"]));
    });
  });

  it("needs no notification", async () => {
    await withClient(false, async (client) => {
      const handle = await client.start("one", 1);
      const wait = handle.result();
      await eventually(async () => (await handle.get()).status === "running");
      await database.complete("step", "polled");
      expect(await wait).toBe("polled");
    });
  });

  it("survives the end of all connections", async () => {
    await withClient(true, async (client) => {
      const handle = await client.start("one", 1);
      const wait = handle.result();
      await untilListening();
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
      await eventually(async () => (await codeOf(database.complete("step", "after"))) === "no error");
      expect(await wait).toBe("after");
    });
  });

  it("throws a typed error for an instance that ended otherwise", async () => {
    await withClient(false, async (client) => {
      const cause = { code: "HANDLER_FAILED", message: "card declined" };
      for (const [status, code] of [
        ["failed", "INSTANCE_FAILED"],
        ["cancelled", "INSTANCE_CANCELLED"],
        ["aborted", "INSTANCE_ABORTED"],
      ] as const) {
        const handle = await client.start("one", 1);
        await endAs(handle.instanceId, status, cause);
        await expect(handle.result()).rejects.toMatchObject({
          code,
          kind: "terminal",
          message: expect.stringMatching(`ended ${status} \\(rolled back to savepoint 'paid'\\): card declined`),
          data: { instanceId: handle.instanceId, status, error: cause, instance: { savepoint: "paid" } },
        });
        expect(await handle.waitForEnd()).toMatchObject({ status, output: undefined, error: cause });
      }
    });
  });

  it("ends with WAIT_TIMEOUT, which tells the status, and the instance goes on", async () => {
    await withClient(false, async (client) => {
      const handle = await client.start("one", 1);
      await expect(handle.result({ timeoutMs: 0 })).rejects.toMatchObject({
        code: "WAIT_TIMEOUT",
        data: { status: "running" },
      });
      await expect(handle.result({ timeoutMs: 50 })).rejects.toThrow(
        /did not end within 50 ms; its status is 'running'/,
      );
      await database.complete("step", 2);
      expect(await handle.result({ timeoutMs: 0 })).toBe(2);
    });
  });

  it("sees an end that came just before the time was up", async () => {
    await withClient(false, async (client) => {
      const handle = await client.start("one", 1);
      const wait = handle.result({ timeoutMs: 300 });
      await eventually(async () => (await handle.get()).status === "running");
      await database.complete("step", "just in time");
      expect(await wait).toBe("just in time");
    });
  });

  it("ends with the reason of the caller's signal", async () => {
    await withClient(false, async (client) => {
      const handle = await client.start("one", 1);
      const controller = new AbortController();
      const wait = handle.result({ signal: controller.signal });
      controller.abort(new Error("enough"));
      await expect(wait).rejects.toThrow("enough");
      await expect(handle.result({ signal: controller.signal })).rejects.toThrow("enough");
    });
  });

  it("ends with SHUTDOWN when the client is closed", async () => {
    const client = new FloxyClient({ connectionString: database.url });
    const handle = await client.start("one", 1);
    const wait = handle.result();
    await untilListening();
    await Promise.all([client.close(), expect(wait).rejects.toMatchObject({ code: "SHUTDOWN" })]);
    expect(await codeOf(handle.result())).toBe("SHUTDOWN");
  });

  it("refuses what cannot be waited for", async () => {
    await withClient(false, async (client) => {
      expect(await codeOf(client.waitForEnd(newId()))).toBe("INSTANCE_NOT_FOUND");
      expect(await codeOf(client.waitForEnd("nonsense"))).toBe("INSTANCE_NOT_FOUND");
      expect(await codeOf(client.waitForEnd(newId(), { timeoutMs: -1 }))).toBe("OPTION_INVALID");
      expect(await codeOf(client.waitForEnd(newId(), { timeoutMs: Number.NaN }))).toBe("OPTION_INVALID");
    });
  });
});
