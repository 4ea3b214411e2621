import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildGraph } from "./graph.ts";
import type { DefinitionJson, NodeJson } from "./model.ts";
import { certainBefore } from "./order.ts";
import { condition, fork, sees } from "./testing/nodes.ts";
import { validateDefinition } from "./validate.ts";

describe("certainBefore", () => {
  it("agrees with the validation, whatever the graph", () => {
    const { nodes } = fc.letrec<{ nodes: unknown[] }>((tie) => ({
      nodes: fc.array(
        fc.oneof(
          { maxDepth: 3, depthSize: "small" },
          fc.constant("task"),
          fc.record({ fork: fc.tuple(tie("nodes"), tie("nodes")) }),
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
});

/** A definition of a shape, with names counted through, in which each task refers to the given names. */
const named = (shape: readonly unknown[], refersTo: () => readonly string[]): DefinitionJson => {
  let count = 0;
  const list = (shapes: readonly unknown[]): NodeJson[] => shapes.map(one);
  const one = (part: unknown): NodeJson => {
    count += 1;
    const name = `n${count}`;
    const { fork: branches, condition: sides } = part as { fork?: unknown[][]; condition?: unknown[][] };
    if (branches !== undefined)
      return fork(name, Object.fromEntries(branches.map((nodes, index) => [`b${index}`, list(nodes)])));
    if (sides !== undefined) return condition(name, list(sides[0] ?? []), list(sides[1] ?? []));
    return sees(name, ...refersTo());
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
