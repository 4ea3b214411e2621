// Mistakes, each with the sentence that the compiler must say of it; `types.test.ts` compiles this file. A paragraph that
// begins with expect-error lines must fail with these sentences and no others; the rest must compile.
import { z } from "zod";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import { typeOnly } from "../handler/schema.ts";
import { equal } from "./condition.ts";
import { optional } from "./expression.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

const Order = z.object({ id: z.string(), total: z.number(), note: z.string().optional() });
const Charge = z.object({ id: z.string(), amount: z.number(), note: z.string().optional() });
const chargeCard = defineHandler({ name: "charge-card", input: Charge, output: z.object({ paymentId: z.string() }) });
const shipOrder = defineHandler({ name: "ship-order", input: z.object({ paymentId: z.string() }) });
const refundCard = defineCompensation({ name: "refund-card", of: chargeCard });
const voidCard = defineCompensation({ name: "void-card", of: chargeCard, input: z.object({ why: z.string() }) });
const charge = defineStep("charge", chargeCard, { onFailure: refundCard });
const risky = defineStep("risky", chargeCard, { onFailure: { handler: voidCard, timeoutMs: 1_000 } });
const ship = defineStep("ship", shipOrder);
const logger = defineHandler({ name: "log" });
const log = defineStep("log", logger);
const start = workflow({ name: "order", version: 1, input: Order });
const charged = start.step(charge, { input: ({ input }) => ({ id: input.id, amount: input.total }) });

// What is here is right, so it must compile.
export const right = charged
  .savepoint("paid")
  .fork("fulfil", { shipping: (branch) => branch.step(ship), nothing: (branch) => branch })
  .condition("noted", { when: ({ input }) => equal(input.id, "x"), then: (side) => side.rollbackTo("back", "paid") })
  .switch("kind", { cases: [{ when: "true", then: (side) => side.complete("early") }], else: (side) => side })
  .human("approve", { form: typeOnly<{ why: string }>(), onReject: (side) => side.fail("no", { message: "no" }) })
  .sleep("night", { until: ({ input }) => input.id })
  .parallel("ways", [log, defineStep("other", logger)], { join: { atLeast: 1 }, losers: "compensate" })
  .signal("sent", { payload: Order })
  .build();

// expect-error: Property 'totl' does not exist on type 'Ref<
// expect-error: Did you mean 'total'?
start.step(charge, { input: ({ input }) => ({ id: input.id, amount: input.totl }) });

// expect-error: the input of step 'charge' has no field 'amuont'
start.step(charge, { input: ({ input }) => ({ id: input.id, amount: input.total, amuont: 1 }) });

// expect-error: the input of step 'charge' needs field 'amount'
start.step(charge, { input: ({ input }) => ({ id: input.id }) });

// expect-error: field 'amount' of the input of step 'charge' is of the wrong type
start.step(charge, { input: ({ input }) => ({ id: input.id, amount: input.id }) });

// expect-error: field 'id' of the input of step 'charge' may be absent; use optional(...) where it may be left out
start.step(charge, { input: ({ input }) => ({ id: input.note, amount: 1 }) });

// expect-error: field 'id' of the input of step 'charge' is needed, so it cannot be optional(...)
start.step(charge, { input: ({ input }) => ({ id: optional(input.note), amount: 1 }) });

// expect-error: the input of step 'ship' is of the wrong type
start.step(ship, { input: ({ input }) => input });

// expect-error: step 'charge' needs 'amount', which is not passed on; give it an `input` mapping
start.step(charge);

// expect-error: step 'count' cannot take the value that is passed on to it; give it an `input` mapping
start.step(defineStep("count", defineHandler<number, number>({ name: "count" })));

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.step(charge, { input: ({ input }) => ({ id: input.id, amount: 1 }) });

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.fork("f", {
  one: (branch) => branch.step(charge, { input: ({ input }) => ({ id: input.id, amount: 1 }) }),
  two: (branch) => branch,
});

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.savepoint("charge");

// expect-error: 'f' is used already; each name occurs once in a definition
start.fork("f", { one: (branch) => branch.condition("f", { when: "true", then: (side) => side }), two: (b) => b });

