/** The real handlers, on a card processor that is handed in. */
import type { AnyHandlerImplementation } from "@floxy/worker-sdk";
import { chargeCard, refundCard, shipParcel } from "./order.ts";

/** What the handlers need of the card processor. The same key again is the same charge. */
export interface CardProcessor {
  charge(key: string, cents: number): Promise<{ readonly paymentId: string }>;
  refund(key: string): Promise<void>;
}

/** Makes the handlers. */
export const orderHandlers = (cards: CardProcessor): readonly AnyHandlerImplementation[] => [
  chargeCard.implement(({ cents }, { effectKey }) => cards.charge(effectKey, cents)),
  refundCard.implement((_, { effectKey }) => cards.refund(effectKey)),
  shipParcel.implement(({ orderId }) => ({ trackingId: `parcel of ${orderId}` })),
];
