import { NonRetryableError, RetryAfterError, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster, statusesOf, stepOf } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

const quick = { delayMs: 1, jitter: 0 };

test.each([1, 2, 5])("S01 maxAttempts %i means so many handler calls and not one more", async (maxAttempts) => {
  const calls = new Recorder();
  const step = calls.step("step", { run: failing("again"), retry: { ...quick, maxAttempts }, undo: true });
  const definition = workflow<object>({ name: "attempts", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(calls.of("step").map(({ context }) => context.attempt)).toEqual(
    Array.from({ length: maxAttempts }, (_, index) => index + 1),
  );
  expect(stepOf(view, "step")).toMatchObject({ attempt: maxAttempts, maxAttempts });
  expect(new Set(calls.of("step").map(({ context }) => context.idempotencyKey)).size).toBe(1);
  expect(calls.first("undo step").context.idempotencyKey).not.toBe(calls.first("step").context.idempotencyKey);
});

test("S01 a step that is not idempotent is called once, also when it throws", async () => {
  const calls = new Recorder();
  const step = calls.step("step", { run: failing("once"), idempotent: false });
  const definition = workflow<object>({ name: "once", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  expect((await cluster.run(definition, {})).status).toBe("failed");
  expect(calls.labels()).toEqual(["step"]);
});

test("S01 an error that says not to try again ends the step at once", async () => {
  const calls = new Recorder();
  const run = () => {
    throw new NonRetryableError("the card is stolen");
  };
  const step = calls.step("step", { run, retry: { ...quick, maxAttempts: 5 } });
  const definition = workflow<object>({ name: "stolen", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const view = await cluster.run(definition, {});
  expect(view.error).toMatchObject({ code: "HANDLER_NOT_RETRYABLE", message: "the card is stolen" });
  expect(calls.of("step")).toHaveLength(1);
});

interface Retried {
  readonly delayMs: number;
  /** From the event of the failure to the event of the next lease. */
  readonly waitedMs: number;
}

/** The waits between the attempts of a step, as the history tells them. */
const waitsOf = async (cluster: Cluster, instanceId: string): Promise<Retried[]> => {
  const events = await cluster.events(instanceId);
  return events.flatMap(({ type, data, createdAt }, index) => {
    if (type !== "step.retried" && type !== "compensation.retried") return [];
    const next = events.slice(index).find((event) => event.type === "step.leased");
    if (next === undefined) throw new Error("a retry was not followed by another lease");
    return [{ delayMs: Number(data?.delayMs), waitedMs: next.createdAt.getTime() - createdAt.getTime() }];
  });
};

/** Times of events are rounded to milliseconds, each on its own. */
const roundingMs = 2;

test.each([
  { strategy: "fixed", delays: [40, 40, 40, 40], maxDelayMs: 1_000 },
  { strategy: "linear", delays: [40, 80, 120, 160], maxDelayMs: 1_000 },
  { strategy: "exponential", delays: [40, 80, 160, 320], maxDelayMs: 1_000 },
  { strategy: "exponential", delays: [40, 80, 100, 100], maxDelayMs: 100 },
  { strategy: "linear", delays: [40, 80, 90, 90], maxDelayMs: 90 },
] as const)(
  "S02 $strategy delays up to $maxDelayMs ms are observed between attempts, forward and in compensation",
  async (given) => {
    const { strategy, delays, maxDelayMs } = given;
    const calls = new Recorder();
    const retry = { maxAttempts: 5, strategy, delayMs: 40, maxDelayMs, jitter: 0 };
    const undo = (_: unknown, { attempt }: { readonly attempt: number }) => {
      if (attempt < 5) throw new Error("not yet");
    };
    const step = calls.step("step", { run: failing("again"), retry, undo, undoRetry: retry });
    const definition = workflow<object>({ name: "delays", version: 1 }).step(step).build();
    const cluster = await startCluster({ services: { service: [step] } });
    const view = await cluster.run(definition, {});
    expect(view.status).toBe("failed");
    const waits = await waitsOf(cluster, view.instanceId);
    expect(waits.map(({ delayMs }) => delayMs)).toEqual([...delays, ...delays]);
    for (const { delayMs, waitedMs } of waits) expect(waitedMs).toBeGreaterThanOrEqual(delayMs - roundingMs);
  },
);

test("S02 jitter takes each delay from its range, and not always the same", async () => {
  const calls = new Recorder();
  const retry = { maxAttempts: 4, strategy: "fixed", delayMs: 60, jitter: 0.5 } as const;
  const step = calls.step("step", { run: failing("again"), retry });
  const definition = workflow<object>({ name: "jitter", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const views = await Promise.all(Array.from({ length: 10 }, () => cluster.run(definition, {})));
  const waits = (await Promise.all(views.map(({ instanceId }) => waitsOf(cluster, instanceId)))).flat();
  expect(waits).toHaveLength(30);
  for (const { delayMs, waitedMs } of waits) {
    expect(delayMs).toBeGreaterThanOrEqual(30);
    expect(delayMs).toBeLessThanOrEqual(60);
    expect(waitedMs).toBeGreaterThanOrEqual(delayMs - roundingMs);
  }
  expect(new Set(waits.map(({ delayMs }) => delayMs)).size).toBeGreaterThan(3);
});

test("S02 a handler that says when to try again is asked again no sooner", async () => {
  const calls = new Recorder();
  const run = (_: unknown, { attempt }: { readonly attempt: number }) => {
    if (attempt === 1) throw new RetryAfterError(120);
    return "done";
  };
  const step = calls.step("step", { run, retry: { maxAttempts: 2, delayMs: 1, maxDelayMs: 5 } });
  const definition = workflow<object>({ name: "retry-after", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("completed");
  const [wait] = await waitsOf(cluster, view.instanceId);
  expect(wait?.delayMs).toBe(120);
  expect(wait?.waitedMs).toBeGreaterThanOrEqual(120 - roundingMs);
});

test("S02 a step with a delay is not called before it has passed", async () => {
  const calls = new Recorder();
  const [now, later] = [calls.step("now"), calls.step("later", { delayMs: 150 })];
  const definition = workflow<object>({ name: "delayed", version: 1 }).step(now).step(later).build();
  const cluster = await startCluster({ services: { service: [now, later] } });
  const { instanceId } = await cluster.run(definition, {});
  const events = await cluster.events(instanceId);
  const time = (type: string, node: string) =>
    events.find((event) => event.type === type && event.node === node)?.createdAt.getTime() ?? Number.NaN;
  expect(time("step.leased", "later") - time("step.completed", "now")).toBeGreaterThanOrEqual(150 - roundingMs);
});

test("S06 a sibling that finishes while a retry is pending rolls nothing back: the retry goes on and all completes", async () => {
  const calls = new Recorder();
  const flaky = calls.step("flaky", {
    undo: true,
    retry: { maxAttempts: 3, delayMs: 60, strategy: "fixed", jitter: 0 },
    run: (_: unknown, { attempt }: { readonly attempt: number }) => {
      if (attempt < 3) throw new Error("not yet");
      return "at last";
    },
  });
  // It ends while the other waits for its retry.
  const sibling = calls.step("sibling", { undo: true, run: async () => (await calls.begun("flaky", 1)).label });
  const last = calls.step("last", { undo: true });
  const definition = workflow<object>({ name: "pending-retry", version: 1 })
    .fork("both", { flaky: (branch) => branch.step(flaky), sibling: (branch) => branch.step(sibling) })
    .step(last)
    .build();
  const cluster = await startCluster({ services: { flaky: [flaky], sibling: [sibling, last] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("completed");
  expect(statusesOf(view)).toEqual({ both: "completed", flaky: "completed", sibling: "completed", last: "completed" });
  expect(calls.labels().filter((label) => label.startsWith("undo"))).toEqual([]);
  expect(calls.first("last").input).toEqual({ flaky: "at last", sibling: "flaky" });
});