// expect-error: 'ship' is used already; each name occurs once in a definition
// expect-error: 'ship' is used already; each name occurs once in a definition
charged.fork("f", { one: (branch) => branch.step(ship), two: (branch) => branch.step(ship) });

// expect-error: 'ship' is used already; each name occurs once in a definition
charged.condition("c", { when: "true", then: (side) => side.step(ship), else: (side) => side.step(ship) });

// expect-error: 'ship' is used already; each name occurs once in a definition
charged.parallel("p", [ship, ship]);

// expect-error: step 'ship' needs 'paymentId', which is not passed on; give it an `input` mapping
start.parallel("p", [ship]);

// expect-error: step 'ship' does not certainly run before this: it comes later, is in another branch
charged.step(defineStep("log", defineHandler({ name: "log" })), { input: ({ outputOf }) => outputOf(ship) });

// expect-error: step 'ship' does not certainly run before this: it comes later, is in another branch
charged.fork("f", {
  one: (branch) => branch.step(ship),
  two: (b) => b.step(defineStep("log", defineHandler({ name: "log" })), { input: ({ outputOf }) => outputOf(ship) }),
});

// expect-error: step 'ship' may not have run: it is on a side of a condition, or where the flow need not have come
charged
  .condition("c", { when: "true", then: (side) => side.step(ship) })
  .step(defineStep("log", defineHandler({ name: "log" })), { input: ({ outputOf }) => outputOf(ship) });

// expect-error: a savepoint cannot stand in a branch of a fork; put it before the fork or after it
charged.fork("f", { one: (branch) => branch.savepoint("s"), two: (branch) => branch });

// expect-error: a savepoint cannot stand in a branch of a fork; put it before the fork or after it
charged.fork("f", {
  one: (branch) => branch.condition("c", { when: "true", then: (side) => side.savepoint("s") }),
  two: (branch) => branch,
});

// expect-error: compensation 'refund-card' was made for handler 'charge-card', and step 'ship' calls another handler
defineStep("ship", shipOrder, { onFailure: refundCard });

// expect-error: compensation 'void-card' was made for handler 'charge-card', and step 'ship' calls another handler
defineStep("ship", shipOrder, { onFailure: { handler: voidCard, timeoutMs: 1 } });

// expect-error: the compensation of step 'risky' does not take the step's input; give it a `compensationInput` mapping
workflow<z.infer<typeof Charge>>({ name: "charge", version: 1 }).step(risky);

// expect-error: the compensation of step 'risky' does not take the step's input; give it a `compensationInput` mapping
start.step(risky, { input: ({ input }) => ({ id: input.id, amount: 1 }) });

// expect-error: field 'why' of the compensation's input of step 'risky' is of the wrong type
start.step(risky, {
  input: ({ input }) => ({ id: input.id, amount: 1 }),
  compensationInput: ({ input }) => ({ why: input.total }),
});

// expect-error: step 'ship' has no compensation; name one as onFailure in defineStep
charged.step(ship, { input: ({ value }) => value, compensationInput: ({ input }) => input });

// expect-error: only the outermost sequence is built; a branch or side is returned as it is
charged.condition("c", { when: "true", then: (side) => side, else: (side) => (side.build() ? side : side) });

// expect-error: is missing in type 'Promise<
charged.fork("f", { one: async (branch) => branch, two: (branch) => branch });

// expect-error: a step without a compensation is never undone; name one as onFailure, or leave compensateOn out
defineStep("ship", shipOrder, { compensateOn: "completed" });

// expect-error: a join that waits for all branches has no losers
charged.fork("f", { one: (branch) => branch.step(ship), two: (branch) => branch.step(log) }, { losers: "cancel" });

// expect-error: a join that waits for all branches has no losers
charged.parallel("f", [ship, log], { join: "all", losers: "wait" });

// expect-error: Type '"some"' is not assignable to type 'JoinRule
charged.parallel("f", [ship, log], { join: "some" });

// expect-error: step 'ship' may not have run: it is on a side of a condition, or where the flow need not have come
charged
  .fork("f", { one: (b) => b.step(ship), two: (b) => b.signal("two") }, { join: "any" })
  .step(log, { input: ({ outputOf }) => outputOf(ship) });

