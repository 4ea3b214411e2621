/**
 * Which nodes have certainly run before another. Told twice, by the same rules: of a valid graph, and of an outline, for
 * validation.
 *
 * Certain is what stands before a node in its sequence and in the sequences around it, and what is certain in the forks
 * among that. Not what stands on a side of a condition that is not around the node itself; not what runs beside it in
 * another branch; nothing in a fork that goes on before all its branches have arrived; not what stands in a branch from
 * where the branch may end early; and no end, which is never left.
 */
import type { Graph, GraphNode, Sequence } from "./graph.ts";
import { nodeOf } from "./graph.ts";
import type { Outline, OutlineNode, OutlineSequence } from "./outline.ts";
import { fieldsOf, listOf } from "./outline.ts";

/** The names of the nodes that have certainly run when a node starts. */
export const certainBefore = (graph: Graph, name: string): ReadonlySet<string> => {
  const found = new Set<string>();
  for (let node: GraphNode | null = nodeOf(graph, name); node !== null; node = containerOf(node.sequence)) {
    for (const earlier of node.sequence.nodes.slice(0, node.index)) addCertain(earlier, found);
  }
  return found;
};

const containerOf = ({ owner }: Sequence): GraphNode | null => {
  if (owner.kind === "root") return null;
  return owner.kind === "branch" ? owner.fork : owner.condition;
};

const addCertain = (node: GraphNode, found: Set<string>): void => {
  if (node.kind === "end") return;
  found.add(node.name);
  if (node.kind !== "fork" || node.need < node.branches.size) return;
  for (const { nodes } of node.branches.values()) {
    const early = nodes.findIndex(canEndBranch);
    for (const inner of early < 0 ? nodes : nodes.slice(0, early)) addCertain(inner, found);
  }
};

const canEndBranch = (node: GraphNode): boolean => {
  if (node.kind === "end") return node.json.how === "complete";
  return node.kind === "condition" && [...node.then.nodes, ...node.else.nodes].some(canEndBranch);
};

/** Shows each node of an outline, in document order, with what has certainly run before it. */
export const walkCertain = (
  { root }: Outline,
  visit: (node: OutlineNode, isCertain: (name: string) => boolean) => void,
): void => {
  // What has certainly run by now, as a stack: leaving a sequence takes away what it added.
  const certain: string[] = [];
  const counts = new Map<string, number>();
  const isCertain = (name: string): boolean => (counts.get(name) ?? 0) > 0;
  const enter = (name: string): void => {
    certain.push(name);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  const leave = (mark: number): string[] => {
    const left = certain.splice(mark);
    for (const name of left) counts.set(name, (counts.get(name) ?? 0) - 1);
    return left;
  };

  /** Gives what is certain for those behind the fork that the sequence is a branch of. */
  const walk = ({ nodes, owner }: OutlineSequence): readonly string[] => {
    const mark = certain.length;
    let early: number | null = null;
    for (const node of nodes) {
      if (early === null && owner?.kind === "fork" && mayEndBranch(node)) early = certain.length;
      visit(node, isCertain);
      const inside = node.sequences.map(walk);
      if (joinsAll(node)) for (const name of inside.flat()) enter(name);
      if (node.name !== null && node.kind !== "end") enter(node.name);
    }
    const left = leave(mark);
    return early === null ? left : left.slice(0, early - mark);
  };
  walk(root);
};

/** Whether a node is a fork that goes on only when all its branches have arrived. */
export const joinsAll = ({ kind, fields }: OutlineNode): boolean => {
  if (kind !== "fork" || fields.join === "any") return false;
  const atLeast = fieldsOf(fields.join)?.atLeast;
  return typeof atLeast !== "number" || atLeast >= listOf(fields.branches).length;
};

/** Whether the branch in which a node stands may arrive at it, or within it, and not go on. */
export const mayEndBranch = (node: OutlineNode): boolean => {
  if (node.kind === "end") return node.fields.how === "complete";
  return node.kind === "condition" && node.sequences.some(({ nodes }) => nodes.some(mayEndBranch));
};
