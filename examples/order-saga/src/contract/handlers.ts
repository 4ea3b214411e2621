/** The contracts of all services: what each handler is called, takes and returns. No service sees another's code. */
import { defineCompensation, defineHandler } from "@floxy/worker-sdk";
import { z } from "zod";
import { Order } from "./order.ts";

const OrderRef = z.object({ orderId: z.string() });

// order service
export const acceptOrder = defineHandler({
  name: "order.accept",
  input: Order,
  output: z.object({ orderId: z.string(), totalCents: z.int() }),
});
export const rejectOrder = defineCompensation({ name: "order.reject", of: acceptOrder });
export const confirmOrder = defineHandler({
  name: "order.confirm",
  input: z.object({ orderId: z.string(), trackingId: z.string() }),
  output: z.object({ orderId: z.string(), trackingId: z.string() }),
});

// payment service
export const chargeCard = defineHandler({
  name: "payment.charge",
  input: z.object({ orderId: z.string(), card: z.string(), cents: z.int() }),
  output: z.object({ paymentId: z.string() }),
});
export const refundCard = defineCompensation({ name: "payment.refund", of: chargeCard });

// inventory service
export const reserveStock = defineHandler({
  name: "inventory.reserve",
  input: Order.pick({ orderId: true, lines: true }),
  output: z.object({ reservationId: z.string() }),
});
export const releaseStock = defineCompensation({ name: "inventory.release", of: reserveStock });

// shipping service
export const insureParcel = defineHandler({
  name: "shipping.insure",
  input: z.object({ orderId: z.string(), cents: z.int() }),
  output: z.object({ policyId: z.string() }),
});
export const cancelInsurance = defineCompensation({ name: "shipping.cancel-insurance", of: insureParcel });
export const shipParcel = defineHandler({
  name: "shipping.ship",
  input: Order.pick({ orderId: true, country: true }),
  output: OrderRef.extend({ trackingId: z.string() }),
});
export const recallParcel = defineCompensation({ name: "shipping.recall", of: shipParcel });
