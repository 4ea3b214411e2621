import type { Database, QueueSample } from "@floxy/shared";
import { sampleQueue } from "@floxy/shared";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { TestDatabase } from "../testing/database.ts";
import { createTestDatabase, sql } from "../testing/database.ts";
import { lease, refused, registerSagas, settleSteps, startSagas, tryAgain } from "../testing/saga.ts";
import { sampleDuty } from "./sample-duty.ts";

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase(inject("databaseUrl"));
  db = database.db;
  await registerSagas(db);
});

afterAll(() => database.drop());

test("an empty queue has empty figures", async () => {
  expect(await sampleQueue(db)).toEqual({
    handlers: [],
    delayed: 0,
    leased: 0,
    inbox: 0,
    postponed: 0,
    deadLetters: { forward: 0, compensation: 0 },
  });
});

test("a sample counts ready steps by handler with the age of the oldest, and all that waits for something else", async () => {
  await startSagas(db, "chain", 3);
  const [again, failed] = await lease(db, "worker");
  await settleSteps(db, again === undefined ? [] : [again], () => tryAgain);
  await settleSteps(db, failed === undefined ? [] : [failed], () => refused);
  await startSagas(db, "fan-out", 2);
  await startSagas(db, "chain", 4);
  await sql(
    db,
    "UPDATE floxy.queue SET ready_at = ready_at - interval '90 s' WHERE handler = 'first' AND state = 'ready'",
  );
  await sql(db, "UPDATE floxy.inbox SET attempt = 1");
  const { handlers, ...rest } = await sampleQueue(db);
  expect(handlers).toMatchObject([
    { handler: "branch", ready: 6 },
    { handler: "first", ready: 4 },
  ]);
  expect(handlers[0]?.oldestSeconds).toBeLessThan(30);
  expect(handlers[1]?.oldestSeconds).toBeGreaterThan(89);
  expect(rest).toEqual({ delayed: 1, leased: 1, inbox: 1, postponed: 1, deadLetters: { forward: 0, compensation: 0 } });
});

test("samples are spread by a fifth of their interval", async () => {
  const samples: QueueSample[] = [];
  const waits = [];
  for (const random of [0, 0.5, 1]) {
    const duty = sampleDuty({
      db,
      random: () => random,
      intervalMs: 1_000,
      onSample: (sample) => samples.push(sample),
    });
    waits.push((await duty.runOnce({ woken: false })).nextMs);
    expect(waits.at(-1)).toBeLessThanOrEqual(duty.longestWaitMs);
  }
  expect(waits).toEqual([900, 1_000, 1_100]);
  expect(samples).toHaveLength(3);
});
