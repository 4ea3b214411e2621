import { describe, expect, it } from "vitest";
import { isNothing, mergeDecisions } from "./merge.ts";

describe("decisions that are put together", () => {
  it("say all that each of them says, in their order", () => {
    const merged = mergeDecisions([{ unqueue: ["a"], forget: ["x"] }, { unqueue: ["b"], review: true }, {}]);
    expect(merged).toMatchObject({ unqueue: ["a", "b"], forget: ["x"], enqueue: [], review: true });
    expect("instance" in merged).toBe(false);
  });

  it("change a step once: the last status stands, and what only the first one knew stays", () => {
    const { steps } = mergeDecisions([
      { steps: [{ node: "a", status: "failed", outcome: "unknown" }] },
      {
        steps: [
          { node: "a", status: "compensating" },
          { node: "b", status: "skipped" },
        ],
      },
    ]);
    expect(steps).toEqual([
      { node: "a", status: "compensating", outcome: "unknown" },
      { node: "b", status: "skipped" },
    ]);
  });

  it("change the instance once: the last status stands", () => {
    const first = { instance: { status: "rolling_back", freeze: true } } as const;
    const { instance } = mergeDecisions([first, { instance: { status: "failed" } }]);
    expect(instance).toEqual({ status: "failed", freeze: true });
  });
});

describe("a decision says nothing", () => {
  it("only when nothing is written and no other look is asked for", () => {
    expect([isNothing({}), isNothing(mergeDecisions([])), isNothing({ steps: [] })]).toEqual([true, true, true]);
    expect(isNothing({ instance: { status: "failed" } })).toBe(false);
    expect([isNothing({ review: true }), isNothing({ forget: ["a"] })]).toEqual([false, false]);
  });
});
