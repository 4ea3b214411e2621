import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster, statusesOf, untilEvent } from "../support/cluster.ts";
import type { Gate } from "../support/gate.ts";
import { gate } from "../support/gate.ts";
import { Recorder } from "../support/recorder.ts";

/** What a test says of a run: which steps fail, and which must have completed before any of them does. */
interface Plan {
  readonly failing: readonly string[];
  readonly after: readonly string[];
  /** Whether there is a savepoint before the forks. */
  readonly saved?: boolean;
}

/** Makes steps that pass the plan on, or fail once the gate is open if the plan says so. */
const stepsOf = (calls: Recorder, mayFail: Gate) => {
  const step = <const Name extends string>(name: Name) =>
    calls.step(name, {
      undo: true,
      run: async (plan: Plan): Promise<Plan> => {
        if (!plan.failing.includes(name)) return plan;
        await mayFail.passed;
        throw new Error(`${name} failed`);
      },
    });
  return step;
};

/** pay, then a fork of (before, a fork of a and b, after) and (one, two), then end. A savepoint behind pay if planned. */
const twoLevels = (calls: Recorder, mayFail: Gate) => {
  const step = stepsOf(calls, mayFail);
  const pay = step("pay");
  const left = { before: step("before"), a: step("a"), b: step("b"), after: step("after") };
  const right = { one: step("one"), two: step("two") };
  const end = step("end");
  const definition = workflow<Plan>({ name: "two-levels", version: 1 })
    .step(pay)
    .condition("is-saved", { when: "has(input.saved) && input.saved", then: (side) => side.savepoint("paid") })
    .fork("outer", {
      left: (branch) =>
        branch
          .step(left.before)
          .fork("inner", { a: (inner) => inner.step(left.a), b: (inner) => inner.step(left.b) })
          .step(left.after, { input: ({ input }) => input }),
      right: (branch) => branch.step(right.one).step(right.two),
    })
    .step(end, { input: ({ input }) => input })
    .build();
  const services = { pay: [pay, end], left: Object.values(left), right: Object.values(right) };
  return { definition, services };
};

/** Three forks, one in another, with a step before and behind each. */
const threeLevels = (calls: Recorder, mayFail: Gate) => {
  const step = stepsOf(calls, mayFail);
  const deep = { x: step("x"), y: step("y") };
  const middle = { before: step("middle-before"), after: step("middle-after"), beside: step("middle-beside") };
  const outer = { before: step("outer-before"), after: step("outer-after"), beside: step("outer-beside") };
  const pay = step("pay");
  const definition = workflow<Plan>({ name: "three-levels", version: 1 })
    .step(pay)
    .fork("outer", {
      deep: (branch) =>
        branch
          .step(outer.before)
          .fork("middle", {
            deeper: (inner) =>
              inner
                .step(middle.before)
                .fork("inner", { x: (last) => last.step(deep.x), y: (last) => last.step(deep.y) })
                .step(middle.after, { input: ({ input }) => input }),
            beside: (inner) => inner.step(middle.beside),
          })
          .step(outer.after, { input: ({ input }) => input }),
      beside: (branch) => branch.step(outer.beside),
    })
    .build();
  const services = {
    outer: [pay, ...Object.values(outer)],
    middle: Object.values(middle),
    inner: Object.values(deep),
  };
  return { definition, services };
};

type Scenario = ReturnType<typeof twoLevels> | ReturnType<typeof threeLevels>;

/** Runs the plan: the steps that fail do so once those they come after have completed. */
const runPlan = async (cluster: Cluster, { definition }: Scenario, plan: Plan, mayFail: Gate) => {
  const { instanceId } = await cluster.start(definition, plan);
  for (const node of plan.after) await untilEvent(cluster, instanceId, "step.completed", node);
  mayFail.open();
  return cluster.ended(instanceId);
};

/** Every step that ran, but for those that are kept, was undone once, and these pairs in this order. */
const expectUndone = (
  calls: Recorder,
  kept: readonly string[],
  pairs: readonly (readonly [first: string, second: string])[],
): void => {
  const labels = calls.labels();
  const ran = labels.filter((label) => !label.startsWith("undo ") && !kept.includes(label));
  const undone = labels.filter((label) => label.startsWith("undo "));
  expect(undone.toSorted()).toEqual(ran.map((label) => `undo ${label}`).toSorted());
  for (const [first, second] of pairs) {
    expect(calls.isBefore(`undo ${first}`, `undo ${second}`), `${first} is undone before ${second}`).toBe(true);
  }
};

