/** The inventory service: sets articles aside, and puts them back. */
import { NonRetryableError } from "@floxy/worker-sdk";
import { releaseStock, reserveStock } from "../contract/handlers.ts";
import { runService } from "./service.ts";
import { bySku, prepareStock, returnStock, takeStock } from "./stock.ts";

await runService(
  {
    name: "inventory",
    prepare: prepareStock,
    handlers: ({ ledger, say }) => [
      reserveStock.implement(async ({ orderId, lines }, context) => {
        const wanted = bySku(lines);
        await ledger.book({
          orderId,
          action: "reserve",
          entries: async (client) => {
            const missing = await takeStock(client, wanted);
            if (missing !== undefined) throw new NonRetryableError(`'${missing}' is out of stock`);
            return wanted.map(({ sku, quantity }) => ({ kind: "reserve", item: sku, amount: quantity }));
          },
        });
        say(context, orderId, `reserved ${wanted.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(", ")}`);
        return { reservationId: `res-${orderId}` };
      }),
      releaseStock.implement(async ({ orderId, lines }, context) => {
        const wanted = bySku(lines);
        const booked = await ledger.book({
          orderId,
          action: "release",
          undoes: "reserve",
          entries: async (client) => {
            await returnStock(client, wanted);
            return wanted.map(({ sku, quantity }) => ({ kind: "release", item: sku, amount: -quantity }));
          },
        });
        say(context, orderId, booked ? "released the stock" : "nothing to release");
      }),
    ],
  },
  process.env,
);
