import { expect, test } from "vitest";
import { equal, greaterThan } from "./condition.ts";
import { workflow } from "./workflow.ts";

const start = workflow<{ country: "DE" | "AT"; total: number }>({ name: "order", version: 1 });

test("a switch is conditions in each other's else sides", () => {
  const { nodes } = start
    .switch("ship", {
      cases: [
        { when: ({ input }) => equal(input.country, "DE"), then: (side) => side.signal("a") },
        { when: ({ value }) => greaterThan(value.total, 9), then: (side) => side.signal("b") },
        { when: "true", then: (side) => side },
      ],
      else: (side) => side.fail("no", { message: "no" }),
    })
    .build().definition;
  expect(nodes).toEqual([
    {
      kind: "condition",
      name: "ship",
      when: 'input.country == "DE"',
      then: [{ kind: "signal", name: "a" }],
      else: [
        {
          kind: "condition",
          name: "ship.2",
          when: "value.total > 9",
          then: [{ kind: "signal", name: "b" }],
          else: [
            {
              kind: "condition",
              name: "ship.3",
              when: "true",
              then: [],
              else: [{ kind: "end", name: "no", how: "fail", message: "no" }],
            },
          ],
        },
      ],
    },
  ]);
});

test("a switch of one case is a condition", () => {
  const sides = { when: "true", then: (side: typeof start) => side.signal("a") } as never;
  expect(start.switch("c", { cases: [sides] }).build().definition).toEqual(
    start.condition("c", sides).build().definition,
  );
});

test("a switch without cases is refused", () => {
  expect(() => start.switch("ship", { cases: [] as never })).toThrow("switch ship: a switch needs at least one case");
});

test("a side must return the sequence that it was given", () => {
  const own = { when: "true", then: (side: object) => side } as never;
  const foreign = { when: "true", then: () => start.signal("a") } as never;
  expect(() => start.switch("ship", { cases: [own, foreign] })).toThrow(/^side 'then' of condition 'ship\.2': it must/);
});
