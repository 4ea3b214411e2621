import { FloxyError } from "@floxy/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import type { StepContext } from "./context.ts";
import { defineHandler } from "./contract.ts";

const Input = z.object({ orderId: z.string(), amount: z.number(), currency: z.string().default("EUR") });
const Output = z.object({ paymentId: z.string() });
const context = { step: "charge" } as StepContext;

const errorOf = async (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

test("a contract carries its name and schemas and no implementation", () => {
  const contract = defineHandler({ name: "charge-card", input: Input, output: Output });
  expect(contract).toMatchObject({ kind: "handler", name: "charge-card", input: Input, output: Output });
});

test("a handler gets what its input schema makes of the input", async () => {
  const contract = defineHandler({ name: "charge-card", input: Input });
  const handler = contract.implement(async (input) => input);
  expect(handler).toMatchObject({ kind: "handler", name: "charge-card", options: {} });
  expect(await handler.invoke({ orderId: "o1", amount: 1 }, context)).toEqual({
    orderId: "o1",
    amount: 1,
    currency: "EUR",
  });
});

test("an input that does not fit is refused before the handler is called, with all problems", async () => {
  let calls = 0;
  const handler = defineHandler({ name: "charge-card", input: Input }).implement(() => {
    calls += 1;
  });
  const error = await errorOf(handler.invoke({ amount: "much" }, context));
  expect(error).toBeInstanceOf(FloxyError);
  expect(error).toMatchObject({
    code: "INPUT_INVALID",
    problems: [{ path: "orderId" }, { path: "amount" }],
  });
  expect(calls).toBe(0);
});

test("an output that does not fit fails the call", async () => {
  const contract = defineHandler({ name: "charge-card", output: Output });
  const handler = contract.implement(async () => ({ paymentId: 1 }) as unknown as { paymentId: string });
  const error = await errorOf(handler.invoke({}, context));
  expect(error).toMatchObject({
    code: "OUTPUT_INVALID",
    message: expect.stringMatching(/^output of handler 'charge-card' does not fit its schema: paymentId: /),
  });
});

test("without schemas, input and output pass as they are", async () => {
  const handler = defineHandler<{ a: number }, number>({ name: "double" }).implement(({ a }) => a * 2);
  expect(await handler.invoke({ a: 21 }, context)).toBe(42);
});

test("a handler gets the context that the worker made", async () => {
  const handler = defineHandler<null, string>({ name: "where" }).implement((_, { step }) => step);
  expect(await handler.invoke(null, context)).toBe("charge");
});

test("a synchronous throw becomes a rejection", async () => {
  const handler = defineHandler({ name: "fails" }).implement(() => {
    throw new Error("at once");
  });
  await expect(handler.invoke({}, context)).rejects.toThrow("at once");
});

test("the options of an implementation are kept for the worker", () => {
  const handler = defineHandler({ name: "slow" }).implement(() => null, { concurrency: 2 });
  expect(handler.options).toEqual({ concurrency: 2 });
});
