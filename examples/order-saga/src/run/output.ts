/** What the run prints, for people: columns that stand under each other, colours only on a terminal. */
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

/** No line of a summary is longer, in characters. */
export const lineWidth = 100;

/** Text for what went well, ill, or is of note. */
export const good = (text: string): string => styled("green", text);
export const bad = (text: string): string => styled("red", text);
export const note = (text: string): string => styled("yellow", text);
export const strong = (text: string): string => styled("bold", text);

/** Prints a line. */
export const print = (line = ""): void => {
  process.stdout.write(`${line}\n`);
};

/** Who speaks: a process by its name, and by its number on this machine. */
export const who = (name: string, pid: number): string =>
  styled(serviceStyles[name] ?? "white", `${name.padEnd(12)} ${String(pid).padStart(7)}`);

/** Prints what a process said. */
export const printFrom = (name: string, pid: number, text: string): void => print(`${who(name, pid)}  ${text}`);

const nobody = " ".repeat(22);

/** Prints how an order ended, in the columns of {@link orderLine}. */
export const printEnd = (orderId: string, ended: boolean, text: string): void =>
  print(nobody + (ended ? good : bad)(orderLine(ended ? "✓" : "✗", orderId, text)));

/** A line about an order: a mark of one character, the order, and what happened to it. */
export const orderLine = (mark: string, orderId: string, text: string): string =>
  `${mark} ${orderId.padEnd(6)}  ${text}`;

const inEuro = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** Cents as a person writes them. */
export const money = (cents: number): string => `${inEuro.format(cents / 100)} €`;

/** A number of things: `1 order`, `2 orders`. */
export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** How a table looks. */
export interface TableOptions {
  /** The columns that are numbers, and stand to the right; the first is 0. */
  readonly right?: readonly number[];
  /** A longer line is cut. Default {@link lineWidth}. */
  readonly width?: number;
}

/** A table: columns as wide as they need to be. Returns its lines, the head first. */
export const table = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], width = lineWidth }: TableOptions = {},
): string[] => {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => {
      const columnWidth = widths[column] ?? 0;
      return right.includes(column) ? cell.padStart(columnWidth) : cell.padEnd(columnWidth);
    });
    return cut(padded.join("  ").trimEnd(), width);
  };
  return [strong(line(head)), line(widths.map((columnWidth) => "─".repeat(columnWidth))), ...rows.map(line)];
};

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
