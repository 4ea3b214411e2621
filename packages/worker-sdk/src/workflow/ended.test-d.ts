import { describe, expectTypeOf, test } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import type { Workflow, WorkflowOutput } from "./built.ts";
import type { Continuation } from "./ended.ts";
import type { AnyEarly, AnyFrame, Flow } from "./flow.ts";
import type { Sequence } from "./sequence.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

interface Order {
  readonly id: string;
}

const start = workflow<Order>({ name: "order", version: 1 });
const make = <const Name extends string, const Output>(name: Name, output: Output) =>
  defineStep(name, defineHandler<unknown, Output>({ name: `give ${String(output)}` }));
const [one, two, three] = [make("one", 1), make("two", 2), make("three", 3)];
const paid = start.step(one).savepoint("paid");

describe("a side that ends", () => {
  test("adds nothing to the condition's value when it fails", () => {
    const failed = start
      .condition("c", { when: "true", then: (s) => s.step(one), else: (s) => s.fail("no", { message: "no" }) })
      .build();
    expectTypeOf(failed).toEqualTypeOf<Workflow<Order, 1>>();
    const back = paid
      .condition("c", { when: "true", then: (s) => s.rollbackTo("back", "paid", { message: "no" }) })
      .build();
    expectTypeOf(back).toEqualTypeOf<Workflow<Order, 1>>();
  });

  test("adds its value to that of the workflow when it completes", () => {
    const early = start
      .condition("c", { when: "true", then: (s) => s.step(one).complete("early") })
      .step(two)
      .build();
    expectTypeOf(early).toEqualTypeOf<Workflow<Order, 1 | 2>>();
    const twice = start
      .condition("c", { when: "true", then: (s) => s.step(one).complete("early") })
      .condition("d", { when: "true", then: (s) => s.complete("later") })
      .step(two)
      .build();
    expectTypeOf(twice).toEqualTypeOf<Workflow<Order, Order | 1 | 2>>();
  });

  test("adds it from any depth, also where it is followed", () => {
    const built = start
      .condition("c", {
        when: "true",
        then: (s) => s.condition("d", { when: "true", then: (t) => t.step(one).complete("early") }).step(two),
      })
      .step(three)
      .build();
    expectTypeOf(built).toEqualTypeOf<Workflow<Order, 1 | 3>>();
  });

  test("adds it to the value of its branch and not to that of the whole", () => {
    const built = start
      .fork("f", {
        a: (b) => b.condition("c", { when: "true", then: (s) => s.step(one).complete("early") }).step(two),
        b: (b) => b.step(three).complete("done"),
      })
      .build();
    expectTypeOf<WorkflowOutput<typeof built>>().toEqualTypeOf<{ readonly a: 1 | 2; readonly b: 3 }>();
  });
});

test("a step that only ever throws does not end the sequence for the types", () => {
  const [broken, also] = [make("broken", null as never), make("also", null as never)];
  const built = start
    .condition("c", { when: "true", then: (s) => s.step(broken), else: (s) => s.step(also) })
    .step(three)
    .build();
  expectTypeOf(built).toEqualTypeOf<Workflow<Order, 3>>();
});

test("the outermost sequence can end of its own too", () => {
  expectTypeOf(start.step(one).complete("done").build()).toEqualTypeOf<Workflow<Order, 1>>();
  const failed = start.condition("c", { when: "true", then: (s) => s.step(one).complete("early") });
  expectTypeOf(failed.fail("no", { message: "no" }).build()).toEqualTypeOf<Workflow<Order, 1>>();
  const both = start.condition("c", {
    when: "true",
    then: (s) => s.step(one).complete("early"),
    else: (s) => s.fail("no", { message: "no" }),
  });
  expectTypeOf(both.build()).toEqualTypeOf<Workflow<Order, 1>>();
});

describe("what is certain after a branch that may end early", () => {
  test("is what stands before the end", () => {
    start
      .fork("f", {
        a: (b) => b.step(one).condition("c", { when: "true", then: (s) => s.complete("early") }),
        b: (b) => b.step(two).complete("done"),
      })
      .step(three, { input: ({ outputOf }) => [outputOf(one), outputOf(two)] });
  });

  test("within the branch is also what comes after it", () => {
    start.fork("f", {
      a: (b) =>
        b
          .condition("c", { when: "true", then: (s) => s.complete("early") })
          .step(one)
          .step(two, { input: ({ outputOf }) => outputOf(one) }),
      b: (b) => b.step(three),
    });
  });
});

describe("savepoints to go back to", () => {
  test("are those before, also from a branch", () => {
    paid.fork("f", {
      a: (b) => b.condition("c", { when: "true", then: (s) => s.rollbackTo("back", "paid") }),
      b: (b) => b.step(two),
    });
  });

  test("whose names are only known at run time are checked then", () => {
    const name = "pa".concat("id");
    start.savepoint(name).rollbackTo("back", name);
  });
});

describe("a sequence that has ended", () => {
  test("has a sentence for each way to continue that a sequence has", () => {
    type Methods = Exclude<
      keyof Sequence<AnyFrame, unknown, string, string>,
      "build" | keyof Flow<never, string, string, AnyEarly, false>
    >;
    expectTypeOf<Continuation>().toEqualTypeOf<Methods>();
  });
});
