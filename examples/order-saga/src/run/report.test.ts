import { describe, expect, it } from "vitest";
import { orderLike } from "../testing/order.ts";
import { lineWidth } from "./output.ts";
import type { Proof } from "./proof.ts";
import { reportOf } from "./report.ts";
import type { SagaEnd } from "./saga.ts";

const end = (orderId: string, status: SagaEnd["status"], because = ""): SagaEnd => ({
  order: orderLike({ orderId }),
  status,
  because,
  tookMs: 1_234,
});

const proof: Proof = { violations: [], entries: 12, chargedCents: 31_800, shipped: 1 };

describe("the report", () => {
  it("says that the proof holds, and ends with 0", () => {
    const { lines, exitCode } = reportOf([end("A-1", "completed"), end("A-2", "failed", "declined")], proof, 0);
    expect(exitCode).toBe(0);
    expect(lines).toEqual(
      expect.arrayContaining([
        "A-1    318.00 €  completed  1.23 s",
        "A-2    318.00 €  failed     1.23 s  declined",
        "1 completed, 1 failed and undone",
        "12 ledger entries: 318.00 € charged and kept, 1 parcel on their way",
        expect.stringContaining("PROOF HOLDS"),
      ]),
    );
  });

  it("names what the proof fails for, and ends with 1", () => {
    const { lines, exitCode } = reportOf(
      [end("A-1", "completed")],
      { ...proof, violations: ["A-1: charged twice"] },
      3,
    );
    expect(exitCode).toBe(1);
    expect(lines.slice(-2)).toEqual(["  A-1: charged twice", "PROOF FAILS  1 violation, named above."]);
    expect(lines).toContain("1 completed, 0 failed and undone, 3 lines skipped");
    expect(lines.join()).not.toContain("HOLDS");
  });

  it("ends with 1 for an order that neither completed nor failed", () => {
    const { lines, exitCode } = reportOf([end("A-1", "dlq")], proof, 0);
    expect(exitCode).toBe(1);
    expect(lines).toContain("  A-1: is dlq, neither completed nor failed");
  });

  it("stays readable for many orders and long names", () => {
    const ends = Array.from({ length: 250 }, (_, i) => end(`${"x".repeat(35)}${i}`, "failed", "why ".repeat(50)));
    const { lines } = reportOf(ends, proof, 0);
    expect(lines.length).toBeLessThan(120);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(lineWidth);
    expect(lines).toContain("… and 150 more");
  });
});
