/** `npm run bench` without a name: the whole suite, or what the arguments choose. See README.md. */
import { writeDocument } from "./report/document.ts";
import { problemsOf, tableOf } from "./report/rows.ts";
import { targetTable } from "./report/targets.ts";
import { ArgumentError, parseArguments } from "./suite/arguments.ts";
import { help } from "./suite/help.ts";
import { readResults } from "./suite/results.ts";
import { runSuite } from "./suite/suite.ts";
import { asText } from "./suite/table.ts";
import { workloadsOf } from "./workloads/all.ts";
import { workloadNames } from "./workloads/names.ts";

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const measure = async (given: readonly string[]): Promise<void> => {
  const request = parseArguments(given);
  if (request.does === "help") return print(help);
  if (request.does === "report") return report();
  const command = ["npm run bench", ...(given.length > 0 ? ["--", ...given] : [])].join(" ");
  const results = await runSuite(request, workloadsOf(request.workloads), command);
  for (const result of results) {
    print(`\n${result.workload}: ${result.about}\n\n${asText(tableOf(result))}`);
    for (const problem of problemsOf(result)) print(`  ${problem}`);
  }
  print(`\n${asText(targetTable(results))}`);
  if (!request.quick) await report();
  const rows = results.flatMap((result) => result.rows);
  // A peer may not run here; Floxy has to.
  if (rows.some(({ lost, system, problems }) => lost || (system === "floxy" && problems.length > 0)))
    process.exitCode = 1;
};

const report = async (): Promise<void> => {
  await writeDocument(await readResults(workloadNames));
  print("\nwrote docs/performance.md");
};

try {
  await measure(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
