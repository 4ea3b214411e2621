/** What is kept of a workload: a file of JSON for each, from which the document is made. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Column } from "../workloads/workload.ts";
import type { Machine } from "./machine.ts";
import type { Summary } from "./statistics.ts";

/** One variant over all rounds. */
export interface ResultRow {
  readonly system: string;
  readonly label: string;
  readonly configuration: string;
  readonly figures: Readonly<Record<string, Summary>>;
  /** Why it has no figures, or lost work. */
  readonly problems: readonly string[];
  /** Whether it lost work, rather than not having run. */
  readonly lost: boolean;
}

/** A measured workload. */
export interface Result {
  readonly workload: string;
  readonly about: string;
  readonly command: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly machine: Machine;
  readonly columns: readonly Column[];
  readonly ratio: "times" | "share" | "multiple";
  readonly rows: readonly ResultRow[];
}

const folder = fileURLToPath(new URL("../results/", import.meta.url));

/** Writes the file of a workload. */
export const writeResult = async (result: Result): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}${result.workload}.json`, jsonOf(result));
};

/** Reads the files of those workloads that were measured. */
export const readResults = async (workloads: readonly string[]): Promise<readonly Result[]> => {
  const files = workloads.map((name) => `${folder}${name}.json`).filter((path) => existsSync(path));
  return Promise.all(files.map(async (path) => JSON.parse(await readFile(path, "utf8")) as Result));
};

/** JSON as the formatter of this repository writes it: lists of plain values on one line where they fit. */
export const jsonOf = (value: unknown): string => {
  const text = JSON.stringify(value, rounded, 2);
  const oneLine = text.replaceAll(
    /^(.*\[)\n([^[\]{}]*?)\n *(\],?)$/gm,
    (whole, before: string, list: string, after: string) => {
      const line = `${before}${list.trim().replaceAll(/,\n */g, ", ")}${after}`;
      return line.length <= 120 ? line : whole;
    },
  );
  return `${oneLine}\n`;
};

// Six digits are more than any figure is worth; a NaN becomes null, which stands for "not measured" as well.
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
