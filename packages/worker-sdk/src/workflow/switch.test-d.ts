import { expectTypeOf, test } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import type { Workflow } from "./built.ts";
import { equal, greaterThan } from "./condition.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

interface Order {
  readonly country: "DE" | "AT" | "CH";
  readonly total: number;
}

const start = workflow<Order>({ name: "order", version: 1 });
const make = <const Name extends string, const Output>(name: Name, output: Output) =>
  defineStep(name, defineHandler<unknown, Output>({ name: `give ${String(output)}` }));
const [one, two, three] = [make("one", 1), make("two", 2), make("three", 3)];

test("a switch passes on what its sides do", () => {
  const built = start
    .switch("ship", {
      cases: [
        { when: ({ value }) => equal(value.country, "DE"), then: (side) => side.step(one) },
        { when: ({ input }) => greaterThan(input.total, 1), then: (side) => side.step(two) },
      ],
      else: (side) => side.step(three),
    })
    .build();
  expectTypeOf(built).toEqualTypeOf<Workflow<Order, 1 | 2 | 3>>();
});

test("a switch without else passes its input on when no case holds", () => {
  const built = start.switch("ship", { cases: [{ when: "true", then: (side) => side.step(one) }] }).build();
  expectTypeOf(built).toEqualTypeOf<Workflow<Order, Order | 1>>();
});

test("sides that end add no value, and one that completes adds it to that of the workflow", () => {
  const built = start
    .switch("ship", {
      cases: [
        { when: "true", then: (side) => side.fail("no", { message: "no" }) },
        { when: "true", then: (side) => side.step(one).complete("early") },
        { when: "true", then: (side) => side.step(two) },
      ],
      else: (side) => side.fail("never", { message: "never" }),
    })
    .step(three)
    .build();
  expectTypeOf(built).toEqualTypeOf<Workflow<Order, 1 | 3>>();
});
