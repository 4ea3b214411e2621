/** What `npm run bench -- --help` says. */
import { systemNames } from "../systems/names.ts";
import { workloadNames } from "../workloads/names.ts";

/** The text. */
export const help = `npm run bench [-- options]          measures, prints tables, writes bench/results and docs/performance.md
npm run bench -- act-latency [rounds]  from a person's act to its effect

  --quick                smaller sizes, fewer workloads, peers and rounds; writes nothing
  --only <workload,...>  ${wrapped(workloadNames)}
  --systems <name,...>   ${wrapped(systemNames)}
  --rounds <n>           how often each is measured, in turns; 3, with --quick 1
  --report               makes docs/performance.md anew from bench/results, and measures nothing

Without --quick the results of the measured workloads are replaced. Nothing is asserted on times.
The exit code is not 0 only when a system lost work, Floxy did not run, or the harness broke.
`;

function wrapped(names: readonly string[]): string {
  return names
    .join(", ")
    .replaceAll(/(.{1,80},|.{1,80}$)( |$)/g, "$1\n")
    .trimEnd()
    .replaceAll("\n", `\n${" ".repeat(25)}`);
}
