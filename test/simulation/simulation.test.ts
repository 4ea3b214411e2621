import { it, expect } from "vitest";
import { run } from "./drive/run.ts";
import { openMemoryStage } from "./stage/memory.ts";
import { Tape } from "./tape.ts";
import { Coverage } from "./drive/coverage.ts";

it("tries", { timeout: 600_000 }, async () => {
  const from = Number(process.env.FLOXY_SEED ?? 1);
  const n = Number(process.env.N ?? 200);
  const cov = new Coverage();
  const kinds = new Map<string, number[]>();
  const t = Date.now();
  for (let seed = from; seed < from + n; seed++) {
    const { simulation, error } = await run(openMemoryStage(), Tape.ofSeed(seed));
    cov.add(simulation.coverage.counts);
    if (error !== undefined) {
      const key = String((error as Error).message).split("\n")[0]!.replace(/#\d+/, "#").replace(/\b([a-z])\d+\b/g, "$1N").slice(0, 160);
      kinds.set(key, [...(kinds.get(key) ?? []), seed]);
      if (process.env.SHOW) console.log((error as Error).stack + "\n" + JSON.stringify([...simulation.accounts.values()].map((a) => a.order.definition)) + "\n" + simulation.story.join("\n"));
    }
  }
  console.log([...kinds].sort((a, b) => b[1].length - a[1].length).slice(0,40).map(([k, s]) => `${s.length} ${k} e.g. ${s.slice(0, 4)}`).join("\n"));
  console.log(Date.now() - t, "ms", Object.fromEntries(cov.counts), cov.missing());
});
