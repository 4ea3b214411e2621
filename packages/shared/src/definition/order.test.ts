import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildGraph } from "./graph.ts";
import type { DefinitionJson, NodeJson } from "./model.ts";
import { certainBefore } from "./order.ts";
import { condition, end, fork, human, savepoint, sees, signal, sleep, task } from "./testing/nodes.ts";
import { validateDefinition } from "./validate.ts";

describe("certainBefore", () => {
  it("agrees with the validation, whatever the graph", () => {
    const { nodes } = fc.letrec<{ nodes: unknown[] }>((tie) => ({
      nodes: fc.array(
        fc.oneof(
          { maxDepth: 3, depthSize: "small" },
          fc.constant("task"),
          fc.constantFrom("human", "sleep", "signal", "savepoint", "fail"),
          fc.constant("complete"),
          fc.record({
            fork: fc.tuple(tie("nodes"), tie("nodes")),
            join: fc.constantFrom(undefined, "all", { atLeast: 2 }, { atLeast: 1 }, "any"),
          }),
          fc.record({ condition: fc.tuple(tie("nodes"), tie("nodes")) }),
        ),
        { minLength: 1, maxLength: 3 },
      ),
    }));
    fc.assert(
      fc.property(nodes, (shape) => {
        const plain = named(shape, () => []);
        const names = [...buildGraph(plain).nodes.keys()];
        // With more, the refusals would pass the limit on reported problems.
        fc.pre(names.length <= 30);
        const graph = buildGraph(plain);
        const asking = named(shape, () => names);
        const refused = new Set(
          validateDefinition(asking).map(
            ({ path, message }) => `${path} ${/'steps' refers to '(.*?)'/.exec(message)?.[1]}`,
          ),
        );
        const paths = pathsOf(asking.nodes, "nodes");
        for (const [name, path] of paths) {
          const certain = certainBefore(graph, name);
          for (const [index, other] of names.entries()) {
            expect(refused.has(`${path}.input[${index}].$ ${other}`), `${name} to ${other}`).toBe(!certain.has(other));
          }
        }
      }),
    );
  });

  const certain = (nodes: readonly NodeJson[], name: string): readonly string[] => [
    ...certainBefore(buildGraph({ format: 1, name: "order", version: 1, nodes }), name),
  ];

  it("leaves out what is in a fork that does not wait for all its branches, for those behind the fork", () => {
    const branches = { x: [task("a"), task("b")], y: [task("c")] };
    for (const join of ["any", { atLeast: 1 }]) {
      const nodes = [fork("f", branches, { join }), task("d")];
      expect(certain(nodes, "d")).toEqual(["f"]);
      expect(certain(nodes, "b")).toEqual(["a"]);
    }
    for (const join of ["all", { atLeast: 2 }]) {
      expect(certain([fork("f", branches, { join }), task("d")], "d")).toEqual(["f", "a", "b", "c"]);
    }
  });

  it("leaves out what a branch may not have come to because it can end before, and ends themselves", () => {
    const ending = condition("c", [human("h"), end("e")]);
    const nodes = [fork("f", { x: [task("a"), ending, task("b")], y: [sleep("s"), end("g")] }), task("d")];
    expect(certain(nodes, "d")).toEqual(["f", "a", "s"]);
    expect(certain(nodes, "b")).toEqual(["a", "c"]);
    expect(
      certain([fork("f", { x: [task("a"), condition("c", [end("e", "fail")])], y: [task("b")] }), task("d")], "d"),
    ).toEqual(["f", "a", "c", "b"]);
  });
});

interface Shape {
  readonly fork?: unknown[][];
  readonly condition?: unknown[][];
  readonly join?: unknown;
}

const single: Readonly<Record<string, (name: string) => NodeJson>> = {
  human,
  sleep: (name) => sleep(name),
  signal,
  savepoint,
  complete: (name) => end(name),
  fail: (name) => end(name, "fail"),
};

/** A definition of a shape, with names counted through, in which each task refers to the given names. */
const named = (shape: readonly unknown[], refersTo: () => readonly string[]): DefinitionJson => {
  let count = 0;
  const list = (shapes: readonly unknown[]): NodeJson[] => shapes.map(one);
  const one = (part: unknown): NodeJson => {
    count += 1;
    const name = `n${count}`;
    if (typeof part === "string") return single[part]?.(name) ?? sees(name, ...refersTo());
    const { fork: branches, condition: sides, join } = part as Shape;
    if (branches !== undefined) {
      const named = branches.map((nodes, index) => [`b${index}`, list(nodes)] as const);
      return fork(name, Object.fromEntries(named), { join });
    }
    return condition(name, list(sides?.[0] ?? []), list(sides?.[1] ?? []));
  };
  return { format: 1, name: "order", version: 1, nodes: list(shape) };
};

const pathsOf = (nodes: readonly NodeJson[], path: string): [string, string][] =>
  nodes.flatMap((node, index): [string, string][] => {
    const here = `${path}[${index}]`;
    if (node.kind === "task") return [[node.name, here]];
    if (node.kind === "fork")
      return node.branches.flatMap((branch, at) => pathsOf(branch.nodes, `${here}.branches[${at}].nodes`));
    if (node.kind === "condition")
      return [...pathsOf(node.then, `${here}.then`), ...pathsOf(node.else, `${here}.else`)];
    return [];
  });
