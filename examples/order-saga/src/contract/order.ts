/** What an order looks like: the input of the workflow, and a line of the orders file. */
import { z } from "zod";

// What PostgreSQL and a terminal take: JSON can carry a NUL, half a character, or a sequence that moves the cursor.
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), "must hold only whole, printable characters");

const Line = z.strictObject({
  sku: text(40),
  quantity: z.int().min(1).max(1_000),
  unitCents: z.int().min(0).max(10_000_000),
});

/** An order as it is placed. Money is in whole cents. */
export const Order = z.strictObject({
  orderId: z.string().regex(/^[A-Za-z0-9-]{1,40}$/, "must be 1 to 40 letters, digits and hyphens"),
  customer: text(100),
  card: z.string().regex(/^\d{16}$/, "must be 16 digits"),
  country: z.string().regex(/^[A-Z]{2}$/, "must be two capital letters"),
  lines: z.array(Line).min(1).max(50),
});

/** An order as it is placed. */
export type Order = z.infer<typeof Order>;

/** What an order comes to, in cents. */
export const totalOf = (order: Pick<Order, "lines">): number =>
  order.lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
