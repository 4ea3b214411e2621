/** Failures: retries, timeouts, crashes, zombies, rollback. All waits are virtual. */
import { describe, expect, it } from "vitest";
import { NonRetryableError, RetryAfterError } from "../handler/error.ts";
import { charge, orderKit, refundCard } from "./testing/order.ts";

const started = async (script: (kit: ReturnType<typeof orderKit>["kit"]) => void) => {
  const { kit, effects } = orderKit();
  script(kit);
  const run = await kit.start({ id: "o1" });
  return { kit, effects, run, end: await run.end() };
};

describe("retries", () => {
  it("come after the delays of their policy, in virtual time", async () => {
    const { run, end } = await started((kit) => kit.on("charge").fails("busy", { times: 2 }));
    expect(end.status).toBe("completed");
    const start = run.calls("charge")[0]?.at.getTime() ?? 0;
    expect(run.calls("charge").map(({ at, result }) => [at.getTime() - start, result])).toEqual([
      [0, "failed"],
      [1_000, "failed"],
      [3_000, "completed"],
    ]);
    expect(run.elapsedMs).toBe(3_000);
    expect(end.steps.charge).toMatchObject({ attempt: 3, maxAttempts: 3 });
    expect(new Set(run.calls("charge").map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  it("come when the handler says so", async () => {
    const { run } = await started((kit) => kit.on(charge).fails(new RetryAfterError(90_000), { times: 1 }));
    expect(run.elapsedMs).toBe(90_000);
  });

  it("do not come after a NonRetryableError", async () => {
    const { run, end } = await started((kit) => kit.on("charge").fails(new NonRetryableError("declined")));
    expect(run.calls("charge")).toHaveLength(1);
    expect(end).toMatchObject({ status: "failed", output: undefined, error: { message: "declined" } });
  });
});

describe("time", () => {
  it("is taken by calls that say so", async () => {
    const { run } = await started((kit) => {
      kit.on("charge").takes({ seconds: 40 });
      kit.on("ship").returns({ trackingId: "t" }, { takes: { minutes: 2 } });
    });
    expect(run.elapsedMs).toBe(160_000);
  });

  it("runs out for a call that takes longer than its timeout", async () => {
    const { run, end, effects } = await started((kit) => kit.on("charge").takes({ seconds: 61 }, { times: 1 }));
    expect(run.calls("charge").map(({ error }) => error?.code)).toEqual(["STEP_TIMEOUT", undefined]);
    expect(run.elapsedMs).toBe(61_000);
    expect(effects).toEqual(["charge o1", "charge o1", "ship p-o1"]);
    expect(end.status).toBe("completed");
  });

  it("runs out without a call, or with one that is told to stop", async () => {
    let reason: unknown;
    const { run } = await started((kit) => {
      kit.on("charge").timesOut({ times: 1 });
    });
    expect(run.elapsedMs).toBe(61_000);
    const { kit } = orderKit({
      handlers: [refundCard.implement(() => {}), { ...hanging((why) => (reason = why)) }],
    });
    kit.on("charge").timesOut({ called: true });
    const hung = await kit.start({ id: "o2" });
    expect((await hung.end()).steps.charge).toMatchObject({ attempt: 3, error: { code: "STEP_TIMEOUT" } });
    expect(reason).toMatchObject({ code: "STEP_TIMEOUT" });
  });
});

const hanging = (onAbort: (reason: unknown) => void) => ({
  kind: "handler" as const,
  name: "payment.charge",
  options: {},
  invoke: (_: unknown, { signal }: { signal: AbortSignal }, onCall?: () => void) => {
    onCall?.();
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        onAbort(signal.reason);
        reject(signal.reason);
      });
    });
  },
});

