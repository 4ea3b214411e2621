import type { Database } from "@floxy/shared";
import { expect, test } from "vitest";
import { createServices } from "./services.ts";
import type { FakeClock } from "./testing/fake-clock.ts";
import { createFakeClock } from "./testing/fake-clock.ts";

const nothingDue = { delayedMs: null, leaseMs: null, review: false };
const nothingSampled = {
  handlers: [],
  delayed: 0,
  leased: 0,
  inbox: 0,
  postponed: 0,
  deadForward: 0,
  deadCompensation: 0,
};

const answers: Readonly<Record<string, object[]>> = {
  next_due: [nothingDue],
  sample_queue: [nothingSampled],
  take_reconciling: [{ taken: true }],
  upkeep_history: [{ created: 0, more: false, blocked: null }],
  prune: [{ instances: 0, partitions: 0, acts: 0, more: false, blocked: null }],
  history_state: [{ partitions: 3, defaultRows: 0, isStale: false }],
};

/** A database with nothing to do that counts what it is asked; a transaction costs two statements more. */
const createIdleDatabase = () => {
  const asked: string[] = [];
  const query = async <Row extends object>({ name }: { readonly name: string }): Promise<Row[]> => {
    asked.push(name);
    return (answers[name] ?? []) as Row[];
  };
  const db: Database = {
    schema: '"floxy"',
    query,
    transaction(work) {
      asked.push("BEGIN", "COMMIT");
      return work(db);
    },
    close: async () => {},
  };
  return { db, asked };
};

const start = (db: Database, clock: FakeClock, listening: boolean) => {
  const services = createServices({
    db,
    clock,
    random: () => 0.5,
    orchestratorId: "orchestrator",
    pollIntervalMs: 1_000,
    reviewBatch: 100,
    reconcileIntervalMs: 60_000,
    sampleIntervalMs: 15_000,
    historyIntervalMs: 30_000,
    listening: () => listening,
    publish: () => {},
    onTick: () => {},
    onPostponed: () => {},
    onNotTakenOver: () => {},
    onSample: () => {},
    onReconciled: () => {},
    onHistory: () => {},
  });
  for (const service of Object.values(services)) service.start();
  return services;
};

test.each([true, false])(
  "an idle orchestrator asks the database at most 1.5 times a second (listening: %s)",
  async (listening) => {
    const clock = createFakeClock();
    const { db, asked } = createIdleDatabase();
    start(db, clock, listening);
    await clock.advance(10_000);
    asked.length = 0;
    await clock.advance(100_000);
    expect(asked.length).toBeGreaterThan(90);
    expect(asked.length).toBeLessThanOrEqual(150);
    const rounds = ["BEGIN", "COMMIT", "take_reconciling", "lost_timers", "note_stuck"];
    const reconciling = [...rounds, "release_held", "hold_paused", "count_stuck"];
    const history = ["upkeep_history", "prune", "history_state"];
    expect(new Set(asked)).toEqual(new Set(["next_due", "sample_queue", "has_open_bulk", ...reconciling, ...history]));
  },
);

test("a wake is answered at once, by a look at the inbox itself", async () => {
  const clock = createFakeClock();
  const { db, asked } = createIdleDatabase();
  const { review, timer } = start(db, clock, true);
  await clock.advance(10_000);
  asked.length = 0;
  review.wake();
  await clock.advance(0);
  expect(asked).toEqual(["BEGIN", "COMMIT", "take_inbox"]);
  timer.wake();
  await clock.advance(0);
  expect(asked.slice(3)).toEqual(["next_due"]);
});
