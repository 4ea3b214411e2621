/** The stock of the inventory service: how much of each article there is. Beside the ledger, and changed with it. */
import pg from "pg";

/** An article and how many of it. */
export interface Quantity {
  readonly sku: string;
  readonly quantity: number;
}

/**
 * What is in stock when the example begins: one rug order can be served, and enough of all else even for orders that fail
 * later. So which orders complete does not hang on who comes first, nor on what is killed.
 */
const initialStock = { "desk-oak": 12, "lamp-arc": 30, "chair-ash": 40, "shelf-pine": 30, "rug-wool": 3 };

/** Makes and fills the table of the stock if it is missing. The schema must be there. */
export const prepareStock = async (connectionString: string): Promise<void> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(`
      SELECT pg_advisory_xact_lock(hashtext('inventory stock'));
      CREATE TABLE IF NOT EXISTS inventory.stock (
        sku text PRIMARY KEY, initial bigint NOT NULL, on_hand bigint NOT NULL CHECK (on_hand >= 0)
      );`);
    await client.query(
      "INSERT INTO inventory.stock SELECT sku, n, n FROM unnest($1::text[], $2::bigint[]) AS s(sku, n) ON CONFLICT DO NOTHING",
      [Object.keys(initialStock), Object.values(initialStock)],
    );
  } finally {
    await client.end();
  }
};

/** Takes articles off the stock; answers the first that there is not enough of. */
export const takeStock = async (client: pg.ClientBase, wanted: readonly Quantity[]): Promise<string | undefined> => {
  for (const { sku, quantity } of wanted) {
    const take = "UPDATE inventory.stock SET on_hand = on_hand - $2 WHERE sku = $1 AND on_hand >= $2";
    if ((await client.query(take, [sku, quantity])).rowCount === 0) return sku;
  }
  return undefined;
};

/** Puts articles back. */
export const returnStock = async (client: pg.ClientBase, returned: readonly Quantity[]): Promise<void> => {
  for (const { sku, quantity } of returned) {
    await client.query("UPDATE inventory.stock SET on_hand = on_hand + $2 WHERE sku = $1", [sku, quantity]);
  }
};

/** The lines of an order with each article once, in a fixed order so that two orders cannot deadlock on the stock. */
export const bySku = (lines: readonly Quantity[]): Quantity[] => {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([sku, quantity]) => ({ sku, quantity }));
};
