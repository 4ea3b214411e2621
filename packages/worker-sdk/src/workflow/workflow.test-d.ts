import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import type { Workflow, WorkflowInput, WorkflowOutput } from "./built.ts";
import { equal, greaterThan } from "./condition.ts";
import { expr, optional, required } from "./expression.ts";
import type { Ref, Reference } from "./ref.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

interface Order {
  readonly id: string;
  readonly total: number;
  readonly note?: string;
  readonly address: { readonly zip: string; readonly street?: { readonly name: string } } | null;
  readonly lines: readonly { readonly sku: string }[];
  readonly country: "DE" | "AT";
}

const chargeCard = defineHandler<{ id: string; currency: "EUR" | "USD"; note?: string }, { paymentId: string }>({
  name: "charge-card",
});
const ship = defineStep("ship", defineHandler<{ paymentId: string }, { trackingId: string }>({ name: "ship-order" }));
const bill = defineStep("bill", defineHandler<{ paymentId: string }, { invoiceId: number }>({ name: "bill-order" }));
const charge = defineStep("charge", chargeCard);

const start = workflow<Order>({ name: "order", version: 1 });
const charged = start.step(charge, { input: ({ input }) => ({ id: input.id, currency: "EUR" }) });

describe("values", () => {
  test("an empty sequence passes the input on", () => {
    expectTypeOf(start.build()).toEqualTypeOf<Workflow<Order, Order>>();
  });

  test("a step passes its output on", () => {
    expectTypeOf(charged.build()).toEqualTypeOf<Workflow<Order, { paymentId: string }>>();
    expectTypeOf(charged.step(ship).build()).toEqualTypeOf<Workflow<Order, { trackingId: string }>>();
  });

  test("a savepoint passes its input on", () => {
    expectTypeOf(charged.savepoint("paid").build()).toEqualTypeOf<Workflow<Order, { paymentId: string }>>();
  });

  test("a fork passes on what its branches do, by name", () => {
    const forked = charged.fork("fulfil", {
      shipping: (branch) => branch.step(ship),
      billing: (branch) => branch.step(bill),
      nothing: (branch) => branch,
    });
    expectTypeOf<WorkflowOutput<ReturnType<typeof forked.build>>>().toEqualTypeOf<{
      readonly shipping: { trackingId: string };
      readonly billing: { invoiceId: number };
      readonly nothing: { paymentId: string };
    }>();
  });

  test("parallel passes on what its steps do, by name", () => {
    const forked = charged.parallel("fulfil", [ship, bill]);
    expectTypeOf<WorkflowOutput<ReturnType<typeof forked.build>>>().toEqualTypeOf<{
      readonly ship: { trackingId: string };
      readonly bill: { invoiceId: number };
    }>();
  });

  test("a condition passes on what either side does, and an empty side its input", () => {
    const both = charged.condition("c", { when: "true", then: (b) => b.step(ship), else: (b) => b.step(bill) }).build();
    expectTypeOf<WorkflowOutput<typeof both>>().toEqualTypeOf<{ trackingId: string } | { invoiceId: number }>();
    const one = charged.condition("c", { when: "true", then: (b) => b.step(ship) }).build();
    expectTypeOf<WorkflowOutput<typeof one>>().toEqualTypeOf<{ trackingId: string } | { paymentId: string }>();
    const same = charged.condition("c", { when: "true", then: (b) => b, else: (b) => b }).build();
    expectTypeOf<WorkflowOutput<typeof same>>().toEqualTypeOf<{ paymentId: string }>();
  });

  test("the input of a workflow is what its schema takes", () => {
    const schema = z.object({ id: z.string(), country: z.string().default("DE") });
    const built = workflow({ name: "order", version: 1, input: schema }).build();
    expectTypeOf<WorkflowInput<typeof built>>().toEqualTypeOf<{ id: string; country?: string | undefined }>();
  });
});

