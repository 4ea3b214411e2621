/**
 * Many runs, one for each seed. How many, and which, the environment says:
 *
 * - nothing: as many as CI makes, always the same;
 * - `FLOXY_SIMULATION_INSTANCES`: until so many instances were simulated, in all parts together;
 * - `FLOXY_SIMULATION_MINUTES`: for so long, with seeds that were never used before;
 * - `FLOXY_SEED`: only the run of this seed.
 */
import { Coverage } from "./drive/coverage.ts";
import { replayLine, report } from "./drive/report.ts";
import { run } from "./drive/run.ts";
import type { OpenStage } from "./drive/shrink.ts";
import { shrink } from "./drive/shrink.ts";
import { openMemoryStage } from "./stage/memory.ts";
import { Tape } from "./tape.ts";

/** How many instances CI simulates, in all parts together. */
const instanceCount = 100_000;

/** So few instances that not everything rare must be among them. */
const fewInstances = 5_000;

/** One of several parts that run beside each other. */
export interface Part {
  /** Counted from 0. */
  readonly part: number;
  readonly parts: number;
}

/** What a simulation came to. */
export interface Simulated {
  readonly seeds: number;
  readonly coverage: Coverage;
  /** Told of the first run that failed, after it was made smaller. */
  readonly failure: string | undefined;
  /** Whether all that is rare must have happened. */
  readonly isLarge: boolean;
}

/** How long a simulation may take, in milliseconds. */
export const timeLimitMs = 60_000 * (10 + minutes());

/** Makes the runs of a part; stops at the first that fails. */
export const simulate = async ({ part, parts }: Part, open: OpenStage = openMemoryStage): Promise<Simulated> => {
  const only = numberIn("FLOXY_SEED");
  if (only !== undefined && only % parts !== part) return nothing;
  const coverage = new Coverage();
  const goesOn = until(coverage, parts, only);
  const tell = progress(part, coverage);
  let seeds = 0;
  for (let seed = only ?? firstSeed(part, parts); goesOn(); seed += parts) {
    const tape = Tape.ofSeed(seed);
    const result = await run(open(), tape);
    coverage.add(result.simulation.coverage.counts);
    seeds++;
    tell(seed);
    if (result.error === undefined) continue;
    const failure = await shrink(open, { tape: tape.taken, result });
    return { seeds, coverage, failure: `${replayLine(seed)}\n${report(failure)}`, isLarge: false };
  }
  return { seeds, coverage, failure: undefined, isLarge: only === undefined && instancesIn(coverage) >= fewInstances };
};

const nothing: Simulated = { seeds: 0, coverage: new Coverage(), failure: undefined, isLarge: false };

/** How many instances were simulated. */
const instancesIn = ({ counts }: Coverage): number => counts.get("instances") ?? 0;

const until = (coverage: Coverage, parts: number, only: number | undefined): (() => boolean) => {
  let left = 1;
  if (only !== undefined) return () => left-- > 0;
  const endsAt = performance.now() + minutes() * 60_000;
  if (minutes() > 0) return () => performance.now() < endsAt;
  const wanted = (numberIn("FLOXY_SIMULATION_INSTANCES") ?? instanceCount) / parts;
  return () => instancesIn(coverage) < wanted;
};

// Runs that go on for as long as asked start somewhere else each time.
const firstSeed = (part: number, parts: number): number => {
  const first = minutes() > 0 ? Math.floor(Date.now() / 1_000) : 1;
  return first + ((part - (first % parts) + parts) % parts);
};

/** How often to tell how far it is, in milliseconds. */
const tellEveryMs = 10_000;

const progress = (part: number, coverage: Coverage): ((seed: number) => void) => {
  const startedAt = performance.now();
  let toldAt = startedAt;
  return (seed) => {
    const now = performance.now();
    if (minutes() === 0 || now - toldAt < tellEveryMs) return;
    toldAt = now;
    const seconds = Math.round((now - startedAt) / 1_000);
    process.stderr.write(`simulation ${part}: ${instancesIn(coverage)} instances in ${seconds} s, at seed ${seed}\n`);
  };
};

function minutes(): number {
  return numberIn("FLOXY_SIMULATION_MINUTES") ?? 0;
}

function numberIn(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === "") return undefined;
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new Error(`${variable} must be a number that is not negative, not ${JSON.stringify(text)}`);
}
