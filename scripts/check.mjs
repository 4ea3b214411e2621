// `npm run check`: everything that is checked without building or running the code.

import "./lib/node-version.mjs";
import { quickChecks, report, runChecks } from "./lib/checks.mjs";
import { ensureInstalled } from "./lib/install.mjs";

await ensureInstalled();
process.exitCode = report(await runChecks(quickChecks)) ? 0 : 1;