describe("workers that die", () => {
  it("lose their lease, and the step is taken over at once", async () => {
    const { run, effects, end } = await started((kit) => kit.on("charge").crashes({ times: 1 }));
    expect(run.calls("charge").map(({ result }) => result)).toEqual(["crashed", "completed"]);
    expect(run.elapsedMs).toBe(30_001);
    expect(effects).toEqual(["charge o1", "ship p-o1"]);
    expect(end.status).toBe("completed");
    expect(await run.timeline()).toContain("lease.expired charge #1");
  });

  it("may have had their effect", async () => {
    const { effects } = await started((kit) => kit.on("charge").crashes({ called: true, times: 1 }));
    expect(effects).toEqual(["charge o1", "charge o1", "ship p-o1"]);
  });

  it("are as many as there are attempts, then the step is undone with an outcome that nobody knows", async () => {
    const { run, end, effects } = await started((kit) => kit.on("charge").crashes());
    expect(run.elapsedMs).toBe(3 * 30_001);
    expect(end).toMatchObject({ status: "failed", error: { code: "LEASE_LOST" } });
    expect(effects).toEqual(["refund o1 (unknown)"]);
  });
});

describe("workers that come back", () => {
  it("are refused", async () => {
    const { kit, effects } = orderKit();
    kit.on("charge").stalls({ for: { minutes: 5 }, times: 1 });
    const run = await kit.start({ id: "o1" });
    expect(await run.end()).toMatchObject({ status: "completed" });
    await run.advance({ minutes: 5 });
    expect(run.calls("charge").map(({ attempt, result }) => [attempt, result])).toEqual([
      [1, "refused"],
      [2, "completed"],
    ]);
    expect(effects).toEqual(["charge o1", "charge o1", "ship p-o1"]);
    expect((await run.history()).map(({ type }) => type)).toContain("step.refused");
  });

  it("may have their effect after it was undone", async () => {
    const { kit, effects } = orderKit();
    kit
      .on("charge")
      .stalls({ for: { hours: 1 }, late: true, times: 1 })
      .fails(new NonRetryableError("declined"));
    const run = await kit.start({ id: "o1" });
    expect((await run.end()).status).toBe("failed");
    expect(effects).toEqual(["refund o1 (unknown)"]);
    await run.advance({ hours: 1 });
    expect(effects).toEqual(["refund o1 (unknown)", "charge o1"]);
  });

  it("are refused by default as soon as the step was taken over", async () => {
    const { run } = await started((kit) => kit.on("charge").stalls({ times: 1 }));
    expect(run.calls("charge").map(({ result }) => result)).toEqual(["refused", "completed"]);
  });
});

describe("rollback", () => {
  it("undoes what was done, with the step's input and output", async () => {
    const { run, end, effects } = await started((kit) => kit.on("ship").fails("no such address"));
    expect(end).toMatchObject({ status: "failed", error: { message: "no such address" } });
    expect(effects).toEqual(["charge o1", "refund o1 (happened)"]);
    expect(run.compensations).toEqual(["charge"]);
    expect(run.compensationCalls("charge")).toMatchObject([{ input: { id: "o1" }, result: "completed" }]);
    expect(run.calls(refundCard)).toEqual(run.compensationCalls(charge));
  });

  it("tries compensations again, and waits for a person when they are used up", async () => {
    const { kit, effects } = orderKit();
    kit.on("ship").fails();
    kit.on(refundCard).fails("the bank is closed");
    const run = await kit.start({ id: "o1" });
    const view = await run.untilWaiting();
    expect(view).toMatchObject({ status: "dlq", steps: { charge: { deadLetter: { kind: "compensation" } } } });
    expect(run.elapsedMs).toBe(5_000);
    await expect(run.end()).rejects.toThrow(
      /compensation of step 'charge' has failed.*run\.retryCompensation\("charge"\)/,
    );
    kit.on(refundCard);
    await run.retryCompensation("charge");
    expect((await run.end()).status).toBe("failed");
    expect(effects).toEqual(["charge o1", "refund o1 (happened)"]);
  });

  it("goes on without a compensation that a person skips", async () => {
    const { kit } = orderKit();
    kit.on("ship").fails();
    kit.onCompensation("charge").fails(new NonRetryableError("account closed"));
    const run = await kit.start({ id: "o1" });
    await run.untilWaiting();
    await run.skipCompensation("charge", { reason: "paid in cash" });
    expect((await run.end()).status).toBe("failed");
    expect(run.compensations).toEqual([]);
  });
});
