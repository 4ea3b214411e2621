/**
 * The saga: accept the order, charge and reserve beside each other, insure what is valuable, ship, confirm. Each step
 * that has an effect names what undoes it; the engine does the rest.
 */
import { atLeast, defineStep, workflow } from "@floxy/worker-sdk";
import {
  acceptOrder,
  cancelInsurance,
  chargeCard,
  confirmOrder,
  insureParcel,
  recallParcel,
  refundCard,
  rejectOrder,
  releaseStock,
  reserveStock,
  shipParcel,
} from "./handlers.ts";
import { Order } from "./order.ts";

// Short waits, so that the example shows retries without making you wait for them.
const retry = { maxAttempts: 5, strategy: "exponential", delayMs: 100, maxDelayMs: 1_000 } as const;

const accept = defineStep("accept", acceptOrder, { retry, onFailure: rejectOrder });
const charge = defineStep("charge", chargeCard, { retry, timeoutMs: 5_000, onFailure: refundCard });
const reserve = defineStep("reserve", reserveStock, { retry, onFailure: releaseStock });
const insure = defineStep("insure", insureParcel, { retry, onFailure: cancelInsurance });
const ship = defineStep("ship", shipParcel, { retry, timeoutMs: 5_000, onFailure: recallParcel });
const confirm = defineStep("confirm", confirmOrder, { retry });

/** Parcels worth this much or more are insured. */
export const insuredFromCents = 50_000;

/** The order saga. */
export const orderSaga = workflow({ name: "order", version: 1, input: Order })
  .step(accept)
  .fork("secure", {
    payment: (branch) =>
      branch.step(charge, {
        input: ({ input, value }) => ({ orderId: input.orderId, card: input.card, cents: value.totalCents }),
      }),
    stock: (branch) => branch.step(reserve, { input: ({ input }) => ({ orderId: input.orderId, lines: input.lines }) }),
  })
  .condition("valuable", {
    when: ({ outputOf }) => atLeast(outputOf(accept).totalCents, insuredFromCents),
    then: (side) =>
      side.step(insure, {
        input: ({ input, outputOf }) => ({ orderId: input.orderId, cents: outputOf(accept).totalCents }),
      }),
  })
  .step(ship, { input: ({ input }) => ({ orderId: input.orderId, country: input.country }) })
  .step(confirm)
  .build();
