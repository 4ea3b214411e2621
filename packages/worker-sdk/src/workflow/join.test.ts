import { isFloxyError } from "@floxy/shared";
import { expect, test } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

const pass = defineHandler<unknown, { ok: boolean }>({ name: "pass" });
const [a, b, c] = [defineStep("a", pass), defineStep("b", pass), defineStep("c", pass)];
const start = workflow<{ id: string }>({ name: "order", version: 1 });

test("how branches come together is stored as it is written, and not when it is not", () => {
  const { nodes } = start
    .fork("first", { one: (branch) => branch.step(a), two: (branch) => branch.signal("s") }, { join: "any" })
    .parallel("some", [b, c], { join: { atLeast: 1 }, losers: "compensate" })
    .fork("all", { one: (branch) => branch.signal("t"), two: (branch) => branch.signal("u") }, { join: "all" })
    .fork("plain", { one: (branch) => branch.signal("v"), two: (branch) => branch.signal("w") }, {})
    .build().definition;
  expect(nodes).toMatchObject([
    { kind: "fork", name: "first", join: "any" },
    { kind: "fork", name: "some", join: { atLeast: 1 }, losers: "compensate" },
    { kind: "fork", name: "all", join: "all" },
    { kind: "fork", name: "plain" },
  ]);
  expect(nodes[0]).not.toHaveProperty("losers");
  expect(nodes[3]).not.toHaveProperty("join");
});

test("parallel takes the same options as a fork", () => {
  const options = { join: "any", losers: "wait" } as const;
  const { definition } = start.parallel("checks", [a, b], options).build();
  expect(definition).toEqual(
    start.fork("checks", { a: (one) => one.step(a), b: (one) => one.step(b) }, options).build().definition,
  );
});

test("an output of a branch that the join does not wait for is a problem of the definition", () => {
  const joined = start.parallel("checks", [a, b], { join: "any" });
  const mapping = { input: ({ outputOf }: { outputOf: (step: unknown) => unknown }) => outputOf(a) };
  try {
    (joined as unknown as { step(...all: unknown[]): typeof joined }).step(c, mapping).build();
    expect.unreachable();
  } catch (error) {
    expect(isFloxyError(error) && error.problems).toMatchObject([{ path: "nodes[1].input.$", code: "uncertain_step" }]);
  }
});
