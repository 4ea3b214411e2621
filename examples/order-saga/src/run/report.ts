/** The end of a run: the table, the figures, and whether the proof holds. */
import { totalOf } from "../contract/order.ts";
import { bad, count, good, lineWidth, money, note, table } from "./output.ts";
import type { Proof } from "./proof.ts";
import type { SagaEnd } from "./saga.ts";

/** What a run comes to. */
export interface Report {
  readonly lines: readonly string[];
  /** 0 if the proof holds, else 1. */
  readonly exitCode: 0 | 1;
}

/** The most orders that the table shows. */
const tableLimit = 100;

/** Sums up a run: how the orders ended, what the ledgers prove, and how many lines of the file were skipped. */
export const reportOf = (ends: readonly SagaEnd[], proof: Proof, skipped: number): Report => {
  const completed = ends.filter(({ status }) => status === "completed");
  const stuck = ends.filter(({ status }) => status !== "completed" && status !== "failed");
  const violations = [
    ...proof.violations,
    ...stuck.map(({ order, status }) => `${order.orderId}: is ${status}, neither completed nor failed`),
  ];
  const failed = ends.length - completed.length - stuck.length;
  const figures = [`${completed.length} completed`, `${failed} failed and undone`];
  if (stuck.length > 0) figures.push(bad(`${stuck.length} neither`));
  if (skipped > 0) figures.push(note(`${count(skipped, "line")} skipped`));
  const { entries, chargedCents, shipped } = proof;
  const kept = `${money(chargedCents)} charged and kept, ${count(shipped, "parcel")} on their way`;
  return {
    lines: [
      "",
      ...endsTable(ends),
      "",
      figures.join(", "),
      `${count(entries, "ledger entry", "ledger entries")}: ${kept}`,
      "",
      ...(violations.length === 0 ? holds : fails(violations)),
    ],
    exitCode: violations.length === 0 ? 0 : 1,
  };
};

const endsTable = (ends: readonly SagaEnd[]): string[] => {
  const rows = ends.map(({ order, status, because, tookMs }) => [
    order.orderId,
    money(totalOf(order)),
    status,
    `${(tookMs / 1_000).toFixed(2)} s`,
    because,
  ]);
  const lines = table(["order", "total", "ended", "took", "because"], rows.slice(0, tableLimit), { right: [1, 3] });
  return rows.length > tableLimit ? [...lines, `… and ${rows.length - tableLimit} more`] : lines;
};

const holds = [
  good("PROOF HOLDS  Every completed order was charged, reserved and shipped exactly once,"),
  good("             and every failed one left nothing behind. Read from the services' own ledgers."),
];

const fails = (violations: readonly string[]): string[] => [
  ...violations.map((violation) => bad(`  ${violation}`)),
  bad(`PROOF FAILS  ${count(violations.length, "violation")}, named above.`.slice(0, lineWidth)),
];
