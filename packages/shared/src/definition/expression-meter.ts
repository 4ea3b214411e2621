/**
 * Bounds what one evaluation costs. A list in an instance's data can have half a million elements, and macros nest, so no
 * limit on the text of an expression bounds its evaluation; counting does.
 *
 * The library evaluates each part through the part's own `evaluate`, and this puts a counter before it. That is not a
 * published interface of the library: {@link meter} throws when the method is missing, and a test fails when it is not
 * called, so an upgrade cannot remove the bound unnoticed.
 */
import { partsOf } from "./expression-check.ts";
import type { CelNode, CelProgram } from "./expression-library.ts";
import { expressionBudget } from "./limit.ts";

/** A failure that the meter causes; not the library's. */
export class Refusal extends Error {}

/** How much is left of the budget of the evaluation that runs. Evaluation is synchronous, so there is only one. */
let left = 0;
let exhausted = false;

const overBudget = new Refusal(
  "it takes too much work on this data; filter or shorten the lists before, or do it in a handler",
);

/** Runs an expression within the budget. */
export const runMetered = (program: CelProgram, variables: Record<string, unknown>): unknown => {
  left = expressionBudget;
  exhausted = false;
  const result: unknown = program(variables);
  // `||`, `&&` and `exists` pass over an error when the other operand decides; this one must not be passed over.
  if (exhausted) throw overBudget;
  return result;
};

type Evaluate = (this: unknown, ...args: unknown[]) => unknown;

/** Puts a counter before every part of an expression. */
export const meter = (root: CelNode): void => {
  const open: CelNode[] = [root];
  setCounter(root, []);
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const charges = chargesOf(node);
    for (const part of partsOf(node)) {
      setCounter(part, charges);
      open.push(part);
    }
  }
};

/** What is asked of the value of a part before the part around it works with it. */
type Charge = (value: unknown) => void;

const setCounter = (node: CelNode, charges: readonly Charge[]): void => {
  const target = node as { evaluate?: unknown };
  if (typeof target.evaluate !== "function") throw new Error("the CEL library changed: a part has no evaluate method");
  let inner = target.evaluate as Evaluate;
  const counted: Evaluate = (...args) => {
    spend(1);
    const value = inner.apply(node, args);
    if (typeof value === "number" && !Number.isFinite(value)) throw new Refusal(notFinite);
    for (const charge of charges) charge(value);
    return value;
  };
  // The library replaces the method by a faster one at the first call; the replacement goes behind the counter.
  Object.defineProperty(node, "evaluate", {
    get: () => counted,
    set: (faster: Evaluate) => {
      inner = faster;
    },
  });
};

const notFinite =
  "a number became infinite or undefined, as by a division by zero; check the divisor before, as in b != 0 && a / b > 1";

const spend = (units: number): void => {
  left -= units;
  if (left >= 0) return;
  exhausted = true;
  throw overBudget;
};

const chargesOf = (around: CelNode): readonly Charge[] => {
  switch (around.op) {
    case "==":
    case "!=":
    case "in":
      return [deep];
    case "+":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return [shallow];
    case "call":
      return around.args[0] === "duration" || around.args[0] === "timestamp" ? [timeText] : [shallow];
    case "rcall":
      return around.args[0] === "join" ? [deep, separator] : [shallow];
    default:
      return [];
  }
};

const shallow: Charge = (value) => {
  if (typeof value === "string") spend(value.length >> 6);
  else if (Array.isArray(value)) spend(value.length >> 2);
  else if (value instanceof Map) spend(value.size >> 2);
  else if (typeof value === "object" && value !== null) spend(Object.keys(value).length >> 2);
};

const deep: Charge = (value) => {
  spend(1);
  if (typeof value !== "object" || value === null) shallow(value);
  else if (Array.isArray(value)) for (const item of value) deep(item);
  else for (const item of value instanceof Map ? value.values() : Object.values(value)) deep(item);
};

/** `duration` reads its text with a pattern that backtracks, and `timestamp` without an offset means local time. */
const timeText: Charge = (value) => {
  if (typeof value !== "string") return;
  if (value.length > 40) throw new Refusal("the text of a timestamp or duration has more than 40 characters");
  if (value.includes("T") && !/(?:Z|[+-]\d\d:\d\d)$/i.test(value)) {
    throw new Refusal("a timestamp needs an offset, as in 2026-01-31T12:00:00Z or 2026-01-31T12:00:00+02:00");
  }
};

const separator: Charge = (value) => {
  if (typeof value === "string" && value.length > 64)
    throw new Refusal("the separator of join has more than 64 characters");
};
