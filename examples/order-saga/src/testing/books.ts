/** Ledgers filled by hand, for tests of what is read from them. */
import type pg from "pg";
import { openLedger } from "../service/ledger.ts";
import { prepareStock } from "../service/stock.ts";

/** An entry: service, order, kind, article, amount. */
export type BookEntry = readonly [service: string, orderId: string, kind: string, item: string, amount: number];

/** Makes the ledgers of all services and the stock. */
export const openBooks = async (url: string): Promise<void> => {
  for (const service of ["orders", "payment", "inventory", "shipping"]) await (await openLedger(url, service)).close();
  await prepareStock(url);
};

/** Writes entries past the services; what is reserved is taken off the stock. */
export const write = async (client: pg.Client, entries: readonly BookEntry[]): Promise<void> => {
  for (const [service, orderId, kind, item, amount] of entries) {
    const insert = `INSERT INTO ${service}.entry (order_id, kind, item, amount) VALUES ($1, $2, $3, $4)`;
    await client.query(insert, [orderId, kind, item, amount]);
    await client.query("UPDATE inventory.stock SET on_hand = on_hand - $2 WHERE sku = $1", [item, amount]);
  }
};

/** The entries of an order with one line, from its acceptance to its confirmation. */
export const bookedInFull = (orderId: string, sku: string, quantity: number, cents: number): readonly BookEntry[] => [
  ["orders", orderId, "accepted", "", 1],
  ["payment", orderId, "charge", "", cents],
  ["inventory", orderId, "reserve", sku, quantity],
  ...(cents >= 50_000 ? [["shipping", orderId, "insure", "", cents] as const] : []),
  ["shipping", orderId, "ship", "", 1],
  ["orders", orderId, "confirmed", "", 1],
];
