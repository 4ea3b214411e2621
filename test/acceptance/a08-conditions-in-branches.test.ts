import { greaterThan, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

interface Numbers {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

type Branch = keyof Numbers;
const branches = ["a", "b", "c"] as const satisfies Branch[];

/** Three branches, each with two conditions one after another, whose ends are three: small, medium and large. */
const sorter = (calls: Recorder) => {
  const end = <const Name extends string>(name: Name) => calls.step(name, { run: () => ({ size: name.slice(2) }) });
  const ends = {
    a: { small: end("a-small"), medium: end("a-medium"), large: end("a-large") },
    b: { small: end("b-small"), medium: end("b-medium"), large: end("b-large") },
    c: { small: end("c-small"), medium: end("c-medium"), large: end("c-large") },
  };
  const done = calls.step("done");
  const definition = workflow<Numbers>({ name: "sorter", version: 1 })
    .fork("sort", {
      a: (branch) =>
        branch
          .condition("a-over-10", {
            when: ({ input }) => greaterThan(input.a, 10),
            then: (side) => side,
            else: (side) => side.step(ends.a.small),
          })
          .condition("a-over-100", {
            when: ({ input }) => greaterThan(input.a, 100),
            then: (side) => side.step(ends.a.large),
            else: (side) => side.step(ends.a.medium),
          }),
      b: (branch) =>
        branch
          .condition("b-over-10", {
            when: ({ input }) => greaterThan(input.b, 10),
            then: (side) => side,
            else: (side) => side.step(ends.b.small),
          })
          .condition("b-over-100", {
            when: ({ input }) => greaterThan(input.b, 100),
            then: (side) => side.step(ends.b.large),
            else: (side) => side.step(ends.b.medium),
          }),
      c: (branch) =>
        branch
          .condition("c-over-10", {
            when: ({ input }) => greaterThan(input.c, 10),
            then: (side) => side,
            else: (side) => side.step(ends.c.small),
          })
          .condition("c-over-100", {
            when: ({ input }) => greaterThan(input.c, 100),
            then: (side) => side.step(ends.c.large),
            else: (side) => side.step(ends.c.medium),
          }),
    })
    .step(done)
    .build();
  const services = {
    a: Object.values(ends.a),
    b: Object.values(ends.b),
    c: Object.values(ends.c),
    done: [done],
  };
  return { definition, services };
};

const expectedSteps = (branch: Branch, value: number): string[] => {
  if (value > 100) return [`${branch}-large`];
  return value > 10 ? [`${branch}-medium`] : [`${branch}-small`, `${branch}-medium`];
};

test("A8 fork of three branches with two chained conditions each: every branch reaches the right end, the join fires once, after all", async () => {
  const calls = new Recorder();
  const { definition, services } = sorter(calls);
  const cluster = await startCluster({ services });
  const values = [5, 50, 500];
  const inputs = values.flatMap((a) => values.flatMap((b) => values.map((c): Numbers => ({ a, b, c }))));
  const views = await Promise.all(inputs.map((input) => cluster.run(definition, input)));
  for (const [index, view] of views.entries()) {
    const input = inputs[index] ?? { a: 0, b: 0, c: 0 };
    const expected = branches.flatMap((branch) => expectedSteps(branch, input[branch]));
    const labels = calls.labels(view.instanceId);
    expect(view.status).toBe("completed");
    expect(labels.at(-1)).toBe("done");
    expect(labels.slice(0, -1).toSorted()).toEqual(expected.toSorted());
    expect(statusesOf(view).sort).toBe("completed");
    const fired = (await cluster.events(view.instanceId)).filter(
      ({ node, type }) => node === "sort" && type === "step.completed",
    );
    expect(fired).toHaveLength(1);
    const { input: joined } = calls.calls.find(
      (call) => call.label === "done" && call.context.instanceId === view.instanceId,
    ) ?? { input: undefined };
    const last = (branch: Branch) => ({ size: expectedSteps(branch, input[branch]).at(-1)?.slice(2) });
    expect(joined).toEqual({ a: last("a"), b: last("b"), c: last("c") });
  }
});
