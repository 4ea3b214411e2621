/** What people do to instances: cancel, abort, dead letters, resume, pause; and handlers that are told to stop. */
import { describe, expect, it } from "vitest";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import { NonRetryableError } from "../handler/error.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { testWorkflow } from "./kit.ts";
import { order, orderKit, refundCard, shipParcel } from "./testing/order.ts";

describe("cancelling", () => {
  it("undoes what a step that is adopted has done", async () => {
    const { kit, effects } = orderKit();
    const run = await kit.start({ id: "o1" });
    const view = await run.untilCalled("charge");
    expect(view.steps.charge?.status).toBe("running");
    await run.cancel({ requestedBy: "ann", reason: "wrong order" });
    expect(await run.end()).toMatchObject({ status: "cancelled", error: { message: "cancelled by ann: wrong order" } });
    expect(effects).toEqual(["charge o1", "refund o1 (happened)"]);
    expect((await run.history()).map(({ type }) => type)).toContain("step.adopted");
    const page = await kit.operator.audit({ instanceId: run.instanceId });
    expect(page.acts).toMatchObject([{ act: "cancel", requestedBy: "ann" }]);
  });

  it("tells a handler that runs to stop, while the test waits for the end", async () => {
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const kit = testWorkflow(order, { handlers: [refundCard.implement(() => {})] });
    kit.on("charge").runs(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          begun();
        }),
    );
    const run = await kit.start({ id: "o1" });
    const ending = run.end();
    await running;
    await run.cancel();
    expect((await ending).status).toBe("cancelled");
    expect(run.calls("charge")).toMatchObject([{ result: "failed", error: { code: "INSTANCE_STOPPED" } }]);
    expect(run.elapsedMs).toBe(0);
  });

  it("does not wait for the end of an instance that was aborted while its handler goes on", async () => {
    const { kit, effects } = orderKit();
    kit.on("charge").returns({ paymentId: "p" }, { takes: { seconds: 50 } });
    const run = await kit.start({ id: "o1" });
    await run.untilCalled("charge");
    await run.abort();
    expect((await run.end()).status).toBe("aborted");
    await run.advance({ minutes: 1 });
    expect(run.calls("charge")).toMatchObject([{ result: "refused" }]);
    expect(effects).toEqual([]);
  });
});

describe("dead letters", () => {
  const careful = workflow<{ paymentId: string }>({ name: "careful", version: 1, onFailure: "dlq" })
    .step(defineStep("ship", shipParcel, { retry: { maxAttempts: 1 } }))
    .build();
  const dead = async () => {
    const kit = testWorkflow(careful);
    kit
      .on(shipParcel)
      .fails("no such address", { times: 1 })
      .runs(({ paymentId }) => ({ trackingId: `t-${paymentId}` }));
    const run = await kit.start({ paymentId: "p1" });
    await run.untilWaiting();
    return { kit, run };
  };

  it("are requeued, with another input if the test gives one", async () => {
    const { run } = await dead();
    await run.requeue("ship", { input: { paymentId: "p2" } });
    expect((await run.end()).output).toEqual({ trackingId: "t-p2" });
  });

  it("are resolved", async () => {
    const { run } = await dead();
    await run.resolve("ship", { output: { trackingId: "by hand" } });
    expect((await run.end()).output).toEqual({ trackingId: "by hand" });
  });

  it("are discarded, listed, and told by end()", async () => {
    const { kit, run } = await dead();
    expect((await kit.operator.deadLetters()).deadLetters).toMatchObject([{ step: "ship" }]);
    await expect(run.end()).rejects.toThrow(/step 'ship' has failed .*no such address.*run\.requeue\("ship"\)/);
    await run.discard("ship", { reason: "the customer has moved" });
    expect((await run.end()).status).toBe("failed");
  });
});

describe("savepoints", () => {
  const again = workflow<{ id: string }>({ name: "again", version: 1 })
    .step(defineStep("first", defineHandler<{ id: string }, { paymentId: string }>({ name: "first" })))
    .savepoint("paid", { retry: { maxAttempts: 3, strategy: "fixed", delayMs: 60_000, jitter: 0 } })
    .step(defineStep("ship", shipParcel, { retry: { maxAttempts: 1 } }))
    .build();

  it("lead forward again by themselves, after their delay", async () => {
    const kit = testWorkflow(again);
    kit.on("first").returns({ paymentId: "p" });
    kit.on("ship").fails("closed", { times: 2 }).returns({ trackingId: "t" });
    const run = await kit.start({ id: "o1" });
    expect((await run.end()).output).toEqual({ trackingId: "t" });
    expect(run.calls("first")).toHaveLength(1);
    expect(new Set(run.calls("ship").map(({ idempotencyKey }) => idempotencyKey)).size).toBe(3);
    expect(run.elapsedMs).toBeGreaterThanOrEqual(120_000);
  });

  it("are where a person resumes", async () => {
    const kit = testWorkflow(again);
    kit.on("first").returns({ paymentId: "p" });
    kit.on("ship").fails(new NonRetryableError("closed"));
    const run = await kit.start({ id: "o1" });
    expect(await run.end()).toMatchObject({ status: "failed", savepoint: "paid" });
    kit.on("ship").runs((input) => ({ trackingId: JSON.stringify(input) }));
    await run.resume({ input: { paymentId: "edited" } });
    expect((await run.end()).output).toEqual({ trackingId: '{"paymentId":"edited"}' });
  });
});