test("A32 nested forks, failure in the inner one: every compensation once, inner before outer", async () => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = twoLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services });
  const view = await runPlan(cluster, scenario, { failing: ["a"], after: ["b", "two"] }, mayFail);
  expect(view.status).toBe("failed");
  expect(view.error?.message).toBe("a failed");
  expectUndone(
    calls,
    [],
    [
      ["a", "before"],
      ["b", "before"],
      ["before", "pay"],
      ["two", "one"],
      ["one", "pay"],
    ],
  );
  expect(statusesOf(view)).toMatchObject({ inner: "skipped", outer: "skipped", after: "skipped", end: "skipped" });
});

test("A33 nested forks, failure in the second branch: the inner fork that had joined is undone before what precedes it", async () => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = twoLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services });
  const view = await runPlan(cluster, scenario, { failing: ["two"], after: ["inner", "after"] }, mayFail);
  expect(view.status).toBe("failed");
  expect(view.error?.message).toBe("two failed");
  const pairs = [
    ["after", "a"],
    ["after", "b"],
    ["a", "before"],
    ["b", "before"],
    ["before", "pay"],
  ] as const;
  expectUndone(calls, [], [...pairs, ["two", "one"], ["one", "pay"]]);
  expect(statusesOf(view)).toMatchObject({ inner: "rolled_back", outer: "skipped", end: "skipped" });
});

test("A34 nested forks, failures in the inner one and in the second branch: every compensation once", async () => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = twoLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services, orchestrators: 2 });
  const view = await runPlan(cluster, scenario, { failing: ["a", "b", "two"], after: ["before", "one"] }, mayFail);
  expect(view.status).toBe("failed");
  expectUndone(
    calls,
    [],
    [
      ["before", "pay"],
      ["one", "pay"],
    ],
  );
  for (const name of ["a", "b"]) {
    if (calls.of(name).length > 0) expect(calls.isBefore(`undo ${name}`, "undo before"), name).toBe(true);
  }
  if (calls.of("two").length > 0) expect(calls.isBefore("undo two", "undo one")).toBe(true);
});

test("A35 forks nested three levels deep, failure in the innermost: every compensation once, inner before outer", async () => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = threeLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services });
  const plan = { failing: ["x"], after: ["y", "middle-beside", "outer-beside"] };
  const view = await runPlan(cluster, scenario, plan, mayFail);
  expect(view.status).toBe("failed");
  const inner = [
    ["x", "middle-before"],
    ["y", "middle-before"],
  ] as const;
  const outer = [
    ["middle-before", "outer-before"],
    ["middle-beside", "outer-before"],
  ] as const;
  expectUndone(calls, [], [...inner, ...outer, ["outer-before", "pay"], ["outer-beside", "pay"]]);
});

test("A35 forks nested three levels deep, failure behind all of them: they are undone from the inside out", async () => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = threeLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services });
  const plan = { failing: ["outer-after"], after: ["middle", "outer-beside"] };
  const view = await runPlan(cluster, scenario, plan, mayFail);
  expect(view.status).toBe("failed");
  expect(statusesOf(view)).toMatchObject({ inner: "rolled_back", middle: "rolled_back", outer: "skipped" });
  const innermost = [
    ["outer-after", "middle-after"],
    ["middle-after", "x"],
    ["middle-after", "y"],
  ] as const;
  const inner = [
    ["x", "middle-before"],
    ["y", "middle-before"],
    ["outer-after", "middle-beside"],
  ] as const;
  const outer = [
    ["middle-before", "outer-before"],
    ["middle-beside", "outer-before"],
  ] as const;
  expectUndone(calls, [], [...innermost, ...inner, ...outer, ["outer-before", "pay"], ["outer-beside", "pay"]]);
});

test.each([
  { where: "in the inner fork", failing: ["a"], after: ["b", "two"] },
  { where: "in the second branch", failing: ["two"], after: ["after"] },
  { where: "behind the forks", failing: ["end"], after: ["outer"] },
])("A36 nested forks with a savepoint before, failure $where: what stands before it is untouched", async (given) => {
  const [calls, mayFail] = [new Recorder(), gate()];
  const scenario = twoLevels(calls, mayFail);
  const cluster = await startCluster({ services: scenario.services });
  const view = await runPlan(cluster, scenario, { failing: given.failing, after: given.after, saved: true }, mayFail);
  expect(view.status).toBe("failed");
  expect(view.savepoint).toBe("paid");
  expect(statusesOf(view)).toMatchObject({ pay: "completed", paid: "completed" });
  expectUndone(
    calls,
    ["pay"],
    [
      ["a", "before"],
      ["b", "before"],
      ["two", "one"],
    ],
  );
});
