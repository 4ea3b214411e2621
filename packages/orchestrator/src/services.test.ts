import type { Database } from "@floxy/shared";
import { openDatabase } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { systemClock } from "./service/clock.ts";
import type { TickReport } from "./service/service.ts";
import type { Services } from "./services.ts";
import { createServices } from "./services.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";
import { lease, refused, registerSagas, settleSteps, startSagas, startWorker, tryAgain } from "./testing/saga.ts";

let database: TestDatabase;
let db: Database;
const cleanup: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = database.db;
  await registerSagas(db);
});

afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
  await sql(db, "TRUNCATE floxy.queue, floxy.inbox");
});

afterAll(() => database.drop());

/** Services that only poll; stopped after the test. */
const startServices = (names: readonly (keyof Services)[] = ["review", "timer", "lease"]) => {
  const own = openDatabase({ connectionString: database.url, applicationName: "floxy orchestrator under test" });
  const reports: TickReport[] = [];
  const postponed: string[] = [];
  const services = createServices({
    db: own,
    clock: systemClock,
    random: Math.random,
    orchestratorId: "orchestrator",
    pollIntervalMs: 100,
    reviewBatch: 10,
    reconcileIntervalMs: 60_000,
    sampleIntervalMs: 5_000,
    historyIntervalMs: 30_000,
    listening: () => false,
    publish: () => {},
    onTick: (report) => reports.push(report),
    onPostponed: (instanceId) => postponed.push(instanceId),
    onNotTakenOver: (_, error) => {
      throw error;
    },
    onSample: () => {},
    onReconciled: () => {},
    onHistory: () => {},
  });
  for (const name of names) services[name]?.start();
  cleanup.push(async () => {
    await Promise.all(Object.values(services).map((service) => service.stop()));
    await own.close();
  });
  return { services, reports, postponed };
};

const withWorker: typeof startWorker = (...args) => {
  const worker = startWorker(...args);
  cleanup.push(() => worker.stop());
  return worker;
};

const statusesOf = async (ids: readonly string[]): Promise<Record<string, number>> => {
  const rows = await sql<{ status: string; count: number }>(
    db,
    "SELECT status, count(*)::int AS count FROM floxy.instance WHERE instance_id = ANY ($1) GROUP BY status",
    [ids],
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
};

const eventually = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 8_000, interval: 10 });

const handledBy = (reports: readonly TickReport[], service: string): number =>
  reports.reduce((sum, { result, ...report }) => {
    return report.service === service && "handled" in result ? sum + result.handled : sum;
  }, 0);

describe("the services, by polling alone", () => {
  test("fire each join exactly once, also when two orchestrators share the inbox", async () => {
    const [one, other] = [startServices(), startServices()];
    const ids = await startSagas(db, "fan-out", 60);
    const worker = withWorker(db);
    await eventually(async () => expect(await statusesOf(ids)).toEqual({ completed: 60 }));
    const joins = await sql<{ fired: number }>(
      db,
      `SELECT count(*)::int AS fired FROM floxy.event
       WHERE type = 'step.completed' AND node = 'all' AND instance_id = ANY ($1) GROUP BY instance_id`,
      [ids],
    );
    expect(joins).toEqual(ids.map(() => ({ fired: 1 })));
    expect(worker.calls.filter((call) => call.includes(" after "))).toHaveLength(60);
    expect(handledBy(one.reports, "review")).toBeGreaterThan(0);
    expect(handledBy(other.reports, "review")).toBeGreaterThan(0);
    expect([...one.postponed, ...other.postponed]).toEqual([]);
  });

  test("roll a failed instance back in reverse order", async () => {
    startServices();
    const [id = ""] = await startSagas(db, "chain", 1);
    const worker = withWorker(db, ({ handler }) =>
      handler === "second" ? refused : { kind: "completed", output: "1" },
    );
    await eventually(async () => expect(await statusesOf([id])).toEqual({ failed: 1 }));
    expect(worker.calls).toEqual([
      `${id} first forward`,
      `${id} second forward`,
      `${id} second compensation`,
      `${id} first compensation`,
    ]);
  });

  test("wake a delayed retry when its time has come, and not before", async () => {
    startServices();
    const [id = ""] = await startSagas(db, "chain", 1);
    await settleSteps(db, await lease(db, "worker"), () => tryAgain);
    const ready = await eventually(async () => {
      const [row] = await sql<{ lateMs: number }>(
        db,
        `SELECT (extract(epoch FROM clock_timestamp() - ready_at) * 1000)::float8 AS "lateMs"
         FROM floxy.queue WHERE instance_id = $1 AND state = 'ready'`,
        [id],
      );
      if (row === undefined) throw new Error("still delayed");
      return row;
    });
    expect(ready.lateMs).toBeGreaterThanOrEqual(0);
    expect(ready.lateMs).toBeLessThan(1_500);
  });

  test("take over a lease that has expired: the next attempt, told by an event", async () => {
    const [one, other] = [startServices(), startServices()];
    const ids = await startSagas(db, "chain", 20);
    const leased = await lease(db, "dead-worker", 150);
    expect(leased).toHaveLength(20);
    const again = await eventually(async () => {
      const rows = await sql<{ attempt: number }>(
        db,
        "SELECT attempt FROM floxy.queue WHERE state = 'ready' AND instance_id = ANY ($1)",
        [ids],
      );
      expect(rows).toHaveLength(20);
      return rows;
    });
    expect(again).toEqual(ids.map(() => ({ attempt: 1 })));
    const events = await sql(db, "SELECT 1 FROM floxy.event WHERE type = 'lease.expired' AND instance_id = ANY ($1)", [
      ids,
    ]);
    expect(events).toHaveLength(20);
    // Both were waiting for these leases; what one takes over, the other does not count.
    expect(handledBy(one.reports, "lease") + handledBy(other.reports, "lease")).toBe(20);
    expect(await settleSteps(db, leased)).toEqual(leased.map(() => "lost"));
    expect((await lease(db, "worker")).map(({ attempt }) => attempt)).toEqual(ids.map(() => 2));
  });

  test("put a note that cannot be handled off, and handle the others", async () => {
    const [bad = "", ...good] = await startSagas(db, "fan-out", 5);
    await sql(db, "UPDATE floxy.instance SET definition_name = 'gone' WHERE instance_id = $1", [bad]);
    await sql(db, "INSERT INTO floxy.inbox (instance_id) VALUES ($1)", [bad]);
    await sql(db, "UPDATE floxy.queue SET handler = 'nobody' WHERE instance_id = $1", [bad]);
    withWorker(db);
    const { postponed } = startServices();
    await eventually(async () => expect(await statusesOf(good)).toEqual({ completed: 4 }));
    await eventually(() => expect(postponed).toContain(bad));
    const [note] = await sql(db, "SELECT attempt > 0 AS tried, error FROM floxy.inbox WHERE instance_id = $1", [bad]);
    expect(note).toMatchObject({ tried: true, error: expect.stringContaining("'gone'") });
  });

  test("go on after the server has ended all their connections", async () => {
    const { reports } = startServices();
    await eventually(() => expect(reports.length).toBeGreaterThan(5));
    // All but ours: how the test's own connections take it is tested where they are made.
    const ended = await sql(
      db,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'floxy orchestrator under test'`,
    );
    expect(ended.length).toBeGreaterThan(0);
    const ids = await startSagas(db, "fan-out", 3);
    withWorker(db);
    await eventually(async () => expect(await statusesOf(ids)).toEqual({ completed: 3 }));
  });
});
