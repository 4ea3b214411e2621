import { expect, test } from "vitest";
import { z } from "zod";
import { expr } from "./expression.ts";
import { workflow } from "./workflow.ts";

const start = workflow<{ dueAt: string }>({ name: "order", version: 1 });

test("a sleep is stored with its duration or with the expression of its time", () => {
  const { nodes } = start
    .sleep("a", { durationMs: 60_000 })
    .sleep("b", { until: ({ input }) => input.dueAt })
    .sleep("c", { until: "value.dueAt" })
    .sleep("d", { until: () => "value.dueAt" })
    .sleep("e", { until: expr<string>('timestamp(input.dueAt) + duration("1h")') })
    .build().definition;
  expect(nodes).toEqual([
    { kind: "sleep", name: "a", durationMs: 60_000 },
    { kind: "sleep", name: "b", until: "input.dueAt" },
    { kind: "sleep", name: "c", until: "value.dueAt" },
    { kind: "sleep", name: "d", until: "value.dueAt" },
    { kind: "sleep", name: "e", until: 'timestamp(input.dueAt) + duration("1h")' },
  ]);
});

test("a time that is neither a reference nor CEL is refused where it stands", () => {
  expect(() => start.sleep("a", { until: new Date(0) as unknown as string })).toThrow(
    /^a\.until: a time is a reference/,
  );
});

test("a signal is stored with what was said of it, and nothing of its payload", () => {
  const { nodes } = start
    .signal("paid")
    .signal("sent", { payload: z.object({ by: z.string() }), signal: "order.sent", timeoutMs: 1_000 })
    .build().definition;
  expect(nodes).toEqual([
    { kind: "signal", name: "paid" },
    { kind: "signal", name: "sent", signal: "order.sent", timeoutMs: 1_000 },
  ]);
});

test("an option that there is not is a problem of the definition", () => {
  const wrong = start.signal("paid", { timeout: 1 } as object).sleep("night", { duration: 1 } as never);
  expect(() => wrong.build()).toThrow(
    expect.objectContaining({
      problems: expect.arrayContaining(
        ["nodes[0].timeout", "nodes[1].duration"].map((path) =>
          expect.objectContaining({ path, code: "unknown_field" }),
        ),
      ),
    }),
  );
});
