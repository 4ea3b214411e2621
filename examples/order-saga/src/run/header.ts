/** What stands above a run: who takes part, and how to disturb it. */
import type { Member } from "./cast.ts";
import { strong, who } from "./output.ts";

const roles: Readonly<Record<string, string>> = {
  orchestrator: "joins, retries, rollbacks, lost leases",
  orders: "accepts and confirms; rejects",
  payment: "charges cards; refunds",
  inventory: "reserves stock; releases it",
  shipping: "insures and ships; cancels and recalls",
};

/** The lines above a run. */
export const headerOf = (orders: number, database: string, members: readonly Member[]): string[] => [
  "",
  strong(`${orders} orders: accept → charge + reserve → insure from 500 € → ship → confirm`),
  "",
  ...members.map(({ name, pid }) => `  ${who(name, pid)}  ${roles[name] ?? ""}`),
  "",
  `Each is a process of its own, and each service keeps its own ledger.  Database: ${database}`,
  `Kill any of them and watch:  kill -9 ${members.find(({ name }) => name === "payment")?.pid ?? "PID"}`,
  "To have time for it:         OUTSIDE_CALL_MS=1000 npm start",
  "Marks:  ↩ undone   ✓ order completed   ✗ order failed, all undone   ! warning",
  "",
];
