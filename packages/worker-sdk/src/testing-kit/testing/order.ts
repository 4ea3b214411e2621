/** A small saga with handlers that leave effects, for tests of the kit. */
import { z } from "zod";
import { defineCompensation } from "../../handler/compensation.ts";
import { defineHandler } from "../../handler/contract.ts";
import { defineStep } from "../../workflow/step.ts";
import { workflow } from "../../workflow/workflow.ts";
import type { TestOptions } from "../kit.ts";
import { testWorkflow } from "../kit.ts";

export const chargeCard = defineHandler({
  name: "payment.charge",
  input: z.object({ id: z.string() }),
  output: z.object({ paymentId: z.string() }),
});
export const refundCard = defineCompensation({ name: "payment.refund", of: chargeCard });
export const shipParcel = defineHandler<{ paymentId: string }, { trackingId: string }>({ name: "shipping.ship" });

const retry = { maxAttempts: 3, strategy: "exponential", delayMs: 1_000, jitter: 0 } as const;

export const charge = defineStep("charge", chargeCard, {
  onFailure: { handler: refundCard, retry: { maxAttempts: 2, strategy: "fixed", delayMs: 5_000, jitter: 0 } },
  retry,
  timeoutMs: 60_000,
});
const ship = defineStep("ship", shipParcel, { retry: { maxAttempts: 1 } });

/** Charges, then ships. */
export const order = workflow<{ id: string }>({ name: "order", version: 1 }).step(charge).step(ship).build();

/** The saga under test, and what its handlers have done. */
export const orderKit = (options: TestOptions = {}) => {
  const effects: string[] = [];
  const handlers = [
    chargeCard.implement(({ id }) => {
      effects.push(`charge ${id}`);
      return { paymentId: `p-${id}` };
    }),
    refundCard.implement(({ id }, { outcome }) => void effects.push(`refund ${id} (${outcome})`)),
    shipParcel.implement(({ paymentId }) => {
      effects.push(`ship ${paymentId}`);
      return { trackingId: `t-${paymentId}` };
    }),
  ];
  return { kit: testWorkflow(order, { handlers, ...options }), effects };
};
