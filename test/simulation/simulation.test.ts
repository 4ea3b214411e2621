import { it, expect } from "vitest";
import { run } from "./drive/run.ts";
import { openMemoryStage } from "./stage/memory.ts";
import { Tape } from "./tape.ts";
import { Coverage } from "./drive/coverage.ts";
import { reasonOf, shrink } from "./drive/shrink.ts";
import { report } from "./drive/report.ts";

it("tries", { timeout: 600_000 }, async () => {
  const from = Number(process.env.FLOXY_SEED ?? 1);
  const n = Number(process.env.N ?? 200);
  const cov = new Coverage();
  const kinds = new Map<string, number[]>();
  const t = Date.now();
  for (let seed = from; seed < from + n; seed++) {
    const tape = Tape.ofSeed(seed);
    const result = await run(openMemoryStage(), tape);
    const { simulation, error } = result;
    cov.add(simulation.coverage.counts);
    if (error !== undefined) {
      const key = reasonOf(error);
      kinds.set(key, [...(kinds.get(key) ?? []), seed]);
      if (process.env.SHOW) console.log(report(seed, await shrink(openMemoryStage, { tape: tape.taken, result })));
    }
  }
  console.log([...kinds].sort((a, b) => b[1].length - a[1].length).slice(0,40).map(([k, s]) => `${s.length} ${k} e.g. ${s.slice(0, 4)}`).join("\n"));
  console.log(Date.now() - t, "ms", Object.fromEntries(cov.counts), cov.missing());
});
