/** The kit from outside: what a test writes, and what it sees. */
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { testWorkflow } from "./kit.ts";
import { charge, chargeCard, order, orderKit, refundCard, shipParcel } from "./testing/order.ts";

describe("a workflow that goes well", () => {
  it("ends with its output, and no virtual time has passed", async () => {
    const { kit, effects } = orderKit();
    const run = await kit.start({ id: "o1" });
    const end = await run.end();
    expect(end).toMatchObject({ status: "completed", output: { trackingId: "t-p-o1" } });
    expect(end.steps.charge).toMatchObject({ status: "completed", attempt: 1, output: { paymentId: "p-o1" } });
    expect(effects).toEqual(["charge o1", "ship p-o1"]);
    expect(run.elapsedMs).toBe(0);
  });

  it("has the same ids, keys and history each time", async () => {
    const tell = async () => {
      const run = await orderKit().kit.start({ id: "o1" });
      await run.end();
      return { calls: run.calls(), timeline: await run.timeline() };
    };
    const once = await tell();
    expect(await tell()).toEqual(once);
    expect(once.timeline).toMatchInlineSnapshot(`
      "+0ms  instance.started
      +0ms  step.leased charge #1
      +0ms  step.completed charge #1
      +0ms  step.leased ship #1
      +0ms  step.completed ship #1
      +0ms  instance.completed"
    `);
  });

  it("tells its calls with inputs, outputs and idempotency keys", async () => {
    const { kit } = orderKit();
    const run = await kit.start({ id: "o1" });
    await run.end();
    const [call] = run.calls(charge);
    expect(call).toMatchObject({ step: "charge", attempt: 1, input: { id: "o1" }, output: { paymentId: "p-o1" } });
    expect(call?.idempotencyKey).toBe(`${run.instanceId}/charge`);
    expect(run.calls("payment.charge")).toEqual([call]);
    expect(run.calls(shipParcel)[0]?.output?.trackingId).toBe("t-p-o1");
    expect(run.calls()).toHaveLength(2);
  });

  it("may have other instances beside it, each with its own run", async () => {
    const { kit } = orderKit();
    const runs = [await kit.start({ id: "o1" }), await kit.start({ id: "o2" })];
    const ends = await Promise.all(runs.map((run) => run.end()));
    expect(ends.map(({ output }) => output?.trackingId)).toEqual(["t-p-o1", "t-p-o2"]);
    expect(runs[1]?.calls("charge").map(({ input }) => input)).toEqual([{ id: "o2" }]);
  });

  it("can be a definition that came as JSON, with scripts alone", async () => {
    const nodes = [{ kind: "task", name: "a", handler: "h" }] as const;
    const kit = testWorkflow({ format: 1, name: "plain", version: 1, nodes });
    kit.on("a").runs((input) => [input, "done"]);
    expect(await (await kit.start(1)).end()).toMatchObject({ status: "completed", output: [1, "done"] });
  });
});

describe("starting", () => {
  it("checks the input as the client does", async () => {
    const strict = workflow({ name: "strict", version: 1, input: z.object({ n: z.number() }) })
      .savepoint("sp")
      .build();
    const kit = testWorkflow(strict);
    await expect(kit.start({ n: "1" } as never)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });

  it("hands metadata to handlers, and answers the same instance for the same key", async () => {
    const { kit } = orderKit();
    const seen = vi.fn();
    kit.on("charge").runs((_, { metadata }) => {
      seen(metadata);
      return { paymentId: "p" };
    });
    const options = { metadata: { tenant: "north" }, idempotencyKey: "k" };
    const run = await kit.start({ id: "o1" }, options);
    const again = await kit.start({ id: "o1" }, options);
    expect([again.instanceId, again.created]).toEqual([run.instanceId, false]);
    await expect(kit.start({ id: "o2" }, options)).rejects.toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    await run.end();
    expect(seen).toHaveBeenCalledExactlyOnceWith({ tenant: "north" });
  });
});

describe("a step of which nobody says what it does", () => {
  it("fails the test with a sentence that says what to add, and goes on failing it", async () => {
    const kit = testWorkflow(order, { handlers: [chargeCard.implement(() => ({ paymentId: "p" }))] });
    const run = await kit.start({ id: "o1" });
    const error = await run.end().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/step 'ship' .*'shipping\.ship'.*kit\.on\("ship"\)/),
    });
    await expect(run.advance()).rejects.toBe(error);
  });

  it("fails it for a compensation too", async () => {
    const kit = testWorkflow(order);
    kit.on("charge").returns({ paymentId: "p" });
    kit.on("ship").fails();
    const run = await kit.start({ id: "o1" });
    await expect(run.end()).rejects.toThrow(/compensation of step 'charge'.*kit\.onCompensation\("charge"\)/);
  });
});

describe("mistakes of the test", () => {
  it("are told with the names that there are", async () => {
    const { kit } = orderKit();
    expect(() => kit.on("chrage")).toThrow(
      /'chrage' is nothing that workflow 'order' calls; its steps are 'charge', 'ship'/,
    );
    expect(() => kit.onCompensation("ship")).toThrow(/its steps with a compensation are 'charge'/);
    expect(() => kit.on(defineHandler({ name: "other" }))).toThrow(/'other'/);
    expect(() => kit.on(defineStep("other", chargeCard))).toThrow(/'other'/);
    const run = await kit.start({ id: "o1" });
    await expect(run.untilWaiting("pay")).rejects.toThrow(/no step 'pay'/);
  });

  it("are handlers that a worker would not take", () => {
    const handlers = [chargeCard, refundCard.implement(() => {}), refundCard.implement(() => {})] as never;
    expect(() => testWorkflow(order, { handlers })).toThrow(/contract without an implementation.*given twice/);
  });

  it("are options that cannot be", () => {
    expect(() => testWorkflow(order, { startAt: new Date("soon") })).toThrow(/startAt/);
    expect(() => testWorkflow(order, { lease: { ms: 1 } })).toThrow(/lease/);
  });
});

describe("contracts", () => {
  it("hold scripts to their schemas, as they hold implementations", async () => {
    const kit = testWorkflow(order);
    kit.on(charge).returns({ paymentId: 7 } as never);
    kit.onCompensation(charge).returns();
    const run = await kit.start({ id: "o1" });
    const end = await run.end();
    expect(end).toMatchObject({ status: "failed", error: { code: "OUTPUT_INVALID" } });
    expect(run.calls("charge")).toMatchObject([{ result: "failed", error: { code: "OUTPUT_INVALID" } }]);
  });

  it("hold inputs to them, also when only the implementation is known", async () => {
    const kit = orderKit().kit;
    kit.on("charge").returns({ paymentId: "p" });
    const run = await kit.start({ id: 5 } as never);
    expect((await run.end()).steps.charge).toMatchObject({ status: "failed", error: { code: "INPUT_INVALID" } });
  });

  it("learn what a schema makes of an input", async () => {
    const parse = defineHandler({ name: "parse", input: z.string().transform(Number) });
    const kit = testWorkflow(workflow<string>({ name: "parse", version: 1 }).step(defineStep("parse", parse)).build());
    kit.on(parse).runs((n) => n + 1);
    expect((await (await kit.start("41")).end()).output).toBe(42);
  });
});
