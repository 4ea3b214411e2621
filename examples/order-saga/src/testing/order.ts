/** Orders for tests. */
import type { Order } from "../contract/order.ts";

/** An order that is fine, but for what the test changes. */
export const orderLike = (changes: Partial<Order> = {}): Order => ({
  orderId: "T-1",
  customer: "Ada",
  card: "4242424242424242",
  country: "DE",
  lines: [{ sku: "lamp-arc", quantity: 2, unitCents: 15_900 }],
  ...changes,
});
