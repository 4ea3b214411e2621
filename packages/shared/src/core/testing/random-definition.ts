/** Random definitions: forks up to three levels deep, conditions with empty sides, savepoints where they may stand. */
import type { DefinitionJson, NodeJson, TaskJson } from "../../definition/model.ts";
import type { JsonObject } from "../../vocabulary/json.ts";
import { condition, define, fork, savepoint, task } from "./definitions.ts";
import type { Tape } from "./tape.ts";

/** What decides a condition, for those who do not evaluate expressions. `never`: its expression fails. */
export type Rule = { readonly by: "input" | "value" | "never" } | { readonly by: "step"; readonly step: string };

/** A definition with all that is needed to run it and to foretell what it does. */
export interface Sample {
  readonly definition: DefinitionJson;
  readonly input: JsonObject;
  /** By the name of the condition. */
  readonly rules: ReadonlyMap<string, Rule>;
}

interface Growth {
  readonly tape: Tape;
  readonly rules: Map<string, Rule>;
  readonly sides: Record<string, boolean>;
  count: number;
}

/** How far a sequence is from the outermost: how deep, whether in a branch, and what has certainly run before. */
interface Position {
  readonly depth: number;
  readonly inBranch: boolean;
  readonly certain: readonly string[];
}

const nodeLimit = 25;
const depthLimit = 3;

/** Grows a definition. */
export const randomDefinition = (tape: Tape): Sample => {
  const growth: Growth = { tape, rules: new Map(), sides: {}, count: 0 };
  const { nodes } = growSequence(growth, 1 + tape.below(5), { depth: 0, inBranch: false, certain: [] });
  const input = { ok: tape.chance(50), sides: growth.sides };
  return { definition: define(...nodes), input, rules: growth.rules };
};

const growSequence = (growth: Growth, length: number, position: Position) => {
  const nodes: NodeJson[] = [];
  const certain = [...position.certain];
  for (let index = 0; index < length; index++) {
    const { node, inside } = growNode(growth, { ...position, certain });
    nodes.push(node);
    certain.push(...inside, node.name);
  }
  return { nodes, passed: certain.slice(position.certain.length) };
};

/** `inside`: the nodes in it that have certainly run when it is over. */
const growNode = (growth: Growth, position: Position): { node: NodeJson; inside: readonly string[] } => {
  const { tape } = growth;
  const name = (kind: string) => `${kind}${++growth.count}`;
  const mayNest = position.depth < depthLimit && growth.count < nodeLimit;
  const kind = tape.pick(["task", "task", "fork", "condition", "savepoint", "condition", "fork", "savepoint"]);
  if (kind === "fork" && mayNest) return growFork(growth, name("f"), position);
  if (kind === "condition" && mayNest) return { node: growCondition(growth, name("c"), position), inside: [] };
  if (kind === "savepoint" && !position.inBranch) return { node: savepoint(name("s")), inside: [] };
  return { node: growTask(tape, name("t"), position.certain), inside: [] };
};

const growFork = (growth: Growth, name: string, position: Position) => {
  const inner = { ...position, depth: position.depth + 1, inBranch: true };
  const lengths = Array.from({ length: 2 + growth.tape.below(2) }, () => 1 + growth.tape.below(3));
  const branches = lengths.map((length) => growSequence(growth, length, inner));
  const node = fork(name, Object.fromEntries(branches.map(({ nodes }, index) => [`b${index}`, nodes])));
  return { node, inside: branches.flatMap(({ passed }) => passed) };
};

const growCondition = (growth: Growth, name: string, position: Position): NodeJson => {
  const { tape, rules, sides } = growth;
  const [first, ...others] = position.certain;
  const step = first === undefined ? undefined : tape.pick([first, ...others]);
  const rule: Rule = tape.pick([{ by: "input" }, { by: "value" }, step ? { by: "step", step } : { by: "input" }]);
  sides[name] = tape.chance(50);
  rules.set(name, tape.chance(4) ? { by: "never" } : rule);
  const inner = { ...position, depth: position.depth + 1 };
  const then = growSequence(growth, tape.below(3), inner).nodes;
  const otherwise = growSequence(growth, tape.below(3), inner).nodes;
  return condition(name, expressionOf(name, rules.get(name) ?? rule), then, otherwise);
};

const expressionOf = (name: string, rule: Rule): string => {
  switch (rule.by) {
    case "input":
      return `input.sides.${name}`;
    case "value":
      return "has(value.ok) && value.ok == true";
    case "step":
      return `has(steps.${rule.step}.ok) && steps.${rule.step}.ok == true`;
    case "never":
      return "input.missing == 1";
  }
};

const growTask = (tape: Tape, name: string, certain: readonly string[]): TaskJson => {
  const [first, ...others] = certain;
  const delayMs = tape.pick([0, 5]);
  const retry = () => ({ maxAttempts: tape.pick([1, 2, 3]), delayMs: tape.pick([0, 5]) });
  return task(name, {
    ...(tape.chance(20) ? { idempotent: false, retry: {} } : { retry: retry() }),
    ...(tape.chance(25) ? {} : { compensation: { handler: `undo-${name}`, retry: retry() } }),
    ...(delayMs > 0 ? { delayMs } : {}),
    ...(first !== undefined && tape.chance(30) ? { input: { $: `steps.${tape.pick([first, ...others])}` } } : {}),
  });
};
