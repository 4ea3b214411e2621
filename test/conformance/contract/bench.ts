/** Where the contract of the store is checked: the store in memory, and PostgreSQL on a clock that is moved by hand. */
import type { Database } from "@floxy/shared";
import { createMemoryDatabase } from "@floxy/shared/memory";
import { afterAll, beforeAll, beforeEach, describe, inject } from "vitest";
import type { ClockedPostgres } from "../clocked-postgres.ts";
import { openClockedPostgres } from "../clocked-postgres.ts";

/** A store that is empty when a test begins. */
export interface Bench {
  readonly db: Database;
  /** The time of the store, in milliseconds. */
  readonly now: number;
  /** Lets time pass. */
  pass(ms: number): void;
}

const beginning = Date.UTC(2030, 0, 1);

/** Describes what both stores must do. */
export const bothStores = (title: string, suite: (bench: Bench) => void): void => {
  describe(`${title}, in memory`, () => {
    let now = beginning;
    let db = createMemoryDatabase({ now: () => now });
    beforeEach(() => {
      db = createMemoryDatabase({ now: () => now });
    });
    suite({
      get db() {
        return db;
      },
      get now() {
        return now;
      },
      pass(ms) {
        now += ms;
      },
    });
  });

  describe(`${title}, on PostgreSQL`, () => {
    let now = beginning;
    let postgres: ClockedPostgres;
    beforeAll(async () => {
      postgres = await openClockedPostgres(inject("databaseUrl"));
    });
    afterAll(() => postgres.close());
    beforeEach(async () => {
      await postgres.clear();
      postgres.setNow(now);
    });
    suite({
      get db() {
        return postgres.db;
      },
      get now() {
        return now;
      },
      pass(ms) {
        now += ms;
        postgres.setNow(now);
      },
    });
  });
};
