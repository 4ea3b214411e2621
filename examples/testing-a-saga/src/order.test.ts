/** Tests of the saga: the real engine in memory, in virtual time. Nothing here waits for anything. */
import { NonRetryableError } from "@floxy/worker-sdk";
import { testWorkflow } from "@floxy/worker-sdk/testing";
import { expect, it } from "vitest";
import type { CardProcessor } from "./handlers.ts";
import { orderHandlers } from "./handlers.ts";
import { orderSaga } from "./order.ts";

/** A card processor that books in a map, as the real one does. */
const createCards = () => {
  const charged = new Map<string, number>();
  const cards: CardProcessor = {
    async charge(key, cents) {
      charged.set(key, cents);
      return { paymentId: `payment ${key}` };
    },
    async refund(key) {
      charged.delete(key);
    },
  };
  return { cards, charged };
};

const createKit = (shuffle?: number) => {
  const { cards, charged } = createCards();
  return { charged, kit: testWorkflow(orderSaga, { handlers: orderHandlers(cards), shuffle }) };
};

const small = { orderId: "A-1", cents: 4_200 };
const large = { orderId: "A-2", cents: 420_000 };

it("ships a small order at once", async () => {
  const { kit, charged } = createKit();
  const run = await kit.start(small);
  const end = await run.end();
  expect(end).toMatchObject({ status: "completed", output: { trackingId: "parcel of A-1" } });
  expect([...charged.values()]).toEqual([4_200]);
});

it("tries a busy carrier again after a minute", async () => {
  const { kit } = createKit();
  kit.on("ship").fails("busy", { times: 2 });
  const run = await kit.start(small);
  expect((await run.end()).status).toBe("completed");
  expect(run.calls("ship")).toHaveLength(3);
  expect(run.elapsedMs).toBe(120_000);
});

it("gives the money back when the carrier refuses", async () => {
  const { kit, charged } = createKit();
  kit.on("ship").fails(new NonRetryableError("no such address"));
  const run = await kit.start(small);
  expect(await run.end()).toMatchObject({ status: "failed", error: { message: "no such address" } });
  expect(run.compensations).toEqual(["charge"]);
  expect(charged.size).toBe(0);
});

it("charges once when the worker dies after the charge", async () => {
  const { kit, charged } = createKit();
  kit.on("charge").crashes({ called: true, times: 1 });
  const run = await kit.start(small);
  expect((await run.end()).status).toBe("completed");
  expect(run.calls("charge").map(({ result }) => result)).toEqual(["crashed", "completed"]);
  expect([...charged.values()]).toEqual([4_200]);
});

it("ships a large order when somebody approves it", async () => {
  const { kit } = createKit();
  const run = await kit.start(large);
  await run.untilWaiting("approve");
  expect(run.calls("ship")).toEqual([]);
  await run.decide("approve", { kind: "confirm", by: "ann" });
  expect((await run.end()).status).toBe("completed");
});

it("undoes a large order that nobody approves in three days", async () => {
  const { kit, charged } = createKit();
  const run = await kit.start(large);
  expect((await run.end()).status).toBe("failed");
  expect(run.elapsedMs).toBe(3 * 86_400_000);
  expect(charged.size).toBe(0);
});
