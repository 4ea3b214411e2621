import { expect, test } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { typeOnly } from "../handler/schema.ts";
import { optional } from "./expression.ts";
import { defineStep } from "./step.ts";
import { workflow } from "./workflow.ts";

const apologise = defineStep("apologise", defineHandler<unknown, null>({ name: "apologise" }));
const start = workflow<{ id: string; total: number; note?: string }>({ name: "order", version: 1 });

test("a human node without options is its kind and its name", () => {
  expect(start.human("approve").build().definition.nodes).toEqual([{ kind: "human", name: "approve" }]);
});

test("all options of a human node are stored, the form as its JSON Schema", () => {
  const { nodes } = start
    .human("approve", {
      input: ({ input }) => ({ amount: input.total, note: optional(input.note) }),
      description: "Is it worth it?",
      deciders: ["ann", "bob", "cem"],
      approvals: 2,
      form: z.object({ limit: z.number().default(1) }),
      timeoutMs: 60_000,
      onTimeout: "escalate",
      escalateTo: ["dan", "eve"],
      onReject: "abort",
      metadata: { team: "money" },
    })
    .build().definition;
  expect(nodes).toEqual([
    {
      kind: "human",
      name: "approve",
      input: { amount: { $: "input.total" }, note: { "$?": "input.note" } },
      description: "Is it worth it?",
      deciders: ["ann", "bob", "cem"],
      approvals: 2,
      formSchema: {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: { limit: { type: "number", default: 1 } },
      },
      timeoutMs: 60_000,
      onTimeout: "escalate",
      escalateTo: ["dan", "eve"],
      onReject: "abort",
      metadata: { team: "money" },
    },
  ]);
});

test("of a form that is only a type nothing is stored", () => {
  const { nodes } = start.human("approve", { form: typeOnly<{ ok: true }>(), onReject: "continue" }).build().definition;
  expect(nodes).toEqual([{ kind: "human", name: "approve", onReject: "continue" }]);
});

test("a function for rejections is a condition behind the node", () => {
  const asked = start.human("approve", {
    onReject: (rejected) => rejected.step(apologise, { input: ({ value }) => value.decision.comment }).complete("no"),
  });
  expect(asked.build().definition.nodes).toEqual([
    { kind: "human", name: "approve", onReject: "continue" },
    {
      kind: "condition",
      name: "approve.rejected",
      when: 'value.decision.kind == "reject"',
      then: [
        { kind: "task", name: "apologise", handler: "apologise", input: { $: "value.decision.comment" } },
        { kind: "end", name: "no", how: "complete" },
      ],
      else: [],
    },
  ]);
});

test("a function for rejections must return the sequence that it was given", () => {
  const foreign = { onReject: () => start.step(apologise) };
  expect(() => start.human("approve", foreign)).toThrow(/^side 'then' of condition 'approve.rejected': it must return/);
});

test("what the types refuse is a problem of the definition", () => {
  const wrong = start.human("approve", { onReject: "panic" as "abort", approvals: 0, timeout: 1 } as { approvals: 0 });
  expect(() => wrong.build()).toThrow(
    expect.objectContaining({
      problems: expect.arrayContaining(
        ["nodes[0].onReject", "nodes[0].approvals", "nodes[0].timeout"].map((path) =>
          expect.objectContaining({ path }),
        ),
      ),
    }),
  );
});
