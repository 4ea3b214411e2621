import { expectTypeOf, test } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import type { WorkflowOutput } from "./built.ts";
import type { Ref } from "./ref.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

interface Offer {
  readonly price: number;
}

const ask = defineHandler<{ id: string }, Offer>({ name: "ask" });
const [near, far] = [defineStep("near", ask), defineStep("far", ask)];
const log = defineStep("log", defineHandler<unknown, null>({ name: "log" }));
const start = workflow<{ id: string }>({ name: "offers", version: 1 });

test("a branch that the join does not wait for may be absent from its value", () => {
  const first = start.fork("offers", { one: (b) => b.step(near), two: (b) => b }, { join: "any" }).build();
  expectTypeOf<WorkflowOutput<typeof first>>().toEqualTypeOf<{
    readonly one?: Offer;
    readonly two?: { id: string };
  }>();
  const some = start.parallel("offers", [near, far], { join: { atLeast: 1 }, losers: "wait" }).build();
  expectTypeOf<WorkflowOutput<typeof some>>().toEqualTypeOf<{ readonly near?: Offer; readonly far?: Offer }>();
});

test("a join that waits for all is as without options", () => {
  const forked = start.fork("offers", { one: (b) => b.step(near), two: (b) => b }, { join: "all" }).build();
  expectTypeOf<WorkflowOutput<typeof forked>>().toEqualTypeOf<{ readonly one: Offer; readonly two: { id: string } }>();
  start.parallel("offers", [near, far], {}).step(log, { input: ({ outputOf }) => outputOf(far) });
});

test("a join whose rule is only known at run time may be any", () => {
  const rule = "any" as "all" | "any";
  const forked = start.parallel("offers", [near, far], { join: rule }).build();
  expectTypeOf<WorkflowOutput<typeof forked>>().toEqualTypeOf<{ readonly near?: Offer; readonly far?: Offer }>();
});

test("what comes after sees that a branch may be absent", () => {
  start.parallel("offers", [near, far], { join: "any", losers: "compensate" }).step(log, {
    input: ({ value }) => {
      expectTypeOf(value.near.price).toEqualTypeOf<Ref<number | undefined>>();
      return null;
    },
  });
});

test("what certainly ran before the fork did so after it", () => {
  start
    .step(near)
    .fork("f", { one: (b) => b.step(log), two: (b) => b.signal("two") }, { join: "any" })
    .step(defineStep("end", log.handler), { input: ({ outputOf }) => outputOf(near).price });
});
