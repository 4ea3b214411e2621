import { expect, it } from "vitest";
import type { Bar } from "./plot.ts";
import { plot } from "./plot.ts";

const bar = (more: Partial<Bar>): Bar => ({
  label: "floxy",
  value: 100,
  text: "100",
  least: 90,
  most: 110,
  strong: true,
  ...more,
});

it("draws a bar for each value, in proportion, and leaves out what was not measured", () => {
  const drawn = plot("steps/s", [
    bar({}),
    bar({ label: "half", value: 50, least: 50, most: 50 }),
    bar({ value: Number.NaN }),
  ]);
  const widths = [...drawn.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(widths).toHaveLength(2);
  expect(widths[1]).toBeCloseTo((widths[0] ?? 0) / 2, 0);
  // Only the first has rounds that differ.
  expect(drawn.match(/<line /g)).toHaveLength(1);
});

it("escapes what stands in labels", () => {
  expect(plot("a < b", [bar({ label: "x & y" })])).toContain("x &amp; y");
  expect(plot("a < b", [])).toContain("a &lt; b");
});
