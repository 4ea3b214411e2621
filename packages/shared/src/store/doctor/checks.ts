/** All checks of the doctor, in the order of the report. `docs/doctor.md` lists them. */
import type { Check } from "./check.ts";
import { historyChecks } from "./history-checks.ts";
import { rowChecks } from "./row-checks.ts";
import { waitChecks } from "./wait-checks.ts";

/** Every check of rows. */
export const checks: readonly Check[] = [...waitChecks, ...historyChecks, ...rowChecks];
