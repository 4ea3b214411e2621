/** Rules about where the flow ends: what can never be reached, and which savepoint an end may go back to. */
import type { Problem } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import { walkCertain } from "./order.ts";
import type { Outline, OutlineNode, OutlineSequence } from "./outline.ts";
import { namesOf } from "./outline.ts";

/** The first node in each sequence that the flow cannot come to, because it always ends before. */
export const checkReach = ({ root }: Outline): readonly Problem[] => {
  const problems: Problem[] = [];
  /** Whether the flow can come to the end of a sequence. */
  const isPassable = ({ nodes }: OutlineSequence): boolean => {
    let passable = true;
    for (const [position, node] of nodes.entries()) {
      const sides = node.sequences.map(isPassable);
      const ends = node.kind === "end" || (node.kind === "condition" && !sides.includes(true));
      if (!passable || !ends) continue;
      passable = false;
      const next = nodes[position + 1];
      if (next !== undefined) problems.push(unreachable(next, node));
    }
    return passable;
  };
  isPassable(root);
  return problems;
};

/** What is wrong with the fields of ends, and with the savepoints that these go back to. */
export const checkEnds = (outline: Outline): readonly Problem[] => {
  const problems: Problem[] = [];
  const known = namesOf(outline);
  walkCertain(outline, (node, isCertain) => {
    if (node.kind !== "end") return;
    problems.push(...fieldProblems(node));
    const { how, savepoint } = node.fields;
    if (how !== "rollbackTo" || typeof savepoint !== "string") return;
    const path = `${node.path}.savepoint`;
    const target = known.get(savepoint);
    if (target?.kind !== "savepoint") {
      problems.push({ path, code: "unknown_savepoint", message: notSavepoint(savepoint, target) });
    } else if (!isCertain(savepoint)) {
      const message = `the savepoint ${quote(savepoint)} has not certainly been passed when this is reached; name one that stands before it, in its sequence or in one around it`;
      problems.push({ path, code: "savepoint_not_passed", message });
    }
  });
  return problems;
};

const unreachable = ({ path }: OutlineNode, before: OutlineNode): Problem => {
  const name = quote(before.name ?? "without a name");
  const reason = before.kind === "end" ? `${name} before it is an end` : `both sides of the condition ${name} end`;
  const message = `this node can never be reached: ${reason}; remove it, or put it before`;
  return { path, code: "unreachable_node", message };
};

const fieldProblems = ({ fields: { how, savepoint, message }, path }: OutlineNode): readonly Problem[] => {
  const problems: Problem[] = [];
  if (how === "rollbackTo" && savepoint === undefined) {
    const text = "this field is missing; an end that rolls back names the savepoint to stop at";
    problems.push({ path: `${path}.savepoint`, code: "missing_field", message: text });
  }
  if ((how === "complete" || how === "fail") && savepoint !== undefined) {
    const text = `a savepoint means nothing with how: ${quote(how)}; remove it, or write how: 'rollbackTo'`;
    problems.push({ path: `${path}.savepoint`, code: "unused_field", message: text });
  }
  if (how === "complete" && message !== undefined) {
    const text = "the message says why it fails, and this end completes; remove it, or write how: 'fail'";
    problems.push({ path: `${path}.message`, code: "unused_field", message: text });
  }
  return problems;
};

const notSavepoint = (name: string, node: OutlineNode | undefined): string =>
  node === undefined
    ? `there is no savepoint ${quote(name)} in the definition`
    : `${quote(name)} is no savepoint but a node of kind ${node.kind}; name a savepoint`;
