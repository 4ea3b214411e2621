/**
 * The proof: what the services' own ledgers say, held against how the orders ended. It reads nothing of Floxy's tables.
 * A completed order must be accepted, charged, reserved, shipped and confirmed exactly once; a failed one must have left
 * nothing behind. And the stock must be what the ledger says.
 */
import type pg from "pg";
import type { Order } from "../contract/order.ts";
import { totalOf } from "../contract/order.ts";
import { insuredFromCents } from "../contract/workflow.ts";

/** How an order ended. */
export interface EndedOrder {
  readonly order: Order;
  readonly completed: boolean;
}

/** What the ledgers prove. */
export interface Proof {
  /** Everything that is not as it must be; empty if the proof holds. */
  readonly violations: readonly string[];
  /** How many entries of the ledgers were looked at. */
  readonly entries: number;
  readonly chargedCents: number;
  readonly shipped: number;
}

interface Account {
  readonly count: number;
  readonly sum: number;
}

/** The entries of an order of one kind and article. */
interface Row {
  readonly order_id: string;
  readonly kind: string;
  readonly item: string;
  readonly count: string;
  readonly sum: string;
}

/** Holds the ledgers against the ends of the orders. */
export const prove = async (client: pg.ClientBase, ended: readonly EndedOrder[]): Promise<Proof> => {
  const { rows } = await client.query<Row>(`
    SELECT order_id, kind, item, count(*), sum(amount) FROM (
      SELECT order_id, kind, item, amount FROM orders.entry
      UNION ALL SELECT order_id, kind, item, amount FROM payment.entry
      UNION ALL SELECT order_id, kind, item, amount FROM inventory.entry
      UNION ALL SELECT order_id, kind, item, amount FROM shipping.entry) AS entry
    GROUP BY order_id, kind, item`);
  const accounts = new Map<string, Account>();
  for (const { order_id, kind, item, count, sum } of rows) {
    accounts.set(keyOf(order_id, kind, item), { count: Number(count), sum: Number(sum) });
  }
  const violations = [
    ...ended.flatMap((end) => (end.completed ? proveCompleted(end.order, accounts) : proveUndone(end.order, accounts))),
    ...proveNothingElse(rows, ended),
    ...(await proveStock(client)),
  ];
  const sumOf = (kind: string) =>
    rows.filter((row) => row.kind === kind).reduce((sum, row) => sum + Number(row.sum), 0);
  return {
    violations,
    entries: rows.reduce((sum, row) => sum + Number(row.count), 0),
    chargedCents: sumOf("charge") + sumOf("refund"),
    shipped: sumOf("ship") + sumOf("recall"),
  };
};

const keyOf = (orderId: string, kind: string, item = ""): string => JSON.stringify([orderId, kind, item]);

const none: Account = { count: 0, sum: 0 };

/** Each effect of an order: its kind and article, what undoes it, and the amount it must have. */
const effectsOf = (order: Order): { kind: string; undo: string; item: string; amount: number }[] => {
  const cents = totalOf(order);
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of order.lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  return [
    { kind: "accepted", undo: "rejected", item: "", amount: 1 },
    { kind: "charge", undo: "refund", item: "", amount: cents },
    ...[...quantities].map(([item, amount]) => ({ kind: "reserve", undo: "release", item, amount })),
    ...(cents >= insuredFromCents ? [{ kind: "insure", undo: "cancel-insurance", item: "", amount: cents }] : []),
    { kind: "ship", undo: "recall", item: "", amount: 1 },
  ];
};

const proveCompleted = (order: Order, accounts: ReadonlyMap<string, Account>): string[] => {
  const { orderId } = order;
  const expect = (kind: string, item: string, count: number, amount: number): string[] => {
    const { count: found, sum } = accounts.get(keyOf(orderId, kind, item)) ?? none;
    if (found === count && sum === amount) return [];
    return [
      `${orderId}: completed with ${found} × ${named(kind, item)} of ${sum} in all, expected ${count} of ${amount}`,
    ];
  };
  return [
    ...effectsOf(order).flatMap(({ kind, undo, item, amount }) => [
      ...expect(kind, item, 1, amount),
      ...expect(undo, item, 0, 0),
    ]),
    ...expect("confirmed", "", 1, 1),
  ];
};

const proveUndone = (order: Order, accounts: ReadonlyMap<string, Account>): string[] => {
  const { orderId } = order;
  return [
    ...effectsOf(order).flatMap(({ kind, undo, item }) => {
      const done = accounts.get(keyOf(orderId, kind, item)) ?? none;
      const undone = accounts.get(keyOf(orderId, undo, item)) ?? none;
      if (done.count === undone.count && done.count <= 1 && done.sum + undone.sum === 0) return [];
      const found = `${done.count} of ${done.sum} done, ${undone.count} of ${undone.sum} undone`;
      return [`${orderId}: failed, but ${named(kind, item)} stands: ${found}`];
    }),
    ...(accounts.has(keyOf(orderId, "confirmed")) ? [`${orderId}: failed, but was confirmed`] : []),
  ];
};

/** Every entry belongs to an order that ended, and is of a kind and article that such an order has. */
const proveNothingElse = (rows: readonly Row[], ended: readonly EndedOrder[]): string[] => {
  const foreseen = new Set(
    ended.flatMap(({ order }) => [
      ...effectsOf(order).flatMap(({ kind, undo, item }) => [
        keyOf(order.orderId, kind, item),
        keyOf(order.orderId, undo, item),
      ]),
      keyOf(order.orderId, "confirmed"),
    ]),
  );
  return rows
    .filter(({ order_id, kind, item }) => !foreseen.has(keyOf(order_id, kind, item)))
    .map(({ order_id, kind, item }) => `${order_id}: ${named(kind, item)} was booked, which no order that ended has`);
};

const named = (kind: string, item: string): string => (item === "" ? kind : `${kind} ${item}`);

const proveStock = async (client: pg.ClientBase): Promise<string[]> => {
  const { rows } = await client.query<{ sku: string; initial: string; on_hand: string; reserved: string }>(`
    SELECT sku, initial, on_hand, (SELECT coalesce(sum(amount), 0) FROM inventory.entry WHERE item = sku) AS reserved
    FROM inventory.stock`);
  return rows
    .filter(({ initial, on_hand, reserved }) => Number(initial) - Number(reserved) !== Number(on_hand))
    .map(
      ({ sku, initial, on_hand, reserved }) => `${sku}: ${on_hand} on hand, but ${initial} less ${reserved} reserved`,
    );
};
