import type { FloxyError, JsonObject } from "@floxy/shared";
import { isFloxyError } from "@floxy/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import type { AnySchema } from "../handler/schema.ts";
import { typeOnly } from "../handler/schema.ts";
import { greaterThan } from "./condition.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

const Order = z.object({ orderId: z.string(), total: z.number() });
const chargeCard = defineHandler<{ orderId: string; amount: number }, { paymentId: string }>({ name: "charge-card" });
const refundCard = defineCompensation({ name: "refund-card", of: chargeCard });
const voidCard = defineCompensation({ name: "void-card", of: chargeCard, input: z.object({ why: z.string() }) });
const pass = defineHandler<unknown, { ok: boolean }>({ name: "pass" });

const charge = defineStep("charge", chargeCard, { retry: { maxAttempts: 5 }, timeoutMs: 5_000, onFailure: refundCard });
const [a, b, c] = [defineStep("a", pass), defineStep("b", pass), defineStep("c", pass)];
const start = workflow<{ orderId: string; total: number }>({ name: "order", version: 1 });

/** A chain as code without types sees it. */
interface Untyped {
  step(step: unknown, placement?: unknown): Untyped;
  savepoint(name: unknown): Untyped;
  fork(name: unknown, branches: Record<string, (branch: Untyped) => unknown>): Untyped;
  parallel(name: unknown, steps: readonly unknown[]): Untyped;
  condition(name: unknown, sides: { when: unknown; then: (side: Untyped) => unknown }): Untyped;
  build(): unknown;
}

const untyped = start as unknown as Untyped;

/** A schema whose JSON Schema is this. */
const oddSchema = (document: JsonObject): AnySchema => {
  const { "~standard": standard } = typeOnly<unknown>();
  return { "~standard": { ...standard, jsonSchema: { input: () => document } } } as AnySchema;
};

const errorOf = (run: () => unknown): FloxyError | undefined => {
  try {
    run();
  } catch (error) {
    if (isFloxyError(error)) return error;
    throw error;
  }
  return undefined;
};

test("a workflow is built into the definition that is stored", () => {
  const { definition } = workflow({ name: "order", version: 2, input: Order, priority: 70, description: "Sells." })
    .step(charge, { input: ({ input }) => ({ orderId: input.orderId, amount: input.total }) })
    .savepoint("paid")
    .fork("fulfil", {
      left: (branch) => branch.step(a),
      right: (branch) => branch.step(b, { input: ({ outputOf }) => outputOf(charge) }).step(c),
    })
    .condition("big", {
      when: ({ input }) => greaterThan(input.total, 1000),
      then: (side) => side.step(defineStep("d", pass), { input: ({ outputOf }) => outputOf(c) }),
    })
    .build();
  expect(definition).toEqual({
    format: 1,
    name: "order",
    version: 2,
    description: "Sells.",
    inputSchema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: { orderId: { type: "string" }, total: { type: "number" } },
      required: ["orderId", "total"],
    },
    priority: 70,
    nodes: [
      {
        kind: "task",
        name: "charge",
        handler: "charge-card",
        input: { orderId: { $: "input.orderId" }, amount: { $: "input.total" } },
        retry: { maxAttempts: 5 },
        timeoutMs: 5_000,
        compensation: { handler: "refund-card" },
      },
      { kind: "savepoint", name: "paid" },
      {
        kind: "fork",
        name: "fulfil",
        branches: [
          { name: "left", nodes: [{ kind: "task", name: "a", handler: "pass" }] },
          {
            name: "right",
            nodes: [
              { kind: "task", name: "b", handler: "pass", input: { $: "steps.charge" } },
              { kind: "task", name: "c", handler: "pass" },
            ],
          },
        ],
      },
      {
        kind: "condition",
        name: "big",
        when: "input.total > 1000",
        then: [{ kind: "task", name: "d", handler: "pass", input: { $: "steps.c" } }],
        else: [],
      },
    ],
  });
});

