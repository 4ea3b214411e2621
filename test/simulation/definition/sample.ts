/**
 * Random definitions: forks of every kind of join, conditions and chains of them, savepoints, people, sleeps, signals and
 * early ends, with every option that changes what a run may do. Beside each expression stands a rule that says the same,
 * for checkers that do not evaluate expressions.
 */
import type { DefinitionJson, EndJson, ForkJson, JoinRule, NodeJson, TaskJson } from "@floxy/shared";
import type { Tape } from "../tape.ts";
import type { Growth, Position, Rule, Sample } from "./growth.ts";
import { growMapping, nameOf } from "./growth.ts";
import { growHuman, growSignal, growSleep } from "./waits.ts";

interface Grown {
  readonly node: NodeJson;
  /** The nodes that have certainly run when it is over, itself included. */
  readonly certain: readonly string[];
  /** Whether the branch that it stands in may end in it. */
  readonly endsEarly: boolean;
}

/** The handlers of tasks; which of them a worker calls in a transaction differs from worker to worker. */
export const handlers = ["charge", "reserve", "ship"] as const;

/** The handlers of compensations. */
export const undoHandlers = ["refund", "release"] as const;

const depthLimit = 3;

/** Grows a definition of at most about `nodeLimit` nodes. */
export const growDefinition = (tape: Tape, name: string, nodeLimit: number): Sample => {
  const growth: Growth = { tape, rules: new Map(), mappings: new Map(), nodeLimit, count: 0 };
  const length = 1 + tape.below(4);
  const { nodes } = growSequence(growth, length, { depth: 0, inBranch: false, certain: [], savepoints: [] });
  const definition: DefinitionJson = {
    format: 1,
    name,
    version: 1,
    ...(tape.chance(25) && { onFailure: "dlq" }),
    ...(tape.chance(15) && { compensate: "sequential" }),
    ...(tape.chance(8) && { deadlineMs: 60_000 * (1 + tape.below(10)) }),
    ...(tape.chance(10) && { priority: tape.below(101) }),
    nodes,
  };
  return { definition, rules: growth.rules, mappings: growth.mappings };
};

const growSequence = (growth: Growth, length: number, position: Position) => {
  const nodes: NodeJson[] = [];
  const certain: string[] = [];
  const savepoints = [...position.savepoints];
  let endsEarly = false;
  for (let index = 0; index < length; index++) {
    const isLast = index === length - 1;
    const here = { ...position, certain: [...position.certain, ...certain], savepoints };
    const grown = growNode(growth, here, isLast);
    nodes.push(grown.node);
    certain.push(...grown.certain);
    endsEarly ||= grown.endsEarly;
    if (grown.node.kind === "savepoint") savepoints.push(grown.node.name);
  }
  // From where a branch may end early, nothing of it is certain to those who come after its join.
  return { nodes, certain: endsEarly ? [] : certain, endsEarly };
};

const growNode = (growth: Growth, position: Position, isLast: boolean): Grown => {
  const { tape } = growth;
  const mayNest = position.depth < depthLimit && growth.count < growth.nodeLimit;
  const kind = tape.weigh([
    [42, "task"],
    [mayNest ? 14 : 0, "fork"],
    [mayNest ? 12 : 0, "condition"],
    [position.inBranch ? 0 : 12, "savepoint"],
    [7, "human"],
    [4, "sleep"],
    [6, "signal"],
    [isLast && position.depth > 0 ? 5 : 0, "end"],
  ] as const);
  const own = (node: NodeJson): Grown => ({ node, certain: [node.name], endsEarly: false });
  switch (kind) {
    case "fork":
      return growFork(growth, position);
    case "condition":
      return growCondition(growth, position);
    case "savepoint":
      return own({ kind: "savepoint", name: nameOf(growth, "s"), ...(tape.chance(40) && { retry: growRetry(tape) }) });
    case "human":
      return own(growHuman(growth, position));
    case "sleep":
      return own(growSleep(growth));
    case "signal":
      return own(growSignal(growth));
    case "end": {
      const node = growEnd(growth, position);
      return { node, certain: [], endsEarly: node.how === "complete" };
    }
    default:
      return own(growTask(growth, position));
  }
};

