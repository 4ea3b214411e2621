/**
 * What the library would accept and Floxy does not. A definition is evaluated by any process at any time, so expressions
 * must give the same everywhere: nothing that depends on the time zone of the process, nothing whose cost the length of
 * its arguments does not bound, and no reference that cannot be seen by looking at the text.
 */
import { quote } from "../vocabulary/quote.ts";
import type { CelNode } from "./expression-library.ts";
import { expressionDepthLimit } from "./limit.ts";

/** What an expression uses of what it sees. */
export interface References {
  readonly input: boolean;
  readonly value: boolean;
  /** The names of the nodes whose outputs it uses, each once, in the order of their first use. */
  readonly steps: readonly string[];
}

/** Something wrong with an expression. */
export interface ExpressionFault {
  readonly code: string;
  readonly message: string;
}

/** What there is to know of an expression without evaluating it. */
export interface Analysis {
  readonly references: References;
  readonly faults: readonly ExpressionFault[];
}

const variables = new Set(["input", "value", "steps"]);
/** The names of types, for `type(value.x) == string`, and the namespace of `optional.none()`. */
const constants = new Set(["string", "int", "double", "bool", "list", "map", "null_type", "optional"]);
const functions = new Set(["has", "size", "string", "int", "double", "bool", "type", "dyn", "timestamp", "duration"]);
const macros = new Set(["all", "exists", "exists_one", "map", "filter"]);
const dateParts = [
  "FullYear",
  "Month",
  "Date",
  "DayOfMonth",
  "DayOfWeek",
  "Hours",
  "Minutes",
  "Seconds",
  "Milliseconds",
];
const dateMethods = new Set(dateParts.map((part) => `get${part}`));
const methods = new Set([
  ...["size", "startsWith", "endsWith", "contains", "lowerAscii", "upperAscii", "trim", "indexOf", "lastIndexOf"],
  ...["substring", "split", "join", "hasValue", "value", "or", "orValue", "none", "of", ...macros, ...dateMethods],
]);
/** Keys that the library would drop from a map without a word. */
const droppedKeys = new Set(["__proto__", "constructor", "prototype"]);

const refused: Readonly<Record<string, string>> = {
  matches: "regular expressions can take forever; use startsWith, endsWith, contains or ==",
  getDayOfYear: "its result depends on the time zone of the process; use getMonth() and getDate()",
};

/** Looks at all parts of an expression. */
export const analyse = (root: CelNode): Analysis => {
  const found: Found = { input: false, value: false, steps: new Set(), faults: new Map() };
  visit(root, new Set(), 1, found);
  return {
    references: { input: found.input, value: found.value, steps: [...found.steps] },
    faults: [...found.faults].map(([message, code]) => ({ code, message })),
  };
};

/** The parts that a part evaluates itself. The variable of a macro is none: it is a name. */
export const partsOf = (node: CelNode): readonly CelNode[] => {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...(isMacro(node) ? node.args[2].slice(1) : node.args[2])];
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
};

interface Found {
  input: boolean;
  value: boolean;
  readonly steps: Set<string>;
  /** Message to code, so that the same fault in two places is said once. */
  readonly faults: Map<string, string>;
}

const isMacro = (node: CelNode): boolean => node.op === "rcall" && macros.has(node.args[0]) && node.args[2].length > 1;

const visit = (node: CelNode, bound: ReadonlySet<string>, depth: number, found: Found): void => {
  if (depth > expressionDepthLimit) {
    found.faults.set(`it is nested deeper than ${expressionDepthLimit} levels; split it up`, "expression_too_complex");
    return;
  }
  if (isStepAccess(node, bound, found)) return;
  checkPart(node, bound, found);
  const inner = isMacro(node) ? boundBy(node, bound, found) : bound;
  for (const [index, part] of partsOf(node).entries()) visit(part, index === 0 ? bound : inner, depth + 1, found);
};

/** Whether this is `steps.NAME`; a name that is not written out is a fault. */
const isStepAccess = (node: CelNode, bound: ReadonlySet<string>, found: Found): boolean => {
  if (node.op !== "." && node.op !== ".?" && node.op !== "[]" && node.op !== "[?]") return false;
  const [left, key] = node.args;
  if (left.op !== "id" || left.args !== "steps" || bound.has("steps")) return false;
  const name = typeof key === "string" ? key : key.op === "value" ? key.args : null;
  if (typeof name !== "string") return false;
  found.steps.add(name);
  return true;
};

const checkPart = (node: CelNode, bound: ReadonlySet<string>, found: Found): void => {
  switch (node.op) {
    case "id":
      checkVariable(node.args, bound, found);
      return;
    case "call":
      checkCall(node.args[0], node.args[1].length, functions, found);
      return;
    case "rcall":
      checkCall(node.args[0], node.args[2].length, methods, found);
      return;
    case "map":
      for (const [key] of node.args) {
        if (key.op === "value" && droppedKeys.has(String(key.args))) {
          fault(found, "expression_key", `the map key ${quote(String(key.args))} is not allowed; use another name`);
        }
      }
      return;
    case "value":
      if (typeof node.args === "object" && node.args !== null) {
        fault(found, "expression_literal", "bytes and unsigned numbers are no JSON; write text or a plain number");
      }
      return;
    default:
  }
};

const checkVariable = (name: string, bound: ReadonlySet<string>, found: Found): void => {
  if (bound.has(name) || constants.has(name)) return;
  if (name === "input") found.input = true;
  else if (name === "value") found.value = true;
  else if (name === "steps") {
    const help = `write the node's name out, as in steps.charge or steps["charge"]`;
    fault(found, "dynamic_reference", `'steps' can only be used with a name that stands in the text; ${help}`);
  } else {
    fault(found, "unknown_variable", `there is no variable ${quote(name)}; an expression sees input, value and steps`);
  }
};

const checkCall = (name: string, count: number, known: ReadonlySet<string>, found: Found): void => {
  const reason = Object.hasOwn(refused, name) ? refused[name] : undefined;
  if (reason !== undefined) fault(found, "function_not_allowed", `${name}() is not allowed: ${reason}`);
  else if (!known.has(name)) {
    fault(found, "unknown_function", `there is no function ${quote(name)}; docs/definition.md lists those there are`);
  } else if (count > 0 && dateMethods.has(name)) {
    fault(found, "function_not_allowed", `${name}() takes no time zone here; it counts in UTC`);
  }
};

/** The variables within a macro: those around it, and its own. */
const boundBy = (node: CelNode, bound: ReadonlySet<string>, found: Found): ReadonlySet<string> => {
  const variable = node.op === "rcall" ? node.args[2][0] : undefined;
  if (variable?.op !== "id") return bound;
  if (variables.has(variable.args) || constants.has(variable.args)) {
    fault(
      found,
      "reserved_variable",
      `a macro's variable cannot be called ${quote(variable.args)}; choose another name`,
    );
  }
  return new Set(bound).add(variable.args);
};

const fault = (found: Found, code: string, message: string): void => {
  found.faults.set(message, code);
};
