import { describe, expect, it } from "vitest";
import type { Result, ResultRow } from "../suite/results.ts";
import { summarize } from "../suite/statistics.ts";
import { asText } from "../suite/table.ts";
import { measured } from "./document.ts";
import { problemsOf, tableOf } from "./rows.ts";
import { targetTable } from "./targets.ts";

const row = (label: string, stepsPerSecond: readonly number[], more: Partial<ResultRow> = {}): ResultRow => ({
  system: label,
  label,
  configuration: `${label} as it comes`,
  figures: { stepsPerSecond: summarize(stepsPerSecond) },
  problems: [],
  lost: false,
  ...more,
});

const result = (rows: readonly ResultRow[], more: Partial<Result> = {}): Result => ({
  workload: "sequence-3",
  about: "Three steps.",
  command: "npm run bench",
  quick: false,
  rounds: 3,
  machine: {
    cores: 2,
    processor: "a processor",
    memoryGiB: 24,
    system: "Linux",
    node: "v20.0.0",
    postgres: "18.4",
    settings: { fsync: "on" },
    loadBefore: 0.1,
    commit: "abc",
    date: "2026-01-02T03:04:05.000Z",
  },
  columns: [
    { key: "stepsPerSecond", title: "steps/s" },
    { key: "walBytes", title: "WAL B/step" },
  ],
  ratio: "times",
  rows,
  ...more,
});

describe("the table of a workload", () => {
  it("has medians, spread of the first figure, and how often the first does what the others do", () => {
    const text = asText(tableOf(result([row("floxy", [20_000, 30_000, 25_000]), row("dbos", [1_000])])));
    expect(text.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["", "steps/s", "spread", "floxy is"],
      expect.anything(),
      ["floxy", "25,000", "40 %", "1"],
      ["dbos", "1,000", "0 %", "25.0×"],
    ]);
  });

  it("leaves out columns that nobody has a figure for, and compares nothing with itself", () => {
    expect(tableOf(result([row("floxy", [1])])).head).toEqual(["", "steps/s", "spread"]);
  });

  it("shows shares where that is asked for", () => {
    const { rows } = tableOf(result([row("a", [200]), row("b", [150])], { ratio: "share" }));
    expect(rows.map((cells) => cells.at(-1))).toEqual(["1", "75 %"]);
  });

  it("shows multiples where less is better", () => {
    const { head, rows } = tableOf(result([row("a", [2]), row("b", [6])], { ratio: "multiple" }));
    expect([head.at(-1), ...rows.map((cells) => cells.at(-1))]).toEqual(["of a", "1", "3.00×"]);
  });

  it("has dashes for what did not run, and says why", () => {
    const failed = row("absurd", [], { figures: {}, problems: ["did not run: no tool"] });
    const one = result([row("floxy", [1]), failed]);
    expect(tableOf(one).rows[1]).toEqual(["absurd", "–", "–", "–"]);
    expect(problemsOf(one)).toEqual(["absurd: did not run: no tool"]);
  });
});

describe("the targets", () => {
  it("say what is reached, what is not, and what is not known", () => {
    const { rows } = targetTable([result([row("floxy", [26_000]), row("pg-boss", [13_000]), row("dbos", [2_000])])]);
    const reached = new Map(rows.map(([about, , value, yes]) => [about, `${value} ${yes}`]));
    expect(reached.get("sequence of 3, one worker process: steps/s")).toBe("26,000 yes");
    expect(reached.get("sequence of 3: steps/s, as a multiple of pg-boss")).toBe("2.00× yes");
    expect(reached.get("sequence of 3: steps/s, as a multiple of dbos")).toBe("13.0× no");
    expect(reached.get("sequence of 3: steps/s, as a multiple of graphile-worker")).toBe("– –");
  });
});

describe("the document", () => {
  it("says so when nothing was measured", () => {
    expect(measured([])).toContain("Nothing was measured yet.");
  });

  it("has machine, tables, plots and the command that repeats it", () => {
    const text = measured([result([row("floxy", [1])])]);
    expect(text).toContain("2 cores (a processor), 24 GiB");
    expect(text).toContain("![sequence-3](performance/sequence-3.svg)");
    expect(text).toContain("`npm run bench -- --only sequence-3`");
    expect(text).toContain("- **floxy**: floxy as it comes.");
  });
});
