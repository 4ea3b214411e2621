/** The order service: takes orders in and confirms or rejects them. */
import { acceptOrder, confirmOrder, rejectOrder } from "../contract/handlers.ts";
import { totalOf } from "../contract/order.ts";
import { runService } from "./service.ts";

await runService(
  {
    name: "orders",
    handlers: ({ ledger, say }) => [
      acceptOrder.implement(async (order, context) => {
        const { orderId } = order;
        await ledger.book({ orderId, action: "accept", entries: () => [{ kind: "accepted", amount: 1 }] });
        say(context, orderId, `accepted, from ${order.customer}`);
        return { orderId, totalCents: totalOf(order) };
      }),
      rejectOrder.implement(async ({ orderId }, context) => {
        const entries = () => [{ kind: "rejected", amount: -1 }];
        await ledger.book({ orderId, action: "reject", undoes: "accept", entries });
        say(context, orderId, `rejected: ${context.cause.message}`);
      }),
      confirmOrder.implement(async ({ orderId, trackingId }, context) => {
        await ledger.book({ orderId, action: "confirm", entries: () => [{ kind: "confirmed", amount: 1 }] });
        say(context, orderId, `confirmed, parcel ${trackingId}`);
        return { orderId, trackingId };
      }),
    ],
  },
  process.env,
);
