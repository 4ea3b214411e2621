/** Reading orders: one JSON object a line. A line that is not an order is reported and skipped; nothing else is lost. */
import { createReadStream } from "node:fs";
import { Order } from "../contract/order.ts";
import { splitLines } from "./lines.ts";

/** A line that holds no order. */
export interface BadLine {
  readonly line: number;
  readonly problem: string;
}

/** What a file held. */
export interface OrdersFile {
  readonly orders: readonly Order[];
  readonly bad: readonly BadLine[];
}

/** No order is longer than this, in bytes: 50 lines with the longest names come to less than half of it. */
const lineLimit = 65_536;

/** The most that is said about a bad line, in characters. */
const problemLimit = 300;

/** Reads a file of orders. Rejects if it cannot be read at all. */
export const readOrders = (path: string): Promise<OrdersFile> => parseOrders(createReadStream(path));

/** Takes bytes for a file of orders. Empty lines count, but are neither orders nor bad. */
export const parseOrders = async (chunks: AsyncIterable<Uint8Array>): Promise<OrdersFile> => {
  const orders: Order[] = [];
  const bad: BadLine[] = [];
  const firstLineOf = new Map<string, number>();
  for await (const { number: line, text, problem } of splitLines(chunks, lineLimit)) {
    if (problem === undefined && text.trim() === "") continue;
    const read = problem ?? parseOrder(text);
    if (typeof read === "string") {
      bad.push({ line, problem: shown(read) });
      continue;
    }
    const first = firstLineOf.get(read.orderId);
    if (first !== undefined) {
      bad.push({ line, problem: `order '${read.orderId}' was given before, in line ${first}` });
      continue;
    }
    firstLineOf.set(read.orderId, line);
    orders.push(read);
  }
  return { orders, bad };
};

const parseOrder = (text: string): Order | string => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { data, error } = Order.safeParse(value);
  if (error === undefined) return data;
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
};

/** A problem in one line: it may quote what the file held, which can be anything. */
const shown = (problem: string): string => {
  const plain = problem.replaceAll(/\p{C}+/gu, " ");
  return plain.length <= problemLimit ? plain : `${plain.slice(0, problemLimit - 1)}…`;
};