// expect-error: step 'ship' may not have run: it is on a side of a condition, or where the flow need not have come
charged.parallel("p", [ship], { join: { atLeast: 1 } }).step(log, { input: ({ outputOf }) => outputOf(ship) });

// expect-error: step 'ship' may not have run: it is on a side of a condition, or where the flow need not have come
charged
  .fork("f", {
    one: (b) => b.condition("c", { when: "true", then: (side) => side.complete("early") }).step(ship),
    two: (b) => b.signal("two"),
  })
  .step(log, { input: ({ outputOf }) => outputOf(ship) });

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.human("charge");

// expect-error: 'approve.rejected' is used already; each name occurs once in a definition
charged.signal("approve.rejected").human("approve", { onReject: (rejected) => rejected });

// expect-error: 'approve.rejected' is used already; each name occurs once in a definition
charged.human("approve", { onReject: (rejected) => rejected }).signal("approve.rejected");

// expect-error: field 'note' of the input of 'approve' may be absent; use optional(...) where it may be left out
charged.human("approve", { input: ({ input }) => ({ id: input.id, note: input.note }) });

// expect-error: Type '"panic"' is not assignable to type
charged.human("approve", { onReject: "panic" });

// expect-error: Property 'why' does not exist on type
charged
  .human("approve", { form: typeOnly<{ reason: string }>() })
  .step(log, { input: ({ value }) => value.decision.form.why });

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.sleep("charge", { durationMs: 1 });

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.signal("charge");

// expect-error: Source has 0 element(s) but target requires 1
charged.switch("s", { cases: [] });

// expect-error: 's.2' is used already; each name occurs once in a definition
charged.signal("s.2").switch("s", {
  cases: [
    { when: "true", then: (side) => side },
    { when: "true", then: (side) => side },
  ],
});

// expect-error: 'ship' is used already; each name occurs once in a definition
// expect-error: 'ship' is used already; each name occurs once in a definition
charged.switch("s", {
  cases: [
    { when: "true", then: (side) => side.step(ship) },
    { when: "true", then: (side) => side.step(ship) },
    { when: "true", then: (side) => side.step(log) },
  ],
});

// expect-error: 'ship' is used already; each name occurs once in a definition
charged.switch("s", { cases: [{ when: "true", then: (side) => side.step(ship) }], else: (side) => side.step(ship) });

// expect-error: 's' is used already; each name occurs once in a definition
charged.switch("s", { cases: [{ when: "true", then: (side) => side.signal("s") }] });

// expect-error: nothing can follow 'done', which ends the sequence; return it as it is
charged.complete("done").step(ship);

// expect-error: nothing can follow 'no', which ends the sequence; return it as it is
charged.condition("c", {
  when: "true",
  then: (side) => side.fail("no", { message: "no" }).sleep("s", { durationMs: 1 }),
});

// expect-error: nothing can follow 'no', which ends the sequence; return it as it is
charged.fail("no", { message: "no" }).signal("s").build();

// expect-error: nothing can follow 'c', all of whose sides end; return it as it is
charged
  .condition("c", {
    when: "true",
    then: (side) => side.fail("no", { message: "no" }),
    else: (side) => side.complete("early"),
  })
  .savepoint("s");

// expect-error: 'charge' is used already; each name occurs once in a definition
charged.complete("charge");

// expect-error: 'early' is used already; each name occurs once in a definition
charged.condition("c", { when: "true", then: (side) => side.complete("early") }).signal("early");

// expect-error: Property 'message' is missing in type '{}'
charged.fail("no", {});

// expect-error: 'payd' is no savepoint that has certainly been passed by here
charged.savepoint("paid").rollbackTo("back", "payd");

// expect-error: 'charge' is no savepoint that has certainly been passed by here
charged.rollbackTo("back", "charge");

// expect-error: 'paid' is no savepoint that has certainly been passed by here
charged.condition("c", { when: "true", then: (side) => side.savepoint("paid") }).rollbackTo("back", "paid");

// expect-error: only the outermost sequence is built; a branch or side is returned as it is
charged.condition("c", { when: "true", then: (side) => (side.complete("x").build() ? side : side) });
