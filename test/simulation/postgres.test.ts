import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { report } from "./drive/report.ts";
import { run } from "./drive/run.ts";
import { openPostgresStage } from "./stage/postgres.ts";
import type { Stage } from "./stage/stage.ts";
import { Tape } from "./tape.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openPostgresStage(inject("databaseUrl"));
});

afterAll(() => stage.close());

// Far fewer runs than in memory: what PostgreSQL adds is the SQL, and every kind of statement is in a handful of runs.
const seeds = Array.from({ length: Number(process.env.FLOXY_POSTGRES_SEEDS ?? 24) }, (_, index) => index + 1);

it.each(seeds)("keeps every promise on PostgreSQL in the run of seed %i", { timeout: 120_000 }, async (seed) => {
  const tape = Tape.ofSeed(seed);
  // All share one database: the names of definitions and the ids of instances tell the runs apart.
  const result = await run(stage, tape, `1${String(seed).padStart(6, "0")}`);
  if (result.error !== undefined) throw new Error(report({ tape: tape.taken, result }));
  expect(result.simulation.coverage.counts.get("instances")).toBeGreaterThan(0);
});
