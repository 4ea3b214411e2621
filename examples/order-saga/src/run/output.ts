/** What the run prints, for people. Colours only on a terminal. */
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

const styled = (style: Style, text: string): string => (process.stdout.isTTY ? styleText(style, text) : text);

const serviceStyles: Readonly<Record<string, Style>> = {
  orders: "cyan",
  payment: "magenta",
  inventory: "yellow",
  shipping: "blue",
  orchestrator: "gray",
};

/** Prints a line. */
export const print = (line = ""): void => {
  process.stdout.write(`${line}\n`);
};

/** Prints what a process said: who it is, and which process of the machine. */
export const printFrom = (name: string, pid: number, text: string): void => {
  const who = `${name.padEnd(12)} ${String(pid).padStart(7)}`;
  print(`${styled(serviceStyles[name] ?? "white", who)}  ${text}`);
};

/** Text for what went well, ill, or is of note. */
export const good = (text: string): string => styled("green", text);
export const bad = (text: string): string => styled("red", text);
export const note = (text: string): string => styled("yellow", text);
export const strong = (text: string): string => styled("bold", text);

/** Cents as a person writes them. */
export const money = (cents: number): string => `${(cents / 100).toFixed(2)} €`;

/** A table: columns as wide as they need to be, numbers to the right. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[]): string => {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [strong(line(head)), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n");
};
