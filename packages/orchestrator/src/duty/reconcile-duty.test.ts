import type { Database } from "@floxy/shared";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import type { Logger } from "../log.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { createOrchestrator } from "../orchestrator.ts";
import type { TestDatabase } from "../testing/database.ts";
import { createTestDatabase, sql } from "../testing/database.ts";
import { lease, registerSagas, settleSteps, startSagas } from "../testing/saga.ts";

let database: TestDatabase;
let db: Database;
const running: Orchestrator[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = database.db;
  await registerSagas(db);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((orchestrator) => orchestrator.stop()));
  await sql(db, "TRUNCATE floxy.queue, floxy.inbox, floxy.instance, floxy.step, floxy.stuck");
});

afterAll(() => database.drop());

const eventually = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 8_000, interval: 10 });

interface Line {
  readonly fields: object;
  readonly message: string;
}

const startOrchestrator = async (reconcileIntervalMs: number | false) => {
  const errors: Line[] = [];
  const warnings: Line[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (fields, message) => warnings.push({ fields, message }),
    error: (fields, message) => errors.push({ fields, message }),
  };
  const orchestrator = createOrchestrator({
    connectionString: database.url,
    listenConnectionString: false,
    pollIntervalMs: 50,
    reconcileIntervalMs,
    processMetrics: false,
    logger,
  });
  running.push(orchestrator);
  await orchestrator.start();
  const metric = async (name: string): Promise<number> => {
    const text = await orchestrator.registry.getSingleMetricAsString(name);
    return Number(text.trim().split(" ").at(-1));
  };
  return { orchestrator, errors, warnings, metric };
};

/** Loses what nobody but the reconciler looks for, in an instance that is old enough. */
const loseNotes = async (): Promise<string> => {
  const [id = ""] = await startSagas(db, "fan-out", 1);
  await settleSteps(db, await lease(db, "worker"));
  await sql(db, "DELETE FROM floxy.inbox");
  await sql(db, "UPDATE floxy.instance SET created_at = now() - interval '1 hour'");
  return id;
};

const queued = (id: string) => sql(db, "SELECT node FROM floxy.queue WHERE instance_id = $1", [id]);

test("an instance whose note was lost goes on, and the repair is counted", async () => {
  const id = await loseNotes();
  const { warnings, errors, metric } = await startOrchestrator(100);
  await eventually(async () => expect(await queued(id)).toEqual([{ node: "after" }]));
  await eventually(async () => expect(await metric("floxy_orchestrator_repairs_total")).toBe(1));
  expect(warnings).toMatchObject([{ fields: { noted: 1, timers: 0 }, message: expect.stringContaining("put back") }]);
  expect(errors).toEqual([]);
});

test("what a look did not help is logged as an error with its id, and counted as stuck until it is not", async () => {
  const [id] = await startSagas(db, "chain", 1);
  await sql(db, "DELETE FROM floxy.queue");
  await sql(db, "UPDATE floxy.instance SET created_at = now() - interval '1 hour'");
  const { errors, metric } = await startOrchestrator(50);
  await eventually(async () => expect(await metric("floxy_stuck_instances")).toBe(1));
  await eventually(() => expect(errors[0]).toMatchObject({ fields: { count: 1, instanceIds: [id] } }));
  await sql(db, "UPDATE floxy.instance SET status = 'aborted', finished_at = now()");
  await eventually(async () => expect(await metric("floxy_stuck_instances")).toBe(0));
});

test("it does nothing when it is switched off", async () => {
  const id = await loseNotes();
  const { orchestrator } = await startOrchestrator(false);
  expect(orchestrator.health().services.map(({ service }) => service)).not.toContain("reconcile");
  await eventually(() =>
    expect(orchestrator.readiness()).toMatchObject({ ready: true, databaseAgeMs: expect.any(Number) }),
  );
  expect(await queued(id)).toEqual([]);
});