test("all options of a step and of its compensation are stored, and none that was not given", () => {
  const step = defineStep("charge", chargeCard, {
    delayMs: 10,
    priority: 90,
    idempotent: false,
    retry: { maxAttempts: 1 },
    metadata: { team: "money" },
    onFailure: { handler: voidCard, retry: { maxAttempts: 7, strategy: "fixed" }, timeoutMs: 1_000 },
  });
  const { definition } = start
    .step(step, {
      input: ({ input }) => ({ orderId: input.orderId, amount: 1 }),
      compensationInput: ({ input }) => ({ why: input.orderId }),
    })
    .build();
  expect(definition.nodes).toEqual([
    {
      kind: "task",
      name: "charge",
      handler: "charge-card",
      input: { orderId: { $: "input.orderId" }, amount: 1 },
      delayMs: 10,
      priority: 90,
      idempotent: false,
      retry: { maxAttempts: 1 },
      metadata: { team: "money" },
      compensation: {
        handler: "void-card",
        input: { why: { $: "input.orderId" } },
        retry: { maxAttempts: 7, strategy: "fixed" },
        timeoutMs: 1_000,
      },
    },
  ]);
});

test("all options of a workflow are stored", () => {
  const options = {
    onFailure: "dlq",
    compensate: "sequential",
    deadlineMs: 1_000,
    metadata: { team: "money" },
  } as const;
  const { definition } = workflow({ name: "order", version: 1, ...options })
    .step(a)
    .build();
  expect(definition).toEqual({
    format: 1,
    name: "order",
    version: 1,
    ...options,
    nodes: [{ kind: "task", name: "a", handler: "pass" }],
  });
});

test("when a step is undone is stored with it", () => {
  const step = defineStep("charge", chargeCard, { onFailure: refundCard, compensateOn: "completed" });
  const [node] = start.step(step, { input: ({ input }) => ({ orderId: input.orderId, amount: 1 }) }).build()
    .definition.nodes;
  expect(node).toMatchObject({ compensateOn: "completed", compensation: { handler: "refund-card" } });
});

test("what the schema of a handler takes is stored with its step", () => {
  const pay = defineHandler({ name: "pay", input: z.object({ amount: z.number().default(1) }) });
  const [first, second] = workflow<{ amount: number }>({ name: "order", version: 1 })
    .step(defineStep("pay", pay))
    .step(defineStep("again", pay), { input: ({ input }) => input })
    .build().definition.nodes;
  const inputSchema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: { amount: { type: "number", default: 1 } },
  };
  expect(first).toEqual({ kind: "task", name: "pay", handler: "pay", inputSchema });
  expect(second).toMatchObject({ inputSchema });
});

test("a handler's schema that Floxy cannot check is left out", () => {
  const unsaid = z.object({ at: z.date() });
  const odd = defineHandler({ name: "odd", input: oddSchema({ type: "object", if: {} }) });
  const typed = defineHandler({ name: "typed", input: typeOnly<unknown>() });
  const dated = defineHandler({ name: "dated", input: unsaid });
  const { nodes } = workflow<z.infer<typeof unsaid>>({ name: "order", version: 1 })
    .step(defineStep("dated", dated))
    .step(defineStep("odd", odd))
    .step(defineStep("typed", typed))
    .build().definition;
  expect(nodes).toEqual(["dated", "odd", "typed"].map((name) => ({ kind: "task", name, handler: name })));
});

test("parallel is a fork whose branches are called like their steps", () => {
  const { definition } = start.parallel("checks", [a, b]).build();
  expect(definition).toEqual(
    start.fork("checks", { a: (one) => one.step(a), b: (one) => one.step(b) }).build().definition,
  );
});

test("a condition can be CEL, and a function that answers CEL", () => {
  const whens = ["input.total > 1.0", () => "input.total > 1.0"].map(
    (when) => start.condition("big", { when, then: (side) => side.step(a) }).build().definition.nodes[0],
  );
  expect(whens[0]).toMatchObject({ when: "input.total > 1.0" });
  expect(whens[1]).toEqual(whens[0]);
});

test("the same definition has the same fingerprint, and another one has another", () => {
  const first = start.step(a).build();
  expect(start.step(a).build().fingerprint).toBe(first.fingerprint);
  expect(start.step(b).build().fingerprint).not.toBe(first.fingerprint);
  expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/);
});

