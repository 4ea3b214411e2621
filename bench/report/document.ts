/** `docs/performance.md`: what is written by hand stays, what was measured is made anew between two marks. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Machine } from "../suite/machine.ts";
import type { Result, ResultRow } from "../suite/results.ts";
import { asMarkdown, figure } from "../suite/table.ts";
import { plot } from "./plot.ts";
import { medianOf, problemsOf, tableOf } from "./rows.ts";
import { targetTable } from "./targets.ts";

const documentFile = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const plotFolder = fileURLToPath(new URL("../../docs/performance/", import.meta.url));

const marks = /(<!-- begin measured -->\n)[\s\S]*(<!-- end measured -->)/;

/** Writes the document and its plots. Throws where the marks are not in it. */
export const writeDocument = async (results: readonly Result[]): Promise<void> => {
  const text = await readFile(documentFile, "utf8");
  if (!marks.test(text)) throw new Error("docs/performance.md has no place for what was measured");
  await mkdir(plotFolder, { recursive: true });
  for (const result of results) await writeFile(`${plotFolder}${result.workload}.svg`, plotOf(result));
  await writeFile(
    documentFile,
    text.replace(marks, (_, begin: string, end: string) => `${begin}${measured(results)}${end}`),
  );
};

/** The part that is made of results. */
export const measured = (results: readonly Result[]): string => {
  const [first] = results;
  if (first === undefined) return "\nNothing was measured yet.\n\n";
  const parts = [
    `\n${machineLines(results).join("\n")}\n`,
    `## What it is to reach\n\n${asMarkdown(targetTable(results))}\n`,
    ...results.map(section),
    `## How each was set up\n\n${configurations(results).join("\n")}\n`,
  ];
  return `${parts.join("\n")}\n`;
};

const machineLines = (results: readonly Result[]): readonly string[] => {
  const lines = new Set(results.map(({ machine }) => machineLine(machine)));
  return [...lines].map((line) => `Measured on ${line}.`);
};

const machineLine = ({ cores, processor, memoryGiB, system, node, postgres, settings }: Machine): string =>
  `${cores} cores (${processor}), ${memoryGiB} GiB, ${system}, Node ${node}, PostgreSQL ${postgres}, with ${Object.entries(
    settings,
  )
    .map(([name, value]) => `\`${name} = ${value}\``)
    .join(", ")}`;

const section = (result: Result): string => {
  const { workload, about, command, rounds, machine } = result;
  const only = command.includes("--only") ? command : `npm run bench -- --only ${workload}`;
  const problems = problemsOf(result);
  return [
    `## ${workload}\n`,
    `${about}\n`,
    `${asMarkdown(tableOf(result))}\n`,
    ...(problems.length > 0 ? [`${problems.map((problem) => `- ${problem}`).join("\n")}\n`] : []),
    `![${workload}](performance/${workload}.svg)\n`,
    `Medians of ${rounds} ${rounds === 1 ? "round" : "rounds"} in turns, ${machine.date.slice(0, 10)}, commit ${machine.commit}, load before ${machine.loadBefore.toFixed(2)}; again with \`${only}\`.\n`,
  ].join("\n");
};

const configurations = (results: readonly Result[]): readonly string[] => {
  const rows = results.flatMap((result) => result.rows);
  const bySystem = new Map<string, Set<string>>();
  for (const { system, configuration } of rows) {
    if (configuration === "") continue;
    bySystem.set(system, (bySystem.get(system) ?? new Set()).add(configuration));
  }
  return [...bySystem].map(([system, texts]) => `- **${system}**: ${[...texts][0]}.`);
};

const plotOf = ({ workload, columns, rows }: Result): string => {
  const [leading] = columns;
  const key = leading?.key ?? "";
  const bars = rows.map((row: ResultRow) => {
    const rounds = row.figures[key]?.rounds ?? [];
    const value = medianOf(row, key);
    return {
      label: row.label,
      value,
      text: figure(value),
      least: Math.min(...rounds),
      most: Math.max(...rounds),
      strong: row.system === "floxy",
    };
  });
  return plot(`${workload}: ${leading?.title ?? ""}`, bars);
};
