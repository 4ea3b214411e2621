import { expectTypeOf, test } from "vitest";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { testWorkflow } from "./kit.ts";

const pay = defineHandler<{ cents: number }, { paymentId: string }>({ name: "pay" });
const refund = defineCompensation({ name: "refund", of: pay });
const payment = defineStep("payment", pay, { onFailure: refund });
const order = workflow<{ cents: number }>({ name: "order", version: 1 }).step(payment).build();
const kit = testWorkflow(order);

test("an instance starts with the workflow's input", () => {
  expectTypeOf<Parameters<typeof kit.start>[0]>().toEqualTypeOf<{ cents: number }>();
  // @ts-expect-error: it has no field `euros`.
  void (() => kit.start({ euros: 1 }));
});

test("an end has the workflow's output if it is a good one", async () => {
  const end = await (await kit.start({ cents: 1 })).end();
  if (end.status === "completed") expectTypeOf(end.output).toEqualTypeOf<{ paymentId: string }>();
  else expectTypeOf(end.output).toEqualTypeOf<undefined>();
  expectTypeOf(end.output?.paymentId).toEqualTypeOf<string | undefined>();
});

test("scripts of steps and contracts know what is taken and returned", () => {
  kit.on(payment).runs((input) => ({ paymentId: `${input.cents.toFixed()}` }));
  kit.on(pay).returns({ paymentId: "p" });
  kit.on(refund).runs((input) => {
    expectTypeOf(input).toEqualTypeOf<{ cents: number }>();
  });
  // @ts-expect-error: it returns an object.
  kit.on(payment).returns("p");
  kit.on("payment").returns("anything");
  kit.on<{ cents: number }, string>("payment").runs(({ cents }) => cents.toFixed());
});

test("calls know it too", async () => {
  const run = await kit.start({ cents: 1 });
  expectTypeOf(run.calls(payment)[0]?.input.cents).toEqualTypeOf<number | undefined>();
  expectTypeOf(run.calls(pay)[0]?.output?.paymentId).toEqualTypeOf<string | undefined>();
  expectTypeOf(run.calls("payment")[0]?.input).toEqualTypeOf<unknown>();
});
