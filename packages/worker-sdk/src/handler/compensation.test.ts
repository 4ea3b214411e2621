import { expect, test } from "vitest";
import { z } from "zod";
import { defineCompensation } from "./compensation.ts";
import type { CompensationContext } from "./context.ts";
import { defineHandler } from "./contract.ts";

const chargeCard = defineHandler({
  name: "charge-card",
  input: z.object({ orderId: z.string(), currency: z.string().default("EUR") }),
  output: z.object({ paymentId: z.string() }),
});

const context = { outcome: "happened", output: { paymentId: "p1" } } as CompensationContext;

test("a compensation takes by default what its handler takes", async () => {
  const seen: unknown[] = [];
  const refund = defineCompensation({ name: "refund-card", of: chargeCard }).implement(async (input, { output }) => {
    seen.push(input, output?.paymentId);
  });
  expect(refund).toMatchObject({ kind: "compensation", name: "refund-card" });
  expect(await refund.invoke({ orderId: "o1" }, context)).toBeUndefined();
  expect(seen).toEqual([{ orderId: "o1", currency: "EUR" }, "p1"]);
});

test("a compensation can take something else", async () => {
  const contract = defineCompensation({ name: "refund-card", of: chargeCard, input: z.object({ why: z.string() }) });
  const refund = contract.implement(() => undefined);
  await refund.invoke({ why: "late" }, context);
  await expect(refund.invoke({ orderId: "o1" }, context)).rejects.toMatchObject({
    code: "INPUT_INVALID",
    problems: [{ path: "why" }],
  });
});

test("a compensation names the handler that it undoes", () => {
  expect(defineCompensation({ name: "refund-card", of: chargeCard }).of).toBe(chargeCard);
});