describe("definitions", () => {
  it("that are paused hold their steps", async () => {
    const { kit } = orderKit();
    await kit.start({ id: "o0" });
    await kit.operator.pauseDefinition("order", { requestedBy: "ann" });
    const run = await kit.start({ id: "o1" });
    await expect(run.end()).rejects.toThrow(/paused: kit\.operator\.unpauseDefinition/);
    await kit.operator.unpauseDefinition("order", { requestedBy: "ann" });
    expect((await run.end()).status).toBe("completed");
  });
});

describe("priorities", () => {
  it("are changed", async () => {
    const { kit } = orderKit();
    const run = await kit.start({ id: "o1" }, { priority: 10 });
    await run.reprioritise({ priority: 90 });
    expect((await run.end()).priority).toBe(90);
  });
});

describe("transactional handlers", () => {
  const write = defineHandler<{ id: string }, string>({ name: "write" });
  const erase = defineCompensation({ name: "erase", of: write });
  const step = defineStep("write", write, { onFailure: erase, retry: { maxAttempts: 1 } });
  const writing = workflow<{ id: string }>({ name: "writing", version: 1 }).step(step).build();
  const ledger = () => {
    const told: string[] = [];
    return {
      told,
      transaction: () => ({
        query: async (text: string, values: readonly unknown[]) => {
          told.push(`${text} ${values.join()}`);
          return { rows: [{ n: 1 }] };
        },
        commit: () => void told.push("commit"),
        rollback: () => void told.push("rollback"),
      }),
    };
  };
  const writer = (fails: boolean) =>
    write.implement(
      async ({ id }, { transaction }) => {
        const { rows } = await transaction.query<{ n: number }>("INSERT", [id]);
        if (fails) throw new NonRetryableError("full");
        return `row ${rows[0]?.n}`;
      },
      { transactional: true },
    );

  it("get the transaction that the test gives, committed with their step", async () => {
    const { told, transaction } = ledger();
    const kit = testWorkflow(writing, { handlers: [writer(false)], transaction });
    expect((await (await kit.start({ id: "o1" })).end()).output).toBe("row 1");
    expect(told).toEqual(["INSERT o1", "commit"]);
  });

  it("have had no effect when they fail, so nothing is undone", async () => {
    const { told, transaction } = ledger();
    const kit = testWorkflow(writing, { handlers: [writer(true)], transaction });
    const run = await kit.start({ id: "o1" });
    expect((await run.end()).steps.write).toMatchObject({ status: "failed", outcome: "absent" });
    expect(told).toEqual(["INSERT o1", "rollback"]);
    expect(run.compensationCalls("write")).toEqual([]);
  });

  it("are rolled back when their worker dies or their lease is lost", async () => {
    const { told, transaction } = ledger();
    const twice = workflow<{ id: string }>({ name: "twice", version: 1 })
      .step(defineStep("write", write, { retry: { maxAttempts: 3 } }))
      .build();
    const kit = testWorkflow(twice, { handlers: [writer(false)], transaction });
    kit.on("write").crashes({ called: true, times: 1 }).stalls({ times: 1 });
    const run = await kit.start({ id: "o1" });
    expect((await run.end()).status).toBe("completed");
    await run.advance({ minutes: 1 });
    expect(told.filter((line) => line === "commit")).toHaveLength(1);
    expect(told.filter((line) => line === "rollback")).toHaveLength(2);
    expect(run.calls("write").map(({ result }) => result)).toEqual(["crashed", "refused", "completed"]);
  });

  it("fail the test with a sentence when it gives none", async () => {
    const run = await testWorkflow(writing, { handlers: [writer(false)] }).start({ id: "o1" });
    await expect(run.end()).rejects.toThrow(/'write' is transactional.*testWorkflow\(workflow, \{ transaction:/);
  });
});
