/** Rules about conditions, times and mappings: their expressions, and the nodes that these refer to. */
import type { Problem } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { quote } from "../vocabulary/quote.ts";
import { checkExpression, references } from "./expression.ts";
import { problemLimit } from "./limit.ts";
import { checkMapping, mappingExpressions } from "./mapping.ts";
import { joinsAll, mayEndBranch, walkCertain } from "./order.ts";
import type { Outline, OutlineNode } from "./outline.ts";
import { fieldsOf, namesOf } from "./outline.ts";

/** What is wrong with the expressions of a definition, and with the nodes that these refer to. */
export const checkExpressions = (outline: Outline): readonly Problem[] => {
  const problems = outline.nodes.flatMap(mappingProblems);
  const known = namesOf(outline);
  walkCertain(outline, (node, isCertain) => {
    for (const [path, text] of expressionsOf(node)) {
      // More are not reported, and to find their reasons takes time.
      if (problems.length >= problemLimit) return;
      const wrong = checkExpression(text, path);
      problems.push(...wrong);
      if (wrong.length > 0 || typeof text !== "string") continue;
      for (const step of references(text).steps) {
        if (!isCertain(step)) problems.push({ path, ...notCertain(step, node, known) });
      }
    }
  });
  return problems;
};

/** The mappings of a node. A compensation sees what its step sees. */
const mappingsOf = ({ fields, path }: OutlineNode): readonly (readonly [Json, string])[] => {
  const compensation = fieldsOf(fields.compensation);
  return [
    ...(fields.input === undefined ? [] : [[fields.input as Json, `${path}.input`] as const]),
    ...(compensation?.input === undefined ? [] : [[compensation.input as Json, `${path}.compensation.input`] as const]),
  ];
};

/** The places of a node where expressions stand. */
const expressionsOf = (node: OutlineNode): readonly (readonly [string, unknown])[] => {
  switch (node.kind) {
    case "condition":
      return fieldExpression(node, "when");
    case "sleep":
      return fieldExpression(node, "until");
    case "task":
    case "human":
      return mappingsOf(node).flatMap(([mapping, path]) => mappingExpressions(mapping, path));
    default:
      return [];
  }
};

/** An expression that is no text is the business of the shape. */
const fieldExpression = ({ fields, path }: OutlineNode, field: string): readonly (readonly [string, unknown])[] =>
  typeof fields[field] === "string" ? [[`${path}.${field}`, fields[field]]] : [];

/** Problems of mappings that are not those of an expression in them. */
const mappingProblems = (node: OutlineNode): Problem[] =>
  mappingsOf(node).flatMap(([mapping, path]) => checkMapping(mapping, path).filter(({ code }) => code === "too_deep"));

type Reason = Pick<Problem, "code" | "message">;

/** Why a node may not be referred to from here. */
const notCertain = (name: string, from: OutlineNode, known: ReadonlyMap<string, OutlineNode>): Reason => {
  const target = known.get(name);
  const said = `'steps' refers to ${quote(name)}`;
  if (target === undefined) {
    return { code: "unknown_step", message: `${said}, and there is no node of this name in the definition` };
  }
  const meeting = meetingOf(target, from);
  if (meeting.target.index < meeting.from.index) {
    return { code: "uncertain_step", message: `${said}, ${doubtOf(target, meeting.target)}` };
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

/** Why a node that stands before another may not have run, said of the outermost around it that leaves it open. */
const doubtOf = (target: OutlineNode, upTo: OutlineNode): string => {
  if (target.kind === "end") return "which is an end and has no value; refer to a node that the flow goes on from";
  const chain = chainOf(target);
  const doubts = chain.slice(0, chain.indexOf(upTo)).flatMap(doubtAt);
  return `which may not have run${doubts.at(-1) ?? ""}`;
};

const doubtAt = (node: OutlineNode): readonly string[] => {
  const { owner, key, nodes } = node.place;
  if (owner === null) return [];
  if (owner.kind === "condition") {
    const where = `it is on the side '${key}' of the condition ${nameOf(owner)}`;
    return [`: ${where}; refer to the condition instead, whose value is that of the side taken`];
  }
  const help = "refer to the fork instead, whose value has those of the branches that arrived";
  if (!joinsAll(owner)) {
    return [`: the fork ${nameOf(owner)} goes on before all its branches have arrived; ${help}`];
  }
  const early = nodes.find((one) => one.index <= node.index && mayEndBranch(one));
  if (early === undefined) return [];
  return [`: the branch ${quote(key)} of the fork ${nameOf(owner)} can end early, at ${nameOf(early)}; ${help}`];
};

const nameOf = (node: OutlineNode): string => quote(node.name ?? "without a name");
