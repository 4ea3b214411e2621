/** Sleeps, decisions, signals, deadlines and delays, in virtual time. */
import { describe, expect, it } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import { typeOnly } from "../handler/schema.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { testWorkflow } from "./kit.ts";

const dayMs = 86_400_000;
const days = (count: number) => count * dayMs;
const note = defineHandler<unknown, string>({ name: "note" });

describe("a sleep", () => {
  const napping = workflow<object>({ name: "nap", version: 1 })
    .sleep("nap", { durationMs: days(30) })
    .build();

  it("of thirty days takes thirty days of virtual time", async () => {
    const kit = testWorkflow(napping, { startAt: new Date("2026-02-01T00:00:00Z") });
    const run = await kit.start({});
    expect(await run.end()).toMatchObject({ status: "completed", finishedAt: new Date("2026-03-03T00:00:00Z") });
    expect(run.elapsedMs).toBe(days(30));
    expect(kit.now).toEqual(new Date("2026-03-03T00:00:00Z"));
  });

  it("is not over before its time", async () => {
    const run = await testWorkflow(napping).start({});
    expect((await run.untilWaiting("nap")).steps.nap).toMatchObject({ status: "waiting" });
    expect(run.elapsedMs).toBe(0);
    expect((await run.advance({ days: 29, hours: 23, minutes: 59, seconds: 59, ms: 999 })).status).toBe("running");
    expect((await run.advance({ ms: 1 })).status).toBe("completed");
  });

  it("until a time in the data ends then", async () => {
    const until = workflow<{ at: string }>({ name: "until", version: 1 })
      .sleep("nap", { until: ({ input }) => input.at })
      .build();
    const run = await testWorkflow(until, { startAt: new Date("2026-06-01T00:00:00Z") }).start({
      at: "2026-06-08T12:00:00Z",
    });
    await run.end();
    expect(run.now).toEqual(new Date("2026-06-08T12:00:00Z"));
  });
});

describe("a decision", () => {
  const asking = workflow<{ sum: number }>({ name: "ask", version: 1 })
    .human("approve", {
      deciders: ["ann"],
      timeoutMs: days(2),
      onTimeout: "escalate",
      escalateTo: ["boss"],
      form: typeOnly<{ limit: number }>(),
    })
    .build();

  it("is waited for, made, and passed on", async () => {
    const run = await testWorkflow(asking).start({ sum: 5 });
    const view = await run.untilWaiting();
    expect(view.steps.approve).toMatchObject({ status: "waiting_decision", decision: { deciders: ["ann"] } });
    await expect(run.decide("approve", { kind: "confirm", by: "bob" })).rejects.toMatchObject({
      code: "DECISION_FORBIDDEN",
    });
    await run.decide("approve", { kind: "confirm", by: "ann", form: { limit: 3 } });
    const end = await run.end();
    expect(end.output).toMatchObject({ sum: 5, decision: { kind: "confirm", by: "ann", form: { limit: 3 } } });
    expect(run.elapsedMs).toBe(0);
  });

  it("is escalated at its deadline, and rejected at the next", async () => {
    const run = await testWorkflow(asking).start({ sum: 5 });
    await run.untilWaiting();
    const escalated = await run.advance({ days: 2 });
    expect(escalated.steps.approve?.decision).toMatchObject({ isEscalated: true, deciders: ["boss"] });
    expect(await run.end()).toMatchObject({ status: "failed", error: { code: "DECISION_REJECTED" } });
    expect(run.elapsedMs).toBe(days(4));
  });

  it("that does not come is told by end(), with how to give it", async () => {
    const open = workflow<object>({ name: "open", version: 1 })
      .human("approve", { deciders: ["ann", "bob"] })
      .build();
    const run = await testWorkflow(open).start({});
    const error = await run.end().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "WAIT_TIMEOUT", data: { waitsFor: [{ kind: "decision", step: "approve" }] } });
    expect(String(error)).toMatch(/ann or bob can make: run\.decide\("approve", \{ kind: "confirm", by: "ann" \}\)/);
    await run.decide("approve", { kind: "confirm", by: "bob" });
    expect((await run.end()).status).toBe("completed");
  });
});

describe("a signal", () => {
  const paying = workflow<object>({ name: "pay", version: 1 })
    .step(defineStep("note", note))
    .signal("payment", { signal: "paid", payload: typeOnly<{ sum: number }>(), timeoutMs: days(1) })
    .build();
  const payKit = () => {
    const kit = testWorkflow(paying);
    kit.on(note).returns("noted");
    return kit;
  };

  it("brings its payload", async () => {
    const run = await payKit().start({});
    expect((await run.untilWaiting()).steps.payment?.signal).toBe("paid");
    await run.signal("paid", { payload: { sum: 3 } });
    expect((await run.end()).output).toEqual({ sum: 3 });
  });

  it("that comes early is kept", async () => {
    const run = await payKit().start({});
    await run.signal("paid", { payload: { sum: 4 } });
    expect((await run.view()).signals).toMatchObject([{ name: "paid", sentBy: "test" }]);
    expect((await run.end()).output).toEqual({ sum: 4 });
  });

  it("that does not come in time fails its step", async () => {
    const run = await payKit().start({});
    expect(await run.end()).toMatchObject({ status: "failed", error: { code: "SIGNAL_TIMEOUT" } });
    expect(run.elapsedMs).toBe(days(1));
  });

  it("that is not waited for until the end is told by untilWaiting", async () => {
    const kit = testWorkflow(workflow<object>({ name: "short", version: 1 }).savepoint("sp").build());
    const run = await kit.start({});
    await expect(run.untilWaiting()).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
    await expect(run.untilWaiting("sp")).rejects.toThrow(
      /has ended 'completed' without coming to waiting in step 'sp'/,
    );
  });

  it("misspelt as an option is told", async () => {
    const run = await payKit().start({});
    await expect(run.signal("paid", { sum: 3 } as never)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("delays and deadlines", () => {
  it("pass in virtual time", async () => {
    const late = workflow<object>({ name: "late", version: 1 })
      .step(defineStep("note", note, { delayMs: days(3) }))
      .build();
    const kit = testWorkflow(late);
    kit.on("note").returns("noted");
    const run = await kit.start({});
    await run.advance({ days: 1 });
    expect(run.calls()).toEqual([]);
    await run.end();
    expect(run.elapsedMs).toBe(days(3));
  });

  it("of an instance cancel it", async () => {
    const long = workflow<object>({ name: "long", version: 1, deadlineMs: days(7) })
      .sleep("nap", { durationMs: days(30) })
      .build();
    const run = await testWorkflow(long).start({});
    expect(await run.end()).toMatchObject({ status: "cancelled", error: { code: "DEADLINE_EXCEEDED" } });
    expect(run.elapsedMs).toBe(days(7));
  });

  it("come before what is due later, wherever time is moved to at once", async () => {
    const twoNaps = workflow<object>({ name: "two", version: 1 })
      .fork("naps", {
        long: (branch) => branch.sleep("long", { durationMs: days(5) }).step(defineStep("b", note)),
        short: (branch) => branch.sleep("short", { durationMs: days(1) }).step(defineStep("a", note)),
      })
      .build();
    const kit = testWorkflow(twoNaps);
    kit.on(note).returns("noted");
    const run = await kit.start({});
    await kit.advance({ days: 10 });
    const start = kit.now.getTime() - days(10);
    expect(run.calls().map(({ step, at }) => [step, (at.getTime() - start) / dayMs])).toEqual([
      ["a", 1],
      ["b", 5],
    ]);
  });
});
