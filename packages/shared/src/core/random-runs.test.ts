import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { validateDefinition } from "../definition/validate.ts";
import { wrongWith } from "./testing/checks.ts";
import type { ModelRun } from "./testing/model-run.ts";
import { playByChance } from "./testing/play.ts";
import { randomDefinition } from "./testing/random-definition.ts";
import { Tape } from "./testing/tape.ts";

const numbers = fc.uint8Array({ maxLength: 700, size: "max" });

/** What a run went through, so that it is known that the interesting things were among the runs. */
const featuresOf = ({ status, boundary, log }: ModelRun): string[] => {
  const freeze = log.findIndex(({ type }) => type === "frozen");
  const after = freeze < 0 ? [] : log.slice(freeze);
  const adopted = after.some((entry) => entry.type === "settled" && entry.lane === "forward" && entry.completed);
  const retrying = after.some((entry) => entry.type === "step" && entry.from === "pending" && entry.to === "failed");
  const dead = log.some(({ type }) => type === "person");
  return [
    status,
    ...(boundary === null ? [] : ["stopped at a savepoint"]),
    ...(adopted ? ["adopted"] : []),
    ...(retrying ? ["frozen before a retry"] : []),
    ...(dead ? ["had a dead letter"] : []),
  ];
};

// When it fails, fast-check prints the seed and the path: give both to fc.assert, next to numRuns, to see it again.
describe("an instance that is moved by chance", () => {
  it("keeps every promise, whatever its definition, its failures and the order of events", { timeout: 120_000 }, () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(numbers, numbers, (growth, moves) => {
        const sample = randomDefinition(new Tape(growth));
        const run = playByChance(sample, new Tape(moves));
        expect(wrongWith(sample, run)).toEqual([]);
        for (const feature of featuresOf(run)) seen.set(feature, (seen.get(feature) ?? 0) + 1);
      }),
      { numRuns: 6_000 },
    );
    const rare = [...seen].filter(([, count]) => count < 40);
    expect([rare, [...seen.keys()].sort()]).toEqual([
      [],
      [
        "adopted",
        "cancelled",
        "completed",
        "failed",
        "frozen before a retry",
        "had a dead letter",
        "stopped at a savepoint",
      ],
    ]);
  });

  it("has a definition that is valid", () => {
    fc.assert(
      fc.property(numbers, (growth) => {
        expect(validateDefinition(randomDefinition(new Tape(growth)).definition)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
