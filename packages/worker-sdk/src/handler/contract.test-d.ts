import type { ForeignClient } from "@floxy/shared";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { CompensationContract } from "./compensation.ts";
import { defineCompensation } from "./compensation.ts";
import type { CompensationContext, Logger, StepContext } from "./context.ts";
import type { HandlerContract, InputOf, OutputOf } from "./contract.ts";
import { defineHandler } from "./contract.ts";
import type { AnyHandlerImplementation } from "./implementation.ts";
import type { HandlerTransaction, InTransaction } from "./transaction.ts";

const chargeCard = defineHandler({
  name: "charge-card",
  input: z.object({ orderId: z.string(), currency: z.string().default("EUR") }),
  output: z.object({ paidAt: z.string().transform(Number) }),
});

describe("handlers", () => {
  test("a workflow supplies what the input schema takes and gets what the output schema makes", () => {
    expectTypeOf<InputOf<typeof chargeCard>>().toEqualTypeOf<{ orderId: string; currency?: string | undefined }>();
    expectTypeOf<OutputOf<typeof chargeCard>>().toEqualTypeOf<{ paidAt: number }>();
  });

  test("an implementation takes what the input schema makes and returns what the output schema takes", () => {
    chargeCard.implement(async (input, context) => {
      expectTypeOf(input).toEqualTypeOf<{ orderId: string; currency: string }>();
      expectTypeOf(context).toEqualTypeOf<StepContext>();
      return { paidAt: "1" };
    });
    // @ts-expect-error: paidAt is text before the schema has transformed it
    chargeCard.implement(() => ({ paidAt: 1 }));
  });

  test("types are enough", () => {
    const contract = defineHandler<{ a: string }, number>({ name: "plain" });
    expectTypeOf(contract).toEqualTypeOf<HandlerContract<{ a: string }, number>>();
    contract.implement(({ a }) => a.length);
    // @ts-expect-error: it must return a number
    contract.implement(({ a }) => a);
  });

  test("implementations of all kinds go into one list", () => {
    const refund = defineCompensation({ name: "refund-card", of: chargeCard });
    const list: AnyHandlerImplementation[] = [
      chargeCard.implement(() => ({ paidAt: "1" })),
      refund.implement(async () => undefined),
      defineHandler<null, string>({ name: "plain" }).implement(() => "done"),
    ];
    expectTypeOf(list).toBeArray();
  });

  test("contracts of all types are contracts", () => {
    expectTypeOf(chargeCard).toExtend<HandlerContract>();
    expectTypeOf(defineCompensation({ name: "refund-card", of: chargeCard })).toExtend<CompensationContract>();
  });
});

describe("compensations", () => {
  test("a compensation takes what its handler takes, and finds its output, which may not exist", () => {
    defineCompensation({ name: "refund-card", of: chargeCard }).implement((input, context) => {
      expectTypeOf(input).toEqualTypeOf<{ orderId: string; currency: string }>();
      expectTypeOf(context).toEqualTypeOf<CompensationContext<{ paidAt: number }>>();
      expectTypeOf(context.outcome).toEqualTypeOf<"happened" | "unknown">();
      expectTypeOf(context.output).toEqualTypeOf<{ paidAt: number } | undefined>();
    });
  });

  test("a compensation can take something else", () => {
    const contract = defineCompensation({ name: "r", of: chargeCard, input: z.object({ why: z.string() }) });
    contract.implement((input) => {
      expectTypeOf(input).toEqualTypeOf<{ why: string }>();
    });
  });
});

describe("transactional handlers", () => {
  const refund = defineCompensation({ name: "refund-card", of: chargeCard });

  test("find a transaction in their context", () => {
    chargeCard.implement(
      async (input, context) => {
        expectTypeOf(input).toEqualTypeOf<{ orderId: string; currency: string }>();
        expectTypeOf(context).toEqualTypeOf<StepContext & InTransaction>();
        const { rows } = await context.transaction.query<{ paid: string }>("SELECT $1 AS paid", [input.orderId]);
        expectTypeOf(rows).toEqualTypeOf<{ paid: string }[]>();
        return { paidAt: "1" };
      },
      { transactional: true, concurrency: 2 },
    );
    refund.implement(
      (_, context) => {
        expectTypeOf(context).toEqualTypeOf<CompensationContext<{ paidAt: number }> & InTransaction>();
      },
      { transactional: true },
    );
  });

  test("are still held to what they return", () => {
    // @ts-expect-error: paidAt is text before the schema has transformed it
    chargeCard.implement(() => ({ paidAt: 1 }), { transactional: true });
  });

  test("and no others do", () => {
    chargeCard.implement(
      (_, context) => {
        expectTypeOf(context).toEqualTypeOf<StepContext>();
        return { paidAt: "1" };
      },
      { concurrency: 2 },
    );
    // @ts-expect-error: without transactional: true there is no transaction
    refund.implement((_, { transaction }) => void transaction);
    // @ts-expect-error: nor with transactional: false
    refund.implement((_, { transaction }) => void transaction, { transactional: false });
  });

  test("their transaction fits where a client is asked for", () => {
    expectTypeOf<HandlerTransaction>().toExtend<ForeignClient>();
  });
});

test("console is a logger", () => {
  expectTypeOf(console).toExtend<Logger>();
});
