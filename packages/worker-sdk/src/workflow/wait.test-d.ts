import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { typeOnly } from "../handler/schema.ts";
import type { Workflow } from "./built.ts";
import { expr, required } from "./expression.ts";
import { workflow } from "./workflow.ts";

interface Order {
  readonly dueAt: string;
  readonly paidAt?: number;
}

const start = workflow<Order>({ name: "order", version: 1 });

test("a sleep passes its input on, and takes a duration or a time", () => {
  const built = start
    .sleep("a", { durationMs: 1 })
    .sleep("b", { until: ({ input }) => input.dueAt })
    .sleep("c", { until: ({ value }) => required(value.paidAt) })
    .sleep("d", { until: "input.dueAt" })
    .sleep("e", { until: () => "input.dueAt" })
    .sleep("f", { until: expr<string | number>("value.dueAt") })
    .build();
  expectTypeOf(built).toEqualTypeOf<Workflow<Order, Order>>();
});

test("a time that may be absent, or is no time, is refused", () => {
  // @ts-expect-error: it may be absent
  start.sleep("a", { until: ({ input }) => input.paidAt });
  // @ts-expect-error: it is no time
  start.sleep("a", { until: expr<boolean>("true") });
  // @ts-expect-error: it is one or the other
  start.sleep("a", { durationMs: 1, until: "input.dueAt" });
  // @ts-expect-error: it is needed
  start.sleep("a", {});
});

test("a signal passes on its payload", () => {
  expectTypeOf(start.signal("paid").build()).toEqualTypeOf<Workflow<Order, unknown>>();
  const schema = z.object({ by: z.string().default("x") });
  const sent = start.signal("paid", { payload: schema, signal: "order.paid", timeoutMs: 1 }).build();
  expectTypeOf(sent).toEqualTypeOf<Workflow<Order, { by?: string | undefined }>>();
  const typed = start.signal("paid", { payload: typeOnly<{ readonly by: string }>() }).build();
  expectTypeOf(typed).toEqualTypeOf<Workflow<Order, { readonly by: string }>>();
});
