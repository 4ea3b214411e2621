/** Which nodes have certainly run before another, and rules about expressions that refer to nodes. */
import type { Problem } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { quote } from "../vocabulary/quote.ts";
import { checkExpression, references } from "./expression.ts";
import type { Graph, GraphNode, Sequence } from "./graph.ts";
import { nodeOf } from "./graph.ts";
import { checkMapping, mappingExpressions } from "./mapping.ts";
import type { Outline, OutlineNode, OutlineSequence } from "./outline.ts";
import { fieldsOf } from "./outline.ts";

/**
 * The names of the nodes that have certainly run when a node starts: the nodes before it in its sequence and in the
 * sequences around it, with everything certain in the forks among them. Not what stands on a side of a condition that is
 * not around the node itself, and not what runs beside it in another branch.
 */
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
  found.add(node.name);
  if (node.kind !== "fork") return;
  for (const branch of node.branches.values()) for (const inner of branch.nodes) addCertain(inner, found);
};

/** What is wrong with conditions and mappings: their expressions, and the nodes that these refer to. */
export const checkExpressions = (outline: Outline): readonly Problem[] => {
  const problems: Problem[] = [];
  const known = new Map<string, OutlineNode>();
  for (const node of outline.nodes) if (node.name !== null && !known.has(node.name)) known.set(node.name, node);
  // What has certainly run by now, as a stack: leaving a sequence takes away what it added.
  const certain: string[] = [];
  const counts = new Map<string, number>();
  const enter = (name: string): void => {
    certain.push(name);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  const leave = (mark: number): string[] => {
    const left = certain.splice(mark);
    for (const name of left) counts.set(name, (counts.get(name) ?? 0) - 1);
    return left;
  };

  const walk = ({ nodes }: OutlineSequence): void => {
    for (const node of nodes) {
      for (const [path, text] of expressionsOf(node)) {
        const wrong = checkExpression(text, path);
        problems.push(...wrong);
        if (wrong.length > 0 || typeof text !== "string") continue;
        for (const step of references(text).steps) {
          if ((counts.get(step) ?? 0) === 0) problems.push({ path, ...notCertain(step, node, known) });
        }
      }
      const passed: string[] = [];
      for (const sequence of node.sequences) {
        const mark = certain.length;
        walk(sequence);
        const inside = leave(mark);
        if (node.kind === "fork") passed.push(...inside);
      }
      for (const name of passed) enter(name);
      if (node.name !== null) enter(node.name);
    }
  };

  problems.push(...outline.nodes.flatMap(mappingProblems));
  walk(outline.root);
  return problems;
};

/** The places of a node where expressions stand. A compensation sees what its step sees. */
const mappingsOf = ({ fields, path }: OutlineNode): readonly (readonly [Json, string])[] => {
  const compensation = fieldsOf(fields.compensation);
  return [
    ...(fields.input === undefined ? [] : [[fields.input as Json, `${path}.input`] as const]),
    ...(compensation?.input === undefined ? [] : [[compensation.input as Json, `${path}.compensation.input`] as const]),
  ];
};

const expressionsOf = (node: OutlineNode): readonly (readonly [string, unknown])[] => {
  if (node.kind === "condition") {
    // A condition that is no text is the business of the shape.
    return typeof node.fields.when === "string" ? [[`${node.path}.when`, node.fields.when]] : [];
  }
  return node.kind === "task" ? mappingsOf(node).flatMap(([mapping, path]) => mappingExpressions(mapping, path)) : [];
};

/** Problems of mappings that are not those of an expression in them. */
const mappingProblems = (node: OutlineNode): readonly Problem[] =>
  mappingsOf(node).flatMap(([mapping, path]) => checkMapping(mapping, path).filter(({ code }) => code === "too_deep"));

/** Why a node may not be referred to from here. */
const notCertain = (
  name: string,
  from: OutlineNode,
  known: ReadonlyMap<string, OutlineNode>,
): { readonly code: string; readonly message: string } => {
  const target = known.get(name);
  const said = `'steps' refers to ${quote(name)}`;
  if (target === undefined) {
    return { code: "unknown_step", message: `${said}, and there is no node of this name in the definition` };
  }
  const meeting = meetingOf(target, from);
  if (meeting.target.index < meeting.from.index) {
    const side = outermostSide(target, meeting.target);
    const where = side === null ? "" : `: it is on the side '${side.key}' of the condition ${nameOf(side.owner)}`;
    return {
      code: "uncertain_step",
      message: `${said}, which may not have run${where}; refer to the condition instead, whose value is that of the side taken`,
    };
  }
  if (meeting.target === meeting.from && meeting.target !== target && meeting.from !== from) {
    const fork = meeting.target;
    if (fork.kind === "fork") {
      const message = `${said}, which runs beside it in another branch of the fork ${nameOf(fork)}; refer to it after the fork`;
      return { code: "parallel_step", message };
    }
    const message = `${said}, which is on the other side of the condition ${nameOf(fork)} and never runs together with it`;
    return { code: "uncertain_step", message };
  }
  const reason = target === from ? "which is this node itself" : "which does not come before it";
  return { code: "later_step", message: `${said}, ${reason}; only nodes that ran before can be referred to` };
};

/** The two nodes of one sequence in which the target and the referring node stand, or which they are. */
const meetingOf = (target: OutlineNode, from: OutlineNode): { target: OutlineNode; from: OutlineNode } => {
  const around = new Map(chainOf(from).map((node) => [node.place, node]));
  for (const node of chainOf(target)) {
    const other = around.get(node.place);
    if (other !== undefined) return { target: node, from: other };
  }
  return { target, from };
};

/** A node and those around it, from the inside out. */
const chainOf = (node: OutlineNode): readonly OutlineNode[] => {
  const chain = [node];
  for (let owner = node.place.owner; owner !== null; owner = owner.place.owner) chain.push(owner);
  return chain;
};

/** The outermost side of a condition that a node stands on, up to a node around it. */
const outermostSide = (node: OutlineNode, upTo: OutlineNode): OutlineSequence | null => {
  let side: OutlineSequence | null = null;
  for (const one of chainOf(node)) {
    if (one === upTo) return side;
    if (one.place.owner?.kind === "condition") side = one.place;
  }
  return side;
};

const nameOf = (node: OutlineNode | null): string => quote(node?.name ?? "without a name");
