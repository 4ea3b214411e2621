/** The inventory service: sets articles aside, and puts them back. */
import { NonRetryableError } from "@floxy/worker-sdk";
import pg from "pg";
import { releaseStock, reserveStock } from "../contract/handlers.ts";
import { runService } from "./service.ts";

/** What is in stock when the example begins. */
const initialStock = { "desk-oak": 12, "lamp-arc": 30, "chair-ash": 40, "shelf-pine": 25, "rug-wool": 3 };

await runService(
  {
    name: "inventory",
    prepare: async (connectionString) => {
      const client = new pg.Client({ connectionString });
      await client.connect();
      await client.query(`
        SELECT pg_advisory_xact_lock(hashtext('inventory stock'));
        CREATE TABLE IF NOT EXISTS inventory.stock (
          sku text PRIMARY KEY, initial bigint NOT NULL, on_hand bigint NOT NULL CHECK (on_hand >= 0)
        );`);
      await client.query(
        "INSERT INTO inventory.stock SELECT sku, n, n FROM unnest($1::text[], $2::bigint[]) AS s(sku, n) ON CONFLICT DO NOTHING",
        [Object.keys(initialStock), Object.values(initialStock)],
      );
      await client.end();
    },
    handlers: ({ ledger, say }) => [
      reserveStock.implement(async ({ orderId, lines }, context) => {
        const wanted = bySku(lines);
        await ledger.book({
          orderId,
          action: "reserve",
          entries: async (client) => {
            for (const { sku, quantity } of wanted) {
              const take = "UPDATE inventory.stock SET on_hand = on_hand - $2 WHERE sku = $1 AND on_hand >= $2";
              const taken = await client.query(take, [sku, quantity]);
              if (taken.rowCount === 0) throw new NonRetryableError(`'${sku}' is out of stock`);
            }
            return wanted.map(({ sku, quantity }) => ({ kind: "reserve", item: sku, amount: quantity }));
          },
        });
        say(context, `reserved ${orderId}: ${wanted.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(", ")}`);
        return { reservationId: `res-${orderId}` };
      }),
      releaseStock.implement(async ({ orderId, lines }, context) => {
        const wanted = bySku(lines);
        const booked = await ledger.book({
          orderId,
          action: "release",
          undoes: "reserve",
          entries: async (client) => {
            for (const { sku, quantity } of wanted) {
              await client.query("UPDATE inventory.stock SET on_hand = on_hand + $2 WHERE sku = $1", [sku, quantity]);
            }
            return wanted.map(({ sku, quantity }) => ({ kind: "release", item: sku, amount: -quantity }));
          },
        });
        say(context, booked ? `released ${orderId}` : `nothing to release for ${orderId}`);
      }),
    ],
  },
  process.env,
);

/** The lines of an order with each article once, in a fixed order so that two orders cannot deadlock on the stock. */
function bySku(lines: readonly { sku: string; quantity: number }[]): { sku: string; quantity: number }[] {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([sku, quantity]) => ({ sku, quantity }));
}
