import { describe, expect, it } from "vitest";
import { count, money, orderLine, table } from "./output.ts";

describe("table", () => {
  it("has columns as wide as they need to be, and numbers to the right", () => {
    const rows = [
      ["A-1", "5.00 €", "fine"],
      ["A-1000", "1,000.00 €", ""],
    ];
    expect(table(["order", "total", "because"], rows, { right: [1] })).toEqual([
      "order        total  because",
      "──────  ──────────  ───────",
      "A-1         5.00 €  fine",
      "A-1000  1,000.00 €",
    ]);
  });

  it("cuts what is wider than the page", () => {
    const lines = table(["a", "b"], [["1", "x".repeat(50)]], { width: 20 });
    expect(lines.map((line) => line.length)).toEqual([4, 20, 20]);
    expect(lines[2]).toBe(`1  ${"x".repeat(16)}…`);
  });

  it("is a head alone when there is nothing to show", () => {
    expect(table(["order"], [])).toEqual(["order", "─────"]);
  });
});

it("writes money and counts as people do", () => {
  expect([0, 5, 123_456_789].map(money)).toEqual(["0.00 €", "0.05 €", "1,234,567.89 €"]);
  expect([count(1, "entry", "entries"), count(2, "entry", "entries"), count(0, "line")]).toEqual([
    "1 entry",
    "2 entries",
    "0 lines",
  ]);
});

it("lets orders stand under each other", () => {
  expect(orderLine("↩", "A-1", "x").indexOf("x")).toBe(orderLine(" ", "A-0001", "x").indexOf("x"));
});