describe("references", () => {
  test("references have the members of what they stand for", () => {
    start.step(charge, {
      input: ({ input, value }) => {
        expectTypeOf(input).toEqualTypeOf<Ref<Order>>();
        expectTypeOf(value).toEqualTypeOf<Ref<Order>>();
        expectTypeOf(input.id).toExtend<Reference<string>>();
        expectTypeOf(input.country).toExtend<Reference<"DE" | "AT">>();
        return { id: input.id, currency: "EUR" };
      },
    });
  });

  test("what may be absent stays so along the way", () => {
    const input = expr<Order>("input");
    expectTypeOf(input.note).toEqualTypeOf<Ref<string | undefined>>();
    expectTypeOf(input.address.zip).toEqualTypeOf<Ref<string | undefined>>();
    expectTypeOf(input.address.street.name).toEqualTypeOf<Ref<string | undefined>>();
    expectTypeOf(input.lines[0]).toEqualTypeOf<Ref<{ readonly sku: string } | undefined> | undefined>();
    expectTypeOf(required(input.lines[0]?.sku)).toEqualTypeOf<Ref<string>>();
  });

  test("of a union only what all members have can be taken", () => {
    const value = expr<{ kind: "a"; a: number } | { kind: "b" }>("value");
    expectTypeOf(value.kind).toExtend<Reference<"a" | "b">>();
    // @ts-expect-error: 'a' is not in every member
    value.a;
  });

  test("outputOf has the type of the step's output", () => {
    charged.savepoint("paid").step(ship, {
      input: ({ outputOf }) => {
        expectTypeOf(outputOf(charge)).toEqualTypeOf<Ref<{ paymentId: string }>>();
        return { paymentId: outputOf(charge).paymentId };
      },
    });
  });

  test("after a fork the steps of all its branches have run", () => {
    charged.fork("f", { a: (b) => b.step(ship), b: (b) => b.step(bill) }).step(defineStep("last", chargeCard), {
      input: ({ outputOf }) => ({ id: outputOf(ship).trackingId, currency: "EUR", note: outputOf(charge).paymentId }),
    });
  });

  test("in a branch and in a side the steps before have run", () => {
    start.step(charge, { input: ({ input }) => ({ id: input.id, currency: "EUR" }) }).fork("f", {
      a: (b) => b.condition("c", { when: "true", then: (s) => s.step(ship, { input: (o) => o.outputOf(charge) }) }),
      b: (b) => b.step(bill, { input: ({ outputOf }) => outputOf(charge) }),
    });
  });
});

describe("mappings", () => {
  test("a mapping may be a literal, a reference, or leave out what is optional", () => {
    start.step(charge, { input: ({ input }) => ({ id: "fixed", currency: "USD", note: input.id }) });
    start.step(charge, { input: ({ input }) => ({ id: input.id, currency: "USD", note: optional(input.note) }) });
    start.step(charge, { input: () => expr<{ id: string; currency: "EUR" }>("input") });
  });

  test("lists and nested objects are mapped too", () => {
    const tag = defineStep("tag", defineHandler<{ tags: string[]; by: { id: string }[] }, null>({ name: "tag" }));
    start.step(tag, { input: ({ input }) => ({ tags: ["a", input.id], by: [{ id: input.id }] }) });
  });

  test("a union is mapped to one of its members", () => {
    type Shape = { kind: "circle"; r: number } | { kind: "square"; a: number };
    const draw = defineStep("draw", defineHandler<Shape, null>({ name: "draw" }));
    start.step(draw, { input: ({ input }) => ({ kind: "circle", r: input.total }) });
  });

  test("what a schema says of optional members fits what people write", () => {
    const Parcel = z.object({
      to: z.object({ zip: z.string(), name: z.string().optional() }),
      note: z.string().optional(),
    });
    interface Plain {
      readonly to: { readonly zip: string; readonly name?: string };
      readonly note?: string;
    }
    const send = defineStep("send", defineHandler<Plain, null>({ name: "send" }));
    const parcel = workflow({ name: "parcel", version: 1, input: Parcel });
    parcel.step(send);
    parcel.step(send, { input: ({ input }) => input });
    parcel.step(send, { input: ({ input }) => ({ to: input.to, note: optional(input.note) }) });
  });

  test("a handler that takes anything takes any mapping, and any value", () => {
    const log = defineStep("log", defineHandler<unknown, null>({ name: "log" }));
    start.step(log, { input: ({ input }) => ({ whatever: [input.id, { deep: 1 }] }) });
    start.step(log);
  });

  test("a compensation with an input of its own has a mapping of its own", () => {
    const voidCard = defineCompensation({ name: "void", of: chargeCard, input: z.object({ why: z.string() }) });
    start.step(defineStep("charge", chargeCard, { onFailure: { handler: voidCard, timeoutMs: 1 } }), {
      input: ({ input }) => ({ id: input.id, currency: "EUR" }),
      compensationInput: ({ input }) => ({ why: input.id }),
    });
  });
});

test("a step with a compensation says when it is undone", () => {
  const refund = defineCompensation({ name: "refund", of: chargeCard });
  defineStep("a", chargeCard, { onFailure: refund, compensateOn: "completed" });
  defineStep("a", chargeCard, { compensateOn: "started", onFailure: { handler: refund, timeoutMs: 1 } });
});

test("names that are only known at run time are checked then, and are no other name", () => {
  const made = defineStep("s".repeat(2), chargeCard);
  start
    .step(made, { input: ({ input }) => ({ id: input.id, currency: "EUR" }) })
    .step(ship, { input: ({ outputOf }) => outputOf(made) })
    .parallel("p", [made].slice())
    .savepoint("end");
});

test("conditions compare what can be compared", () => {
  charged.condition("c", { when: ({ input }) => equal(input.country, "DE"), then: (b) => b });
  charged.condition("d", { when: ({ input }) => greaterThan(input.total, 1), then: (b) => b });
  // @ts-expect-error: 'CH' is no country here
  charged.condition("e", { when: ({ input }) => equal(input.country, "CH"), then: (b) => b });
  // @ts-expect-error: text is not compared with a number
  charged.condition("f", { when: ({ input }) => greaterThan(input.id, 1), then: (b) => b });
  // @ts-expect-error: it may be absent
  charged.condition("g", { when: ({ input }) => equal(input.note, "x"), then: (b) => b });
});
