/** Where the value of a node stands. Payloads are never copied, so a value is found by walking the structure. */
import type { ConditionNode, Graph, GraphNode, Sequence, Side } from "../definition/graph.ts";
import { nodeBefore, nodeOf } from "../definition/graph.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Payloads, Source } from "./model.ts";

/** Gives the side that a condition took. */
export type SideOf = (condition: string) => Side | null | undefined;

/**
 * The source of the value that a node passes on; without a node, the instance's input. A task's and a join's value are
 * their own; all other nodes pass one through. A loop, since thousands of them may pass the same value through.
 */
export const sourceOf = (start: GraphNode | undefined, sideOf: SideOf): Source => {
  let node = start;
  while (node !== undefined) {
    if (node.kind === "task" || node.kind === "fork") return node.name;
    const taken = node.kind === "condition" ? sideTaken(node, sideOf) : undefined;
    node = taken === undefined ? nodePassingTo(node) : lastOf(taken);
  }
  return null;
};

/** The node whose value a sequence ends with. One without nodes ends with what was passed to it. */
export const lastOf = (sequence: Sequence): GraphNode | undefined => sequence.nodes.at(-1) ?? nodeLeadingTo(sequence);

/** The node whose value is passed to `node`; `undefined` if that is the instance's input. */
export const nodePassingTo = (node: GraphNode): GraphNode | undefined =>
  nodeBefore(node) ?? nodeLeadingTo(node.sequence);

const nodeLeadingTo = ({ owner }: Sequence): GraphNode | undefined => {
  if (owner.kind === "root") return undefined;
  return nodePassingTo(owner.kind === "branch" ? owner.fork : owner.condition);
};

/** The payload that stands at a source, `undefined` if none does. */
export const payloadAt = (payloads: Payloads, source: Source): Json | undefined =>
  source === null ? payloads.input : payloads.rows.get(source)?.output;

/**
 * The value of the node of this name, for an expression that names it; `undefined` if it has none. `sideOf` gives the
 * sides that conditions took, by default as the payloads say.
 */
export const valueOfNode = (
  graph: Graph,
  payloads: Payloads,
  name: string,
  sideOf: SideOf = (condition) => payloads.rows.get(condition)?.side,
): Json | undefined => payloadAt(payloads, sourceOf(nodeOf(graph, name), sideOf));

const sideTaken = (node: ConditionNode, sideOf: SideOf): Sequence | undefined => {
  const side = sideOf(node.name);
  return side == null ? undefined : node[side];
};
