/** Where the flow goes: the next node, out of the sides of conditions and as far as the end of a branch or of all. */
import type { EndNode, ForkNode, GraphNode, Sequence, SequenceOwner } from "../definition/graph.ts";
import { nodeAfter } from "../definition/graph.ts";

/** A branch, or the outermost sequence: what the flow can come to the end of. */
export type Course = Sequence & { readonly owner: Exclude<SequenceOwner, { readonly kind: "side" }> };

/** A node at which the flow arrives, or the end of a branch or of the outermost sequence. */
export type Stop = GraphNode | { readonly kind: "over"; readonly of: Course["owner"] };

/** Where the flow arrives when it leaves `node`. */
export const stopAfter = (node: GraphNode): Stop => nodeAfter(node) ?? endOf(node.sequence);

/** Where the flow arrives when it enters `sequence`. */
export const stopAtStart = (sequence: Sequence): Stop => sequence.nodes[0] ?? endOf(sequence);

/** Where the flow arrives when an early end completes the branch it stands in, or all. */
export const stopAfterEnd = (node: EndNode): Stop => ({ kind: "over", of: courseOf(node).owner });

/** The branch that a node stands in, or the outermost sequence, however deep in conditions. */
const courseOf = (node: GraphNode): Course => {
  let { sequence } = node;
  while (sequence.owner.kind === "side") sequence = sequence.owner.condition.sequence;
  return sequence as Course;
};

/** The early ends at which the flow through a sequence can end. Not those in forks, which end branches there. */
export const earlyEnds = ({ nodes }: Sequence): readonly EndNode[] =>
  nodes.flatMap((node) => {
    if (node.kind === "end") return [node];
    return node.kind === "condition" ? [...earlyEnds(node.then), ...earlyEnds(node.else)] : [];
  });

/** A sequence and all that stands in it, at any depth. */
export const nodesIn = ({ nodes }: Sequence): readonly GraphNode[] =>
  nodes.flatMap((node) => {
    if (node.kind === "fork") return [node, ...[...node.branches.values()].flatMap(nodesIn)];
    return node.kind === "condition" ? [node, ...nodesIn(node.then), ...nodesIn(node.else)] : [node];
  });

/** The innermost fork in whose branch a node stands, however deep in conditions. */
export const forkAround = (node: GraphNode): ForkNode | undefined => {
  const { owner } = courseOf(node);
  return owner.kind === "branch" ? owner.fork : undefined;
};

/** All nodes that come after a node, at any depth. */
export const nodesAfter = (node: GraphNode): readonly GraphNode[] => {
  const { sequence, index } = node;
  const following = nodesIn({ ...sequence, nodes: sequence.nodes.slice(index + 1) });
  const { owner } = sequence;
  return owner.kind === "side" ? [...following, ...nodesAfter(owner.condition)] : following;
};

/** The sequences around a sequence, the innermost first. */
export const around = ({ owner }: Sequence): readonly Sequence[] => {
  if (owner.kind === "root") return [];
  const { sequence } = owner.kind === "branch" ? owner.fork : owner.condition;
  return [sequence, ...around(sequence)];
};

/** Whether a join can do without a node: whether it stands in a branch of which not all must arrive, at any depth. */
export const isContained = (node: GraphNode): boolean => {
  const fork = forkAround(node);
  return fork !== undefined && (fork.need < fork.branches.size || isContained(fork));
};

// A side ends where its condition does; the recursion is as deep as conditions are nested.
const endOf = ({ owner }: Sequence): Stop =>
  owner.kind === "side" ? stopAfter(owner.condition) : { kind: "over", of: owner };