test("the schema of the input comes with the workflow", () => {
  const built = workflow({ name: "order", version: 1, input: Order }).step(a).build();
  expect(built.inputSchema).toBe(Order);
  expect(start.step(a).build().inputSchema).toBeUndefined();
});

test("a sequence is not changed by what is added to it", () => {
  const first = start.step(a);
  const names = [first.step(b), first.step(c), first].map((one) =>
    one.build().definition.nodes.map(({ name }) => name),
  );
  expect(names).toEqual([["a", "b"], ["a", "c"], ["a"]]);
});

test("a chain of thousands of steps is built", () => {
  let chain = start.step(a) as unknown as typeof start;
  for (let index = 0; index < 5_000; index += 1) chain = chain.step(defineStep(`s${index}` as "s", pass)) as never;
  expect(chain.build().definition.nodes).toHaveLength(5_001);
});

// From here on what only code without types can write: the types refuse each of these.

test("all problems of a definition are reported together", () => {
  const wrong = workflow({ name: "no good", version: 0 }) as unknown as Untyped;
  const error = errorOf(() =>
    wrong
      .step(a)
      .step(a)
      .fork("f", { one: (branch) => branch.savepoint("s"), two: (branch) => branch })
      .condition("c", { when: "input.(", then: (side) => side })
      .build(),
  );
  expect(error?.code).toBe("DEFINITION_INVALID");
  const paths = error?.problems.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(["name", "version", "nodes[1].name", "nodes[2].branches[0].nodes[0]", "nodes[3].when"]),
  );
});

test("two steps of one name in a parallel are two branches, and a duplicate", () => {
  const error = errorOf(() => untyped.parallel("p", [a, a]).build());
  expect(error?.problems.map(({ code }) => code)).toEqual(expect.arrayContaining(["duplicate_name"]));
});

test("an output of a step that may not have run is a problem of the definition", () => {
  const needsB = { input: ({ outputOf }: { outputOf: (step: unknown) => unknown }) => outputOf(b) };
  const missing = untyped.step(a, needsB);
  const side = untyped.condition("c", { when: "true", then: (one) => one.step(b) }).step(a, needsB);
  const sibling = untyped.fork("f", { one: (one) => one.step(b), two: (one) => one.step(a, needsB) });
  for (const wrong of [missing, side, sibling]) {
    expect(errorOf(() => wrong.build())?.problems).toEqual([
      expect.objectContaining({ path: expect.stringMatching(/\.input\.\$$/), message: expect.stringContaining("'b'") }),
    ]);
  }
});

test("outputOf refuses another step of the same name", () => {
  const other = defineStep("a", chargeCard);
  const error = errorOf(() => start.step(a).step(b, { input: ({ outputOf }) => outputOf(other) }));
  expect(error?.problems).toMatchObject([{ path: "step a", code: "other_step" }]);
});

test("a branch or side must return the sequence that it was given", () => {
  const nothing = errorOf(() => untyped.fork("f", { one: () => undefined, two: (branch) => branch }));
  expect(nothing?.message).toMatch(/^branch 'one' of fork 'f': it must return the sequence/);
  const foreign = errorOf(() => start.condition("c", { when: "true", then: () => start.step(a) }));
  expect(foreign?.message).toMatch(/^side 'then' of condition 'c': it must return the sequence/);
});

test("only the outermost sequence can be built", () => {
  const error = errorOf(() => untyped.condition("c", { when: "true", then: (side) => side.build() }));
  expect(error?.problems).toMatchObject([{ code: "not_outermost" }]);
});

test("a compensation that was made for another handler is refused", () => {
  const error = errorOf(() => defineStep("ship", pass, { onFailure: refundCard as never }));
  expect(error?.message).toBe("step ship: the compensation undoes handler 'charge-card', and the step calls 'pass'");
});

test("compensateOn without a compensation is refused", () => {
  const step = defineStep("a", pass, { compensateOn: "completed" as never });
  expect(errorOf(() => untyped.step(step))?.problems).toMatchObject([{ path: "step a", code: "no_compensation" }]);
});

test("a mapping for a compensation that there is not is refused", () => {
  const error = errorOf(() => untyped.step(a, { compensationInput: () => ({}) }));
  expect(error?.problems).toMatchObject([{ path: "step a", code: "no_compensation" }]);
});
