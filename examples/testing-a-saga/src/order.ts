/** The saga under test: charge a card, let somebody approve large orders, ship. */
import { atLeast, defineCompensation, defineHandler, defineStep, workflow } from "@floxy/worker-sdk";
import { z } from "zod";

const Order = z.object({ orderId: z.string(), cents: z.int() });

/** Takes the money. */
export const chargeCard = defineHandler({
  name: "payment.charge",
  input: Order,
  output: z.object({ paymentId: z.string() }),
});

/** Gives it back. */
export const refundCard = defineCompensation({ name: "payment.refund", of: chargeCard });

/** Hands the parcel to the carrier. */
export const shipParcel = defineHandler<{ orderId: string }, { trackingId: string }>({ name: "shipping.ship" });

const retry = { maxAttempts: 3, strategy: "fixed", delayMs: 60_000, jitter: 0 } as const;
const charge = defineStep("charge", chargeCard, { onFailure: refundCard, retry });
const ship = defineStep("ship", shipParcel, { retry });

/** The saga. */
export const orderSaga = workflow({ name: "order", version: 1, input: Order })
  .step(charge)
  .condition("large", {
    when: ({ input }) => atLeast(input.cents, 100_000),
    then: (side) => side.human("approve", { deciders: ["ann", "bob"], timeoutMs: 3 * 86_400_000 }),
  })
  .step(ship, { input: ({ input }) => ({ orderId: input.orderId }) })
  .build();
