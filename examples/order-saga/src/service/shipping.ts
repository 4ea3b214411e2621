/** The shipping service: insures parcels and hands them to a carrier. */
import { NonRetryableError } from "@floxy/worker-sdk";
import { cancelInsurance, insureParcel, recallParcel, shipParcel } from "../contract/handlers.ts";
import { money } from "../run/output.ts";
import { runService } from "./service.ts";

/** Where the carrier delivers. */
const served = new Set(["AT", "BE", "CH", "DE", "DK", "ES", "FR", "IT", "NL", "PL", "PT", "SE"]);

await runService(
  {
    name: "shipping",
    handlers: ({ ledger, say, outsideWorld }) => [
      insureParcel.implement(async ({ orderId, cents }, context) => {
        await ledger.book({ orderId, action: "insure", entries: () => [{ kind: "insure", amount: cents }] });
        say(context, orderId, `insured for ${money(cents)}`);
        return { policyId: `pol-${orderId}` };
      }),
      cancelInsurance.implement(async ({ orderId, cents }, context) => {
        const entries = () => [{ kind: "cancel-insurance", amount: -cents }];
        const booked = await ledger.book({ orderId, action: "cancel-insurance", undoes: "insure", entries });
        say(context, orderId, booked ? "cancelled the insurance" : "no insurance to cancel");
      }),
      shipParcel.implement(async ({ orderId, country }, context) => {
        await outsideWorld(context);
        if (!served.has(country)) throw new NonRetryableError(`the carrier does not deliver to ${country}`);
        await ledger.book({ orderId, action: "ship", entries: () => [{ kind: "ship", amount: 1 }] });
        say(context, orderId, `shipped to ${country}`);
        return { orderId, trackingId: `trk-${orderId}` };
      }),
      recallParcel.implement(async ({ orderId }, context) => {
        await outsideWorld(context);
        const entries = () => [{ kind: "recall", amount: -1 }];
        const booked = await ledger.book({ orderId, action: "recall", undoes: "ship", entries });
        say(context, orderId, booked ? "recalled the parcel" : "nothing to recall");
      }),
    ],
  },
  process.env,
);
