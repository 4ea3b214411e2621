/** The table of a workload, for terminal and document alike. */
import type { Result, ResultRow } from "../suite/results.ts";
import type { Table } from "../suite/table.ts";
import { figure, percent, times } from "../suite/table.ts";

/** The median of a figure; `NaN` if the row has it not. What was not measured is null in a file. */
export const medianOf = (row: ResultRow | undefined, key: string): number => row?.figures[key]?.median ?? Number.NaN;

/** A result as a table: a row for each variant, ratios to the first. */
export const tableOf = ({ columns, rows, ratio }: Result): Table => {
  const [first] = rows;
  const [leading] = columns;
  if (first === undefined || leading === undefined) return { head: [""], rows: [] };
  // Columns that nobody has a figure for only take room.
  const shown = columns.filter(({ key }) => rows.some((row) => Number.isFinite(medianOf(row, key))));
  const compared = rows.length > 1;
  const ratioOf = (row: ResultRow): string => {
    const [own, base] = [medianOf(row, leading.key), medianOf(first, leading.key)];
    if (row === first) return "1";
    if (ratio === "share") return percent(own / base);
    return times(ratio === "times" ? base / own : own / base);
  };
  const spreadOf = (row: ResultRow): string => percent(row.figures[leading.key]?.spread ?? Number.NaN);
  return {
    head: [
      "",
      ...shown.flatMap(({ key, title }) => (key === leading.key ? [title, "spread"] : [title])),
      ...(compared ? [headings[ratio](first.label)] : []),
    ],
    rows: rows.map((row) => [
      row.label,
      ...shown.flatMap(({ key }) => {
        const text = figure(medianOf(row, key));
        return key === leading.key ? [text, spreadOf(row)] : [text];
      }),
      ...(compared ? [ratioOf(row)] : []),
    ]),
  };
};

const headings = {
  times: (first: string) => `${first} is`,
  share: () => "of the first",
  multiple: (first: string) => `of ${first}`,
} as const;

/** What went wrong, in sentences. */
export const problemsOf = ({ rows }: Result): readonly string[] =>
  rows.flatMap(({ label, problems }) => problems.map((problem) => `${label}: ${problem}`));
