/** Where the value of a node stands. Payloads are never copied, so a value is found by walking the structure. */
import { type ConditionNode, type Graph, type GraphNode, nodeBefore, nodeOf, type Side } from "../definition/graph.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Payloads, Source } from "./model.ts";

/** Gives the side that a condition took. */
export type SideOf = (condition: string) => Side | null | undefined;

/** The source of the value that `node` passes on. A task's and a join's are their own; all others pass one through. */
export const sourceOf = (node: GraphNode, sideOf: SideOf): Source => {
  switch (node.kind) {
    case "task":
    case "fork":
      return node.name;
    case "savepoint":
      return sourceInto(node, sideOf);
    case "condition": {
      const last = lastOfSide(node, sideOf);
      return last === undefined ? sourceInto(node, sideOf) : sourceOf(last, sideOf);
    }
  }
};

/** The source of the value that is passed to `node`. */
export const sourceInto = (node: GraphNode, sideOf: SideOf): Source => {
  const before = nodeBefore(node);
  if (before !== undefined) return sourceOf(before, sideOf);
  const { owner } = node.sequence;
  if (owner.kind === "root") return null;
  return sourceInto(owner.kind === "branch" ? owner.fork : owner.condition, sideOf);
};

/** The payload that stands at a source, `undefined` if none does. */
export const payloadAt = (payloads: Payloads, source: Source): Json | undefined =>
  source === null ? payloads.input : payloads.rows.get(source)?.output;

/** The value of the node of this name, for an expression that names it; `undefined` if it has none. */
export const valueOf = (graph: Graph, payloads: Payloads, name: string): Json | undefined =>
  payloadAt(
    payloads,
    sourceOf(nodeOf(graph, name), (condition) => payloads.rows.get(condition)?.side),
  );

const lastOfSide = (node: ConditionNode, sideOf: SideOf): GraphNode | undefined => {
  const side = sideOf(node.name);
  return side == null ? undefined : node[side].nodes.at(-1);
};
