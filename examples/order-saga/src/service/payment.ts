/** The payment service: charges cards and gives the money back. */
import { NonRetryableError } from "@floxy/worker-sdk";
import { chargeCard, refundCard } from "../contract/handlers.ts";
import { money } from "../run/output.ts";
import { runService } from "./service.ts";

await runService(
  {
    name: "payment",
    handlers: ({ ledger, say, outsideWorld }) => [
      chargeCard.implement(async ({ orderId, card, cents }, context) => {
        await outsideWorld(context);
        // Test cards, as card processors have them: one is always declined, one finds the processor busy at first.
        if (card.endsWith("0002")) throw new NonRetryableError("the card was declined");
        if (card.endsWith("0119") && context.attempt === 1) throw new Error("the card processor is busy");
        await ledger.book({ orderId, action: "charge", entries: () => [{ kind: "charge", amount: cents }] });
        say(context, orderId, `charged ${money(cents)}`);
        return { paymentId: `pay-${orderId}` };
      }),
      refundCard.implement(async ({ orderId, cents }, context) => {
        await outsideWorld(context);
        const entries = () => [{ kind: "refund", amount: -cents }];
        const booked = await ledger.book({ orderId, action: "refund", undoes: "charge", entries });
        say(context, orderId, booked ? `refunded ${money(cents)}` : "nothing to refund");
      }),
    ],
  },
  process.env,
);
