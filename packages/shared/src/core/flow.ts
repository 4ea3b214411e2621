/** Where the flow goes: the next node, out of the sides of conditions and as far as the end of a branch or of all. */
import type { GraphNode, Sequence } from "../definition/graph.ts";
import { nodeAfter } from "../definition/graph.ts";

/** A node at which the flow arrives, or the end of a branch or of the outermost sequence. */
export type Stop = GraphNode | { readonly kind: "end"; readonly of: "branch" | "root" };

/** Where the flow arrives when it leaves `node`. */
export const stopAfter = (node: GraphNode): Stop => nodeAfter(node) ?? endOf(node.sequence);

/** Where the flow arrives when it enters `sequence`. */
export const stopAtStart = (sequence: Sequence): Stop => sequence.nodes[0] ?? endOf(sequence);

// A side ends where its condition does; the recursion is as deep as conditions are nested.
const endOf = ({ owner }: Sequence): Stop =>
  owner.kind === "side" ? stopAfter(owner.condition) : { kind: "end", of: owner.kind };
