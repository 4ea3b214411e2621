/** Reading orders: one JSON object a line. A line that is not an order is reported and skipped; nothing else is lost. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { Order } from "../contract/order.ts";

/** A line that could not be read. */
export interface BadLine {
  readonly line: number;
  readonly problem: string;
}

/** What a file held. */
export interface OrdersFile {
  readonly orders: readonly { readonly line: number; readonly order: Order }[];
  readonly bad: readonly BadLine[];
}

/** Reads a file of orders. Rejects if it cannot be read at all. */
export const readOrders = async (path: string): Promise<OrdersFile> => {
  const orders: { line: number; order: Order }[] = [];
  const bad: BadLine[] = [];
  const firstLineOf = new Map<string, number>();
  const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === "") continue;
    const read = parseOrder(line === 1 ? text.replace(/^\uFEFF/, "") : text);
    if (typeof read === "string") {
      bad.push({ line, problem: read });
      continue;
    }
    const first = firstLineOf.get(read.orderId);
    if (first !== undefined) {
      bad.push({ line, problem: `order '${read.orderId}' was given before, in line ${first}` });
      continue;
    }
    firstLineOf.set(read.orderId, line);
    orders.push({ line, order: read });
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
  const parsed = Order.safeParse(value);
  return parsed.success ? parsed.data : z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, "; ");
};
