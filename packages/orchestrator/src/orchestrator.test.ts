import type { Database, Notifier } from "@floxy/shared";
import { createNotifier, noHints, openListener, parseNotification, publishHints } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { OrchestratorOptions } from "./options.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { createOrchestrator } from "./orchestrator.ts";
import type { TestDatabase } from "./testing/database.ts";
import { createTestDatabase, sql } from "./testing/database.ts";
import { registerSagas, startSagas, startWorker } from "./testing/saga.ts";

let database: TestDatabase;
let db: Database;
let notifier: Notifier;
const cleanup: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"), { migrated: false });
  db = database.db;
  notifier = createNotifier({ db, onError: () => {} });
});

afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

afterAll(async () => {
  await notifier.close();
  await database.drop();
});

const create = (options: Partial<OrchestratorOptions> = {}): Orchestrator => {
  const orchestrator = createOrchestrator({
    connectionString: database.url,
    http: { port: 0 },
    pollIntervalMs: 100,
    processMetrics: false,
    ...options,
  });
  cleanup.push(() => orchestrator.stop());
  return orchestrator;
};

const started = async (options: Partial<OrchestratorOptions> = {}): Promise<Orchestrator> => {
  const orchestrator = create(options);
  await orchestrator.start();
  return orchestrator;
};

const get = async ({ url }: Orchestrator, path: string) => {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, text: await response.text() };
};

const eventually = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 8_000, interval: 10 });

const completed = async (ids: readonly string[]): Promise<void> => {
  const rows = await sql(db, "SELECT 1 FROM floxy.instance WHERE status = 'completed' AND instance_id = ANY ($1)", [
    ids,
  ]);
  expect(rows).toHaveLength(ids.length);
};

