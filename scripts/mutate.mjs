// `npm run mutate`: takes out what keeps the promises, one thing at a time, and shows which tests catch it.
// `npm run mutate -- fence epoch` only those. Fails when something can be taken out and no test fails.

import "./lib/node-version.mjs";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tsImport } from "tsx/esm/api";
import { ensureInstalled } from "./lib/install.mjs";
import { tool } from "./lib/project.mjs";
import { capture } from "./lib/run.mjs";

const wanted = process.argv.slice(2);
if (wanted.includes("--help")) {
  process.stdout.write("npm run mutate [-- <name> ...]\n\nRuns the tests with one safeguard removed at a time.\n");
  process.exit(0);
}
await ensureInstalled();
const { mutations } = await tsImport("../test/mutations/mutations.ts", import.meta.url);
const unknown = wanted.filter((name) => !mutations.some((one) => one.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `there is no mutation ${unknown.join(", ")}; there are ${mutations.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

let survived = 0;
for (const mutation of mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const failed = await failedTests(mutation);
  process.stdout.write(`${failed.length > 0 ? "✓" : "✗"} ${mutation.name}: ${mutation.removes}\n`);
  if (failed.length === 0) survived++;
  for (const title of failed.slice(0, 5)) process.stdout.write(`    caught by: ${title}\n`);
  if (failed.length > 5) process.stdout.write(`    and by ${failed.length - 5} more\n`);
}
process.stdout.write(survived === 0 ? "\nall were caught\n" : `\n${survived} survived: no test notices\n`);
process.exitCode = survived === 0 ? 0 : 1;

async function failedTests({ name, tests }) {
  const file = join(tmpdir(), `floxy-mutation-${process.pid}.json`);
  const env = { FLOXY_MUTATION: name, FLOXY_SIMULATION_INSTANCES: "2000" };
  const { output } = await capture(tool("vitest"), ["run", "--reporter=json", `--outputFile=${file}`, ...tests], {
    env,
  });
  try {
    const { testResults } = JSON.parse(readFileSync(file, "utf8"));
    const cases = testResults.flatMap(({ assertionResults }) => assertionResults);
    if (cases.length === 0) throw new Error(`no tests ran for mutation '${name}':\n${output}`);
    return cases.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
  } finally {
    rmSync(file, { force: true });
  }
}
