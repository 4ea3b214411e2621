// `npm test`: every check, then every test. `npm test -- <arguments>` runs only the tests and hands the arguments to
// vitest (`npm test -- store`, `npm test -- --project unit`).

import "./lib/node-version.mjs";
import { buildCheck, quickChecks, report, runChecks } from "./lib/checks.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { tool } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

const args = process.argv.slice(2);
await ensureInstalled();

if (args.length > 0) {
  endLike(await attach(tool("vitest"), ["run", ...args]));
} else {
  const results = await runChecks([...quickChecks, buildCheck]);
  // The tests have both cores to themselves, so that their deadlines mean something.
  const startedAt = performance.now();
  const { code } = await attach(tool("vitest"), ["run", "--coverage"]);
  results.push({ name: "tests", passed: code === 0, seconds: (performance.now() - startedAt) / 1000 });
  process.exitCode = report(results) ? 0 : 1;
}