describe("an orchestrator", () => {
  test("says what to do when the schema is missing and it may not migrate", async () => {
    const orchestrator = create({ migrate: false });
    await expect(orchestrator.start()).rejects.toMatchObject({ code: "SCHEMA_OUTDATED" });
    await orchestrator.stop();
  });

  test("migrates an empty database, also when several start at once", async () => {
    const several = await Promise.all([started(), started(), started()]);
    for (const orchestrator of several) {
      await eventually(async () => expect((await get(orchestrator, "/readyz")).status).toBe(200));
    }
    await registerSagas(db);
  });

  test("is woken by notifications long before it would poll", async () => {
    const orchestrator = await started({ pollIntervalMs: 60_000 });
    await eventually(() => expect(orchestrator.readiness().listener).toBe("connected"));
    const ids = await startSagas(db, "fan-out", 5);
    const worker = startWorker(db);
    cleanup.push(() => worker.stop());
    await eventually(async () => {
      publishHints(notifier, { ...noHints(), review: true });
      await completed(ids);
    });
    const { text } = await get(orchestrator, "/metrics");
    expect(text).toMatch(/floxy_orchestrator_notifications_received_total\{channel="review"\} [1-9]/);
    expect(text).toMatch(/floxy_orchestrator_work_ticks_total\{service="review",source="notified"\} [1-9]/);
    expect(text).toMatch(/floxy_orchestrator_reviews_total [1-9]/);
    expect(text).toContain("floxy_orchestrator_listener_connected 1");
  });

  test("tells workers what its decisions have made ready, also when it does not listen itself", async () => {
    const orchestrator = await started({ listenConnectionString: false });
    expect(orchestrator.readiness().listener).toBe("off");
    const heard: string[] = [];
    const listener = openListener({
      connectionString: database.url,
      schema: "floxy",
      channels: ["ready"],
      onNotification: (_channel, payload) => heard.push(...parseNotification(payload)),
      onResync: () => {},
    });
    listener.start();
    cleanup.push(() => listener.close());
    await eventually(() => expect(listener.connected).toBe(true));
    const ids = await startSagas(db, "fan-out", 2);
    const worker = startWorker(db);
    cleanup.push(() => worker.stop());
    await eventually(() => completed(ids));
    await eventually(() => expect(heard).toContain("after"));
  });

  test("survives the loss of all its connections", async () => {
    const orchestrator = await started();
    await eventually(() => expect(orchestrator.readiness()).toMatchObject({ ready: true, listener: "connected" }));
    for (let round = 0; round < 3; round++) {
      await eventually(async () => {
        const ended = await sql(
          db,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'floxy'`,
        );
        expect(ended.length).toBeGreaterThan(0);
      });
      await eventually(() => expect(orchestrator.readiness().listener).toBe("connected"));
    }
    const ids = await startSagas(db, "fan-out", 3);
    const worker = startWorker(db);
    cleanup.push(() => worker.stop());
    await eventually(() => completed(ids));
    expect(orchestrator.health().status).toBe("ok");
  });

  test("is unhealthy while a tick hangs, says which, and is healthy again afterwards", async () => {
    const orchestrator = await started({ staleAfterMs: 300, sampleIntervalMs: 50, listenConnectionString: false });
    await eventually(async () => expect((await get(orchestrator, "/healthz")).status).toBe(200));
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    // Only the sample looks at dead letters while nothing fails.
    const lock = db.transaction(async (tx) => {
      await tx.query({ name: "lock", text: () => "LOCK TABLE floxy.dead_letter IN ACCESS EXCLUSIVE MODE" });
      await released;
    });
    try {
      const body = await eventually(async () => {
        const { status, text } = await get(orchestrator, "/healthz");
        expect(status).toBe(503);
        return JSON.parse(text);
      });
      expect(body.status).toBe("stale");
      const stale = body.services.filter((service: { stale: boolean }) => service.stale);
      expect(stale).toMatchObject([{ service: "sample", lastTickAgeMs: expect.any(Number) }]);
      expect(stale[0].runningMs).toBeGreaterThan(300);
    } finally {
      release();
      await lock;
    }
    await eventually(async () => expect((await get(orchestrator, "/healthz")).status).toBe(200));
  });

  test("waits for a database that cannot be reached, answers meanwhile, and can be stopped", async () => {
    const orchestrator = create({ connectionString: "postgres://nobody@127.0.0.1:1/none" });
    const start = orchestrator.start();
    const failed = expect(start).rejects.toMatchObject({ code: "SHUTDOWN" });
    await eventually(async () => {
      expect((await get(orchestrator, "/metrics")).text).toMatch(
        /database_errors_total\{code="DATABASE_UNAVAILABLE"\} [2-9]/,
      );
    });
    expect((await get(orchestrator, "/healthz")).status).toBe(200);
    expect(await get(orchestrator, "/readyz")).toMatchObject({
      status: 503,
      text: expect.stringContaining("starting"),
    });
    await orchestrator.stop();
    await failed;
  });

  test("says which setting to change when its port is taken", async () => {
    const { url } = await started();
    const port = Number(new URL(url ?? "").port);
    await expect(create({ http: { port } }).start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      message: expect.stringContaining("FLOXY_HTTP_PORT"),
    });
  });

  test("answers nothing else, and stops at once however often it is asked", async () => {
    const orchestrator = await started();
    expect((await get(orchestrator, "/")).status).toBe(404);
    await Promise.all([orchestrator.stop(), orchestrator.stop()]);
    expect(orchestrator.health().phase).toBe("stopped");
    await expect(get(orchestrator, "/healthz")).rejects.toThrow();
    await expect(createOrchestrator({ connectionString: database.url }).stop()).resolves.toBeUndefined();
  });

  test("shows only bounded labels", async () => {
    const orchestrator = await started({ sampleIntervalMs: 50 });
    const ids = await startSagas(db, "chain", 3);
    const text = await eventually(async () => {
      const metrics = (await get(orchestrator, "/metrics")).text;
      expect(metrics).toContain('floxy_queue_ready_steps{handler="first"} 3');
      return metrics;
    });
    for (const id of ids) expect(text).not.toContain(id);
    expect(text).toMatch(/floxy_queue_oldest_ready_seconds\{handler="first"\} \d/);
    expect(text).toMatch(/floxy_orchestrator_build_info\{version="[\d.]+",node="v\d+/);
    expect(text).toMatch(/floxy_orchestrator_tick_age_seconds\{service="lease"\} \d/);
    expect(text).toContain('floxy_orchestrator_ticks_total{service="sample",outcome="idle"}');
  });
});
