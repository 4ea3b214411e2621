import { expect, test } from "vitest";
import { workflow } from "./workflow.ts";

const start = workflow<{ id: string }>({ name: "order", version: 1 });

test("ends are stored with what was said of them", () => {
  const { nodes } = start
    .savepoint("paid", { retry: { maxAttempts: 3, delayMs: 10 } })
    .condition("c", {
      when: "true",
      then: (side) => side.rollbackTo("back", "paid", { message: "once more" }),
      else: (side) => side.condition("d", { when: "true", then: (one) => one.rollbackTo("again", "paid") }),
    })
    .condition("e", { when: "true", then: (side) => side.complete("early") })
    .fail("no", { message: "not possible" })
    .build().definition;
  expect(nodes).toEqual([
    { kind: "savepoint", name: "paid", retry: { maxAttempts: 3, delayMs: 10 } },
    {
      kind: "condition",
      name: "c",
      when: "true",
      then: [{ kind: "end", name: "back", how: "rollbackTo", savepoint: "paid", message: "once more" }],
      else: [
        {
          kind: "condition",
          name: "d",
          when: "true",
          then: [{ kind: "end", name: "again", how: "rollbackTo", savepoint: "paid" }],
          else: [],
        },
      ],
    },
    { kind: "condition", name: "e", when: "true", then: [{ kind: "end", name: "early", how: "complete" }], else: [] },
    { kind: "end", name: "no", how: "fail", message: "not possible" },
  ]);
});

// What only code without types can write.

const problemsOf = (paths: readonly (readonly [path: string, code: string])[]): unknown =>
  expect.objectContaining({ problems: paths.map(([path, code]) => expect.objectContaining({ path, code })) });

test("what follows an end is a problem of the definition", () => {
  const after = start.complete("done") as unknown as typeof start;
  expect(() => after.signal("late").build()).toThrow(problemsOf([["nodes[1]", "unreachable_node"]]));
  const both = start.condition("c", {
    when: "true",
    then: (side) => side.complete("a"),
    else: (side) => side.fail("b", { message: "b" }),
  }) as unknown as typeof start;
  expect(() => both.signal("late").build()).toThrow(problemsOf([["nodes[1]", "unreachable_node"]]));
});

test("a savepoint that was not certainly passed is a problem of the definition", () => {
  const unknown = start.rollbackTo("back", "paid" as never);
  expect(() => unknown.build()).toThrow(problemsOf([["nodes[0].savepoint", "unknown_savepoint"]]));
  const uncertain = start
    .condition("c", { when: "true", then: (side) => side.savepoint("paid") })
    .rollbackTo("back", "paid" as never);
  expect(() => uncertain.build()).toThrow(problemsOf([["nodes[1].savepoint", "savepoint_not_passed"]]));
});
