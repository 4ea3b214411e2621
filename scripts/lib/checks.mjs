import { join } from "node:path";
import { root, tool } from "./project.mjs";
import { capture, endLike, interruptedBy } from "./run.mjs";

/**
 * What is checked without running the code. `npm test` and `npm run check` run all of these; each is one command whose
 * output is shown only when it fails. The slowest stands first, because they run two at a time.
 */
export const quickChecks = [
  {
    name: "types",
    run: () => capture(tool("tsc"), ["--project", ".", "--incremental", "--tsBuildInfoFile", typeCache]),
  },
  { name: "unused code", run: () => capture(tool("knip"), ["--no-progress"]) },
  {
    name: "layers",
    run: () =>
      capture(tool("depcruise"), ["--config", ".dependency-cruiser.mjs", "--output-type", "err-long", ...cruised]),
  },
  {
    name: "format and lint",
    run: () =>
      capture(tool("biome"), [
        "ci",
        "--colors=off",
        "--reporter=concise",
        "--diagnostic-level=warn",
        "--error-on-warnings",
        "--max-diagnostics=200",
        ".",
      ]),
  },
  { name: "tidy", run: () => capture(process.execPath, [join(root, "scripts", "tidy.mjs")]) },
];

/** What each package ships: it builds, and what its package.json promises is there and can be imported. */
export const buildCheck = { name: "build", run: build };

/** What the compiler found out last time; it starts from there. */
const typeCache = join(root, "node_modules", ".cache", "floxy.tsbuildinfo");

const cruised = ["packages", "test", "examples"];

async function build() {
  const built = await capture(tool("turbo"), ["run", "build", "--output-logs=errors-only"]);
  if (built.code !== 0) return built;
  return capture(process.execPath, [join(root, "scripts", "built.mjs")]);
}

/**
 * Runs checks two at a time, in their order, and prints a line for each as it ends, with its whole output if it failed.
 *
 * @param {readonly { name: string; run: () => Promise<{ code: number; output: string }> }[]} checks
 * @returns {Promise<{ name: string; passed: boolean; seconds: number }[]>} in the order given
 */
export async function runChecks(checks) {
  const results = [];
  const waiting = [...checks.entries()];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined && interruptedBy() === null; next = waiting.shift()) {
      const [index, check] = next;
      results[index] = await timed(check);
    }
  };
  await Promise.all([lane(), lane()]);
  if (interruptedBy() !== null) endLike({ code: null, signal: interruptedBy() });
  return results;
}

async function timed({ name, run }) {
  const startedAt = performance.now();
  const { code, output } = await run();
  const seconds = (performance.now() - startedAt) / 1000;
  const passed = code === 0;
  if (interruptedBy() !== null) return { name, passed, seconds };
  if (passed) process.stdout.write(`✓ ${name} (${seconds.toFixed(1)} s)\n`);
  else process.stdout.write(`✗ ${name} (${seconds.toFixed(1)} s)\n\n${output.trimEnd()}\n\n`);
  return { name, passed, seconds };
}

/** The table and the last line of a run. Returns whether everything passed. */
export function report(results) {
  const width = Math.max(...results.map(({ name }) => name.length));
  const lines = results.map(
    ({ name, passed, seconds }) =>
      `${passed ? "✓" : "✗"} ${name.padEnd(width)}  ${passed ? "passed" : "FAILED"}  ${seconds.toFixed(1).padStart(6)} s`,
  );
  const failed = results.filter(({ passed }) => !passed).length;
  process.stdout.write(`\n${lines.join("\n")}\n\n${results.length - failed} passed, ${failed} failed\n`);
  return failed === 0;
}
