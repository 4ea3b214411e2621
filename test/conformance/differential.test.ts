import { afterAll, beforeAll, inject, it } from "vitest";
import type { ClockedPostgres } from "./clocked-postgres.ts";
import { openClockedPostgres } from "./clocked-postgres.ts";
import { makeRun } from "./make-run.ts";

// FLOXY_CONFORMANCE_SEED replays one run, FLOXY_CONFORMANCE_RUNS makes more of them.
const only = process.env.FLOXY_CONFORMANCE_SEED;
const first = Number(only ?? 1);
const count = only === undefined ? Number(process.env.FLOXY_CONFORMANCE_RUNS ?? 200) : 1;

let postgres: ClockedPostgres;

beforeAll(async () => {
  postgres = await openClockedPostgres(inject("databaseUrl"));
});

afterAll(() => postgres.close());

it("does and answers in memory what it does and answers on PostgreSQL, whatever is asked of it in whatever order", {
  timeout: 20_000 + 2_000 * count,
}, async () => {
  for (let seed = first; seed < first + count; seed++) {
    await makeRun(postgres, seed).catch((error: unknown) => {
      const replay = `FLOXY_CONFORMANCE_SEED=${seed} npm test -- conformance/differential`;
      throw new Error(`the stores differ; to see it again: ${replay}`, { cause: error });
    });
  }
});
