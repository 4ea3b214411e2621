import { describe, expect, it } from "vitest";
import { diffDefinitions } from "./diff.ts";
import type { DefinitionJson, NodeJson } from "./model.ts";

const task = (name: string, more: object = {}): NodeJson => ({ kind: "task", name, handler: name, ...more });

const definition = (nodes: readonly NodeJson[], more: Partial<DefinitionJson> = {}): DefinitionJson => ({
  format: 1,
  name: "order",
  version: 1,
  ...more,
  nodes,
});

const fork = (name: string, branches: Readonly<Record<string, readonly NodeJson[]>>): NodeJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
});

const textOf = (before: DefinitionJson, after: DefinitionJson): readonly string[] =>
  diffDefinitions(before, after).text.split("\n");

describe("the difference of two definitions", () => {
  it("is nothing when only the version differs, or the order of keys", () => {
    const before = definition([task("a", { retry: { maxAttempts: 2, delayMs: 5 } })]);
    const after = definition([{ ...task("a"), retry: { delayMs: 5, maxAttempts: 2 } } as NodeJson], { version: 2 });
    expect(diffDefinitions(before, after)).toEqual({ changes: [], text: "" });
  });

  it("names options with their old and new values", () => {
    const before = definition([task("a")], { priority: 10, metadata: { owner: { team: "x" } } });
    const after = definition([task("a")], { onFailure: "dlq", metadata: { owner: { team: "y" } } });
    expect(diffDefinitions(before, after).changes).toEqual([
      { kind: "option", path: "onFailure", after: "dlq" },
      { kind: "option", path: "metadata.owner.team", before: "x", after: "y" },
      { kind: "option", path: "priority", before: 10 },
    ]);
  });

  it("names nodes that came and went with their paths, at any depth", () => {
    const before = definition([
      task("a"),
      { kind: "condition", name: "big", when: "true", then: [task("b")], else: [] },
    ]);
    const after = definition([
      task("a"),
      { kind: "condition", name: "big", when: "true", then: [], else: [fork("both", { x: [task("c")], y: [] })] },
    ]);
    expect(textOf(before, after)).toEqual([
      "- task 'b' at nodes[1].then[0]",
      "+ fork 'both' at nodes[1].else[0]",
      "+ task 'c' at nodes[1].else[0].branches[0].nodes[0]",
    ]);
  });

  it("names the fields of a node that changed, with the path inside", () => {
    const before = definition([task("a", { retry: { maxAttempts: 3 }, input: { list: [1, { x: 1 }] } })]);
    const after = definition([
      task("a", { handler: "other", retry: { maxAttempts: 5 }, input: { list: [1, { x: 2 }] }, timeoutMs: 100 }),
    ]);
    expect(diffDefinitions(before, after).changes).toEqual([
      {
        kind: "changed",
        node: "a",
        path: "nodes[0]",
        fields: [
          { path: "handler", before: "a", after: "other" },
          { path: "retry.maxAttempts", before: 3, after: 5 },
          { path: "input.list", before: [1, { x: 1 }], after: [1, { x: 2 }] },
          { path: "timeoutMs", after: 100 },
        ],
      },
    ]);
  });

  it("says that a node has moved when it stands in another sequence, and what else changed of it", () => {
    const before = definition([task("a"), fork("both", { x: [task("b")], y: [task("c")] })]);
    const after = definition([task("a"), task("b", { timeoutMs: 9 }), fork("both", { x: [], y: [task("c")] })]);
    expect(textOf(before, after)).toEqual([
      "> 'b' from nodes[1].branches[0].nodes[0] to nodes[1]",
      "~ 'b' timeoutMs: (none) → 9",
    ]);
  });

  it("calls as few nodes moved as possible when their order changed", () => {
    const before = definition(["a", "b", "c", "d", "e"].map((name) => task(name)));
    const after = definition(["b", "c", "d", "a", "e"].map((name) => task(name)));
    expect(textOf(before, after)).toEqual(["> 'a' from nodes[0] to nodes[3]"]);
  });

  it("does not call a node moved because others came or went before it", () => {
    const before = definition([task("x"), task("a"), task("b")]);
    const after = definition([task("y"), task("z"), task("a"), task("b")]);
    expect(textOf(before, after)).toEqual([
      "- task 'x' at nodes[0]",
      "+ task 'y' at nodes[0]",
      "+ task 'z' at nodes[1]",
    ]);
  });

  it("sees branches come, go and change their order, and a node that became of another kind", () => {
    const before = definition([fork("both", { x: [], y: [] }), task("wait")]);
    const after = definition([fork("both", { y: [], z: [] }), { kind: "sleep", name: "wait", durationMs: 5 }]);
    expect(textOf(before, after)).toEqual([
      `~ 'both' branches: ["x","y"] → ["y","z"]`,
      `~ 'wait' kind: "task" → "sleep"`,
      "~ 'wait' durationMs: (none) → 5",
      `~ 'wait' handler: "wait" → (none)`,
    ]);
  });

  it("sees what a condition asks, and not what stands in it, as the condition's own", () => {
    const before = definition([{ kind: "condition", name: "big", when: "input.n > 1", then: [task("a")], else: [] }]);
    const after = definition([{ kind: "condition", name: "big", when: "input.n > 2", then: [], else: [task("a")] }]);
    expect(textOf(before, after)).toEqual([
      `~ 'big' when: "input.n > 1" → "input.n > 2"`,
      "> 'a' from nodes[0].then[0] to nodes[0].else[0]",
    ]);
  });

  it("is quick for sequences of thousands in reverse order", () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `n${index}`);
    const before = definition(names.map((name) => task(name)));
    const after = definition(names.toReversed().map((name) => task(name)));
    const { changes } = diffDefinitions(before, after);
    expect(changes).toHaveLength(4_999);
    expect(changes.every(({ kind }) => kind === "moved")).toBe(true);
  });
});
