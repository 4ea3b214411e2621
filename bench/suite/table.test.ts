import { describe, expect, it } from "vitest";
import { asMarkdown, asText, figure, percent, times } from "./table.ts";

const table = {
  head: ["system", "steps/s"],
  rows: [
    ["floxy", "25,000"],
    ["a|b", "1"],
  ],
};

describe("tables", () => {
  it("align text at the left and numbers at the right", () => {
    expect(asText(table)).toBe("system  steps/s\n──────  ───────\nfloxy    25,000\na|b           1");
  });

  it("are Markdown with escaped bars", () => {
    expect(asMarkdown(table)).toBe("| system | steps/s |\n|---|---:|\n| floxy | 25,000 |\n| a\\|b | 1 |");
  });

  it("fill cells that a row has not", () => {
    expect(asMarkdown({ head: ["a", "b"], rows: [["x"]] })).toContain("| x |  |");
  });
});

describe("numbers", () => {
  it("have as many digits as they are worth", () => {
    expect([23_927, 1_234_567, 999.6, 48.26, 2.404, 0.0171, 0].map(figure)).toEqual([
      "23,927",
      "1,234,567",
      "1,000",
      "48.3",
      "2.40",
      "0.017",
      "0",
    ]);
  });

  it("are a dash where nothing was measured", () => {
    expect([figure(undefined), figure(Number.NaN), times(Number.NaN), percent(Number.NaN)]).toEqual([
      "–",
      "–",
      "–",
      "–",
    ]);
  });

  it("are ratios and shares", () => {
    expect(times(12.34)).toBe("12.3×");
    expect(percent(0.068)).toBe("7 %");
  });
});
