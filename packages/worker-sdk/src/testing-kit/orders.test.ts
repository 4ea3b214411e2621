/** What happens beside each other: orders, early joins, and the orders that a seed explores. */
import { describe, expect, it, vi } from "vitest";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import { NonRetryableError } from "../handler/error.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { testWorkflow } from "./kit.ts";

const work = defineHandler<unknown, string>({ name: "work" });
const undo = defineCompensation({ name: "undo", of: work });
const step = <const Name extends string>(name: Name) =>
  defineStep(name, work, { onFailure: undo, retry: { maxAttempts: 1 } });

const beside = workflow<object>({ name: "beside", version: 1 })
  .step(step("first"))
  .fork("both", {
    zeta: (branch) => branch.step(step("z1")).step(step("z2")),
    alpha: (branch) => branch.step(step("a1")).step(step("a2")),
  })
  .step(step("last"))
  .build();

const besideKit = (shuffle?: number) => {
  const kit = testWorkflow(beside, { shuffle });
  kit.on(work).returns("done");
  kit.on(undo).returns();
  return kit;
};

describe("independent steps", () => {
  it("start together and go by the order of the definition", async () => {
    const run = await besideKit().start({});
    await run.end();
    expect(run.calls().map((call) => call.step)).toEqual(["first", "z1", "a1", "z2", "a2", "last"]);
  });

  it("are undone in reverse causal order, and what has run beside the failure is adopted", async () => {
    const kit = besideKit();
    kit.on("z2").fails(new NonRetryableError("no"));
    const run = await kit.start({});
    expect((await run.end()).status).toBe("failed");
    expect(run.compensations).toEqual(["z2", "a2", "z1", "a1", "first"]);
  });

  it("are interleaved by a seed, always in the same way", async () => {
    const tell = async (seed: number) => {
      const run = await besideKit(seed).start({});
      await run.end();
      return (await run.timeline()).split("\n").map((line) => line.replace(/^\S+ +/, ""));
    };
    expect(await tell(7)).toEqual(await tell(7));
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const orders = new Set((await Promise.all(seeds.map(tell))).map((lines) => lines.join()));
    expect(orders.size).toBeGreaterThan(5);
  });

  it("end well in every order, and are undone well in every order", async () => {
    const skipped = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const kit = besideKit(seed);
      if (seed % 2 === 1) kit.on("z1").fails(new NonRetryableError("no"));
      const run = await kit.start({});
      const end = await run.end();
      expect(end.status).toBe(seed % 2 === 1 ? "failed" : "completed");
      if (seed % 2 === 0) continue;
      expect(run.compensations.at(-1)).toBe("first");
      expect(end.steps.last?.status).toBe("skipped");
      skipped.add(String(end.steps.a1?.status));
    }
    expect(skipped).toEqual(new Set(["skipped", "rolled_back"]));
  });
});

describe("an early join", () => {
  const race = workflow<object>({ name: "race", version: 1 })
    .fork(
      "quotes",
      { slow: (branch) => branch.step(step("slow")), fast: (branch) => branch.step(step("fast")) },
      { join: "any" },
    )
    .build();

  it("is won by the branch that takes less virtual time", async () => {
    const kit = testWorkflow(race);
    kit.on("slow").returns("slow one", { takes: { minutes: 3 } });
    kit.on("fast").returns("fast one", { takes: { minutes: 1 } });
    const run = await kit.start({});
    const end = await run.end();
    expect(end.output).toEqual({ fast: "fast one" });
    expect(end.steps.quotes?.winners).toEqual(["fast"]);
  });

  it("goes on with the other branch when one fails", async () => {
    const kit = testWorkflow(race);
    kit.on("fast").fails(new NonRetryableError("no"));
    kit.on("slow").returns("slow one", { takes: { minutes: 3 } });
    kit.on(undo).returns();
    expect((await (await kit.start({})).end()).output).toEqual({ slow: "slow one" });
  });
});

describe("handlers that need real time", () => {
  it("are waited for, and end in the order in which they do", async () => {
    const kit = besideKit();
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    kit.on("z1").runs(async () => {
      await gate;
      return "late";
    });
    kit.on("a2").runs(() => {
      release();
      return "done";
    });
    const run = await kit.start({});
    expect((await run.end()).status).toBe("completed");
    expect(run.calls().map((call) => call.step)).toEqual(["first", "z1", "a1", "a2", "z2", "last"]);
    expect(run.elapsedMs).toBe(0);
  });

  it("may run under the fake timers of a test framework", async () => {
    vi.useFakeTimers();
    try {
      const kit = besideKit();
      kit.on("z1").runs(async () => {
        await Promise.resolve();
        return "done";
      });
      expect((await (await kit.start({})).end()).status).toBe("completed");
    } finally {
      vi.useRealTimers();
    }
  });

  it("keep their leases in virtual time, however long they take", async () => {
    const kit = besideKit();
    kit.on("z1").returns("done", { takes: { minutes: 4 } });
    const run = await kit.start({});
    await run.end();
    expect(run.calls("z1").map(({ result }) => result)).toEqual(["completed"]);
  });
});
