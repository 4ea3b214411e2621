/** Tables, as text for the terminal and as Markdown for the document. */

/** A table. The first column is text, the others are numbers and stand at the right. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The table for people at a terminal: columns as wide as their widest cell. */
export const asText = ({ head, rows }: Table): string => {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  const text = (line: readonly string[]): string =>
    head
      .map((_, column) => pad(line[column] ?? "", column))
      .join("  ")
      .trimEnd();
  return [text(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(text)].join("\n");
};

/** The table in Markdown; a bar in a cell is escaped. */
export const asMarkdown = ({ head, rows }: Table): string => {
  const line = (cells: readonly string[]): string =>
    `| ${head.map((_, column) => (cells[column] ?? "").replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `|${head.map((_, column) => (column === 0 ? "---|" : "---:|")).join("")}`;
  return [line(head), rule, ...rows.map(line)].join("\n");
};

/** A number with as many digits as it is worth: `23,927`, `48.3`, `2.4`, `0.017`. A dash where there is none. */
export const figure = (value: number | undefined): string => {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return grouped(Math.round(value));
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return size === 0 ? "0" : String(Number(value.toPrecision(2)));
};

/** How often a value is contained in another: `12.3×`. */
export const times = (value: number): string => (Number.isFinite(value) ? `${figure(value)}×` : "–");

/** A share in percent: `7 %`. */
export const percent = (share: number): string => (Number.isFinite(share) ? `${Math.round(share * 100)} %` : "–");

const grouped = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ",");
