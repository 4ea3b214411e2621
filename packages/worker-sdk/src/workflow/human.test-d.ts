import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { typeOnly } from "../handler/schema.ts";
import type { WorkflowOutput } from "./built.ts";
import { equal } from "./condition.ts";
import type { Decision } from "./decision.ts";
import { optional } from "./expression.ts";
import type { Ref, Reference } from "./ref.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

interface Order {
  readonly id: string;
  readonly total: number;
  readonly note?: string;
}

const start = workflow<Order>({ name: "order", version: 1 });
const count = defineStep("count", defineHandler<Order, number>({ name: "count" }));
const list = defineStep("list", defineHandler<Order, readonly string[] | null>({ name: "list" }));
const log = defineStep("log", defineHandler<unknown, { logged: true }>({ name: "log" }));

describe("the value of a human node", () => {
  test("is its input with the decision", () => {
    const built = start.human("approve").build();
    expectTypeOf<WorkflowOutput<typeof built>>().toEqualTypeOf<
      Order & { readonly decision: Decision<unknown, "confirm"> }
    >();
  });

  test("has an input without fields as `value`", () => {
    const number = start.step(count).human("approve").build();
    expectTypeOf<WorkflowOutput<typeof number>>().toEqualTypeOf<{
      readonly value: number;
      readonly decision: Decision<unknown, "confirm">;
    }>();
    const either = start.step(list).human("approve").build();
    expectTypeOf<WorkflowOutput<typeof either>>().toEqualTypeOf<{
      readonly value: readonly string[] | null;
      readonly decision: Decision<unknown, "confirm">;
    }>();
  });

  test("has the decision for certain when nothing is known of the input", () => {
    const built = start.signal("any").human("approve").build();
    expectTypeOf<WorkflowOutput<typeof built>>().toEqualTypeOf<{ readonly decision: Decision<unknown, "confirm"> }>();
  });

  test("is what its mapping makes", () => {
    const built = start
      .human("approve", { input: ({ input }) => ({ order: input, text: "sure?", note: optional(input.note) }) })
      .build();
    expectTypeOf<WorkflowOutput<typeof built>["order"]>().toEqualTypeOf<Order>();
    expectTypeOf<WorkflowOutput<typeof built>["text"]>().toEqualTypeOf<"sure?">();
    expectTypeOf<WorkflowOutput<typeof built>["note"]>().toEqualTypeOf<string | undefined>();
    expectTypeOf<WorkflowOutput<typeof built>["decision"]["kind"]>().toEqualTypeOf<"confirm">();
    const number = start.human("approve", { input: ({ input }) => input.total }).build();
    expectTypeOf<WorkflowOutput<typeof number>["value"]>().toEqualTypeOf<number>();
    const note = start.human("approve", { input: ({ input }) => optional(input.note) }).build();
    expectTypeOf<WorkflowOutput<typeof note>["value"]>().toEqualTypeOf<string | null>();
  });

  test("has the decision of the last of several", () => {
    const built = start
      .human("first", { form: z.object({ limit: z.number() }) })
      .human("second", { form: typeOnly<{ grade: string }>() })
      .build();
    type Value = WorkflowOutput<typeof built>;
    expectTypeOf<Value["id"]>().toEqualTypeOf<string>();
    expectTypeOf<Value["decision"]>().toEqualTypeOf<Decision<{ grade: string }, "confirm">>();
  });
});

describe("the decision", () => {
  test("has the form of its schema, as it is filled in", () => {
    const form = z.object({ limit: z.number().default(1) });
    const built = start.human("approve", { form }).build();
    type Made = WorkflowOutput<typeof built>["decision"];
    expectTypeOf<Made["form"]>().toEqualTypeOf<{ limit?: number | undefined } | null>();
    expectTypeOf<Made["votes"][number]["form"]>().toEqualTypeOf<{ limit?: number | undefined } | null>();
    expectTypeOf<Made["by"]>().toEqualTypeOf<string | null>();
  });

  test("is a confirmation unless a rejection continues", () => {
    const aborted = start.human("approve", { onReject: "abort" }).build();
    expectTypeOf<WorkflowOutput<typeof aborted>["decision"]["kind"]>().toEqualTypeOf<"confirm">();
    const continued = start.human("approve", { onReject: "continue" }).build();
    expectTypeOf<WorkflowOutput<typeof continued>["decision"]["kind"]>().toEqualTypeOf<"confirm" | "reject">();
    start.human("approve", { onReject: "continue" }).condition("approved", {
      when: ({ value }) => equal(value.decision.kind, "confirm"),
      then: (side) => side.step(log),
    });
  });
});

describe("a function for rejections", () => {
  test("continues with the value, and the value after is that of either way", () => {
    const built = start
      .human("approve", {
        form: typeOnly<{ why: string }>(),
        onReject: (rejected) =>
          rejected.step(log, {
            input: ({ value }) => {
              expectTypeOf(value).toEqualTypeOf<
                Ref<Order & { readonly decision: Decision<{ why: string }, "reject"> }>
              >();
              expectTypeOf(value.decision.form.why).toExtend<Reference<string | undefined>>();
              return value.id;
            },
          }),
      })
      .build();
    expectTypeOf<WorkflowOutput<typeof built>>().toEqualTypeOf<
      { logged: true } | (Order & { readonly decision: Decision<{ why: string }, "confirm"> })
    >();
  });

  test("sees what the mapping made", () => {
    const asked = start.human("approve", {
      input: ({ input }) => ({ amount: input.total }),
      onReject: (rejected) =>
        rejected.step(count, { input: ({ value, input }) => ({ id: input.id, total: value.amount }) }),
    });
    const built = asked.build();
    expectTypeOf<Extract<WorkflowOutput<typeof built>, number>>().toEqualTypeOf<number>();
  });

  test("that ends leaves the confirmation", () => {
    const built = start.human("approve", { onReject: (rejected) => rejected.fail("no", { message: "no" }) }).build();
    expectTypeOf<WorkflowOutput<typeof built>>().toEqualTypeOf<
      Order & { readonly decision: Decision<unknown, "confirm"> }
    >();
    const early = start
      .human("approve", { onReject: (rejected) => rejected.step(log).complete("no") })
      .step(count)
      .build();
    expectTypeOf<WorkflowOutput<typeof early>>().toEqualTypeOf<number | { logged: true }>();
  });
});