const growEnd = (growth: Growth, { savepoints }: Position): EndJson => {
  const { tape } = growth;
  const name = nameOf(growth, "e");
  const savepoint = tape.pickAny(savepoints);
  const how = tape.pick(["complete", "fail", savepoint === undefined ? "fail" : "rollbackTo"] as const);
  return how === "rollbackTo" && savepoint !== undefined
    ? { kind: "end", name, how, savepoint }
    : { kind: "end", name, how };
};

const growFork = (growth: Growth, position: Position): Grown => {
  const { tape } = growth;
  const name = nameOf(growth, "f");
  const inner: Position = { ...position, depth: position.depth + 1, inBranch: true };
  const lengths = Array.from({ length: 2 + (tape.chance(30) ? 1 : 0) }, () => 1 + (tape.chance(35) ? 1 : 0));
  const branches = lengths.map((length) => growSequence(growth, length, inner));
  const join = tape.pick<JoinRule>(["all", "any", { atLeast: 1 + tape.below(lengths.length) }]);
  const mayLose = join !== "all";
  const node: ForkJson = {
    kind: "fork",
    name,
    branches: branches.map(({ nodes }, index) => ({ name: `b${index}`, nodes })),
    ...(mayLose && { join, losers: tape.pick(["cancel", "compensate", "wait"] as const) }),
  };
  const isWhole = !mayLose || (typeof join === "object" && join.atLeast === lengths.length);
  return { node, certain: [name, ...(isWhole ? branches.flatMap(({ certain }) => certain) : [])], endsEarly: false };
};

const growCondition = (growth: Growth, position: Position): Grown => {
  const { tape, rules } = growth;
  const name = nameOf(growth, "c");
  const step = tape.pickAny(position.certain);
  const rule: Rule = tape.chance(3)
    ? { by: "never" }
    : tape.pick<Rule>([{ by: "input" }, { by: "value" }, step ? { by: "step", step } : { by: "value" }]);
  rules.set(name, rule);
  const inner = { ...position, depth: position.depth + 1 };
  const then = growSequence(growth, tape.below(3), inner);
  const otherwise = growSequence(growth, tape.below(2), inner);
  // Both sides must not end, or what comes after could never be reached.
  const ends = (nodes: readonly NodeJson[]): boolean => {
    const last = nodes.at(-1);
    return last?.kind === "end" || (last?.kind === "condition" && ends(last.then) && ends(last.else));
  };
  const isDeadEnd = ends(then.nodes) && ends(otherwise.nodes);
  const node: NodeJson = {
    kind: "condition",
    name,
    when: expressionOf(name, rule),
    then: then.nodes,
    else: isDeadEnd ? [] : otherwise.nodes,
  };
  return { node, certain: [name], endsEarly: then.endsEarly || (!isDeadEnd && otherwise.endsEarly) };
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

const growTask = (growth: Growth, position: Position): TaskJson => {
  const { tape, mappings } = growth;
  const name = nameOf(growth, "t");
  const isOnce = tape.chance(12);
  const undone = tape.chance(75);
  const input = growMapping(growth, position, 25);
  if (input !== undefined) mappings.set(name, input.rule);
  const undo = undone ? growMapping(growth, position, 10) : undefined;
  if (undo !== undefined) mappings.set(`~${name}`, undo.rule);
  return {
    kind: "task",
    name,
    handler: tape.pick(handlers),
    ...(isOnce ? { idempotent: false } : { retry: growRetry(tape) }),
    ...(tape.chance(10) && { delayMs: 5_000 }),
    ...(tape.chance(8) && { priority: tape.below(101) }),
    ...(input !== undefined && { input: input.mapping }),
    ...(undone && {
      compensation: {
        handler: tape.pick(undoHandlers),
        retry: growRetry(tape),
        ...(undo !== undefined && { input: undo.mapping }),
      },
      ...(tape.chance(15) && { compensateOn: "completed" }),
    }),
  };
};

/** A retry policy with few attempts. */
const growRetry = (tape: Tape) => ({
  maxAttempts: 1 + tape.below(3),
  delayMs: tape.pick([0, 5_000]),
  strategy: tape.pick(["fixed", "linear", "exponential"] as const),
});
