/**
 * Expressions: CEL over the data of an instance. They are text in the definition, checked when it is registered, and
 * evaluated by any process that has the data. Evaluation is pure, gives the same everywhere, and is bounded.
 */
import type { Problem } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { quote } from "../vocabulary/quote.ts";
import type { ExpressionFault, References } from "./expression-check.ts";
import { analyse } from "./expression-check.ts";
import type { CelProgram } from "./expression-library.ts";
import { faultOf, parseCel } from "./expression-library.ts";
import { meter, Refusal, runMetered } from "./expression-meter.ts";
import { readable, toJson } from "./expression-value.ts";
import { expressionLengthLimit } from "./limit.ts";
import type { Expression } from "./model.ts";

export type { References } from "./expression-check.ts";

/** What an expression sees. */
export interface ExpressionScope {
  /** The instance's input. */
  readonly input: Json;
  /** What the node before passed on. */
  readonly value: Json;
  /** The outputs of nodes by name. Only those in {@link References.steps} are read. */
  readonly steps: Readonly<Record<string, Json>>;
}

/** An expression that has been checked and can be evaluated; made by {@link compileExpression}. */
export interface CompiledExpression {
  readonly text: Expression;
  /** What it uses of its scope. */
  readonly references: References;
}

type Outcome = { readonly compiled: CompiledExpression } | { readonly faults: readonly ExpressionFault[] };

/** How many checked expressions are kept. */
const keptLimit = 2_000;
const kept = new Map<Expression, Outcome>();
const programs = new WeakMap<CompiledExpression, CelProgram>();

/** Checks an expression and makes it ready. Throws `EXPRESSION_INVALID` with all problems. Remembers what it made. */
export const compileExpression = (text: unknown): CompiledExpression => {
  if (typeof text !== "string") {
    const problems = checkExpression(text);
    throw new FloxyError("EXPRESSION_INVALID", `an expression must be text, not ${JSON.stringify(text)}`, { problems });
  }
  const outcome = outcomeOf(text);
  if ("compiled" in outcome) return outcome.compiled;
  const problems = outcome.faults.map((fault) => ({ path: "", ...fault }));
  const said = problems.map(({ message }) => message).join("; ");
  throw new FloxyError("EXPRESSION_INVALID", `expression ${shown(text)} is not valid: ${said}`, { problems });
};

/** What is wrong with an expression: syntax, names, functions, types, limits. */
export const checkExpression = (text: unknown, path = ""): readonly Problem[] => {
  if (typeof text !== "string") {
    return [{ path, code: "expression_syntax", message: "an expression must be text" }];
  }
  const outcome = outcomeOf(text);
  if ("compiled" in outcome) return [];
  return outcome.faults.map(({ code, message }) => ({ path, code, message: `expression ${shown(text)}: ${message}` }));
};

/** What an expression uses of its scope. Throws `EXPRESSION_INVALID`. */
export const references = (text: Expression): References => compileExpression(text).references;

/**
 * The value of an expression; an optional without a value gives `null`. Throws `EXPRESSION_FAILED` with the expression
 * and, where a path does not exist, that path.
 */
export const evaluate = (compiled: CompiledExpression, scope: ExpressionScope): Json => run(compiled, scope) ?? null;

/** As {@link evaluate}, but `undefined` when a path in it does not exist or it is an optional without a value. */
export const evaluateIfPresent = (compiled: CompiledExpression, scope: ExpressionScope): Json | undefined => {
  try {
    return run(compiled, scope);
  } catch (error) {
    if (error instanceof FloxyError && error.data.missingPath !== undefined) return undefined;
    throw error;
  }
};

/** The value of a condition. Throws `EXPRESSION_FAILED` also when it is neither true nor false: nothing is truthy. */
export const evaluateCondition = (compiled: CompiledExpression, scope: ExpressionScope): boolean => {
  const value = evaluate(compiled, scope);
  if (typeof value === "boolean") return value;
  const kind = value === null ? "null" : Array.isArray(value) ? "a list" : kindOf[typeof value];
  throw failure(compiled, `a condition must give true or false, and it gave ${kind}`);
};

const kindOf: Readonly<Record<string, string>> = { string: "text", number: "a number", object: "an object" };

const outcomeOf = (text: Expression): Outcome => {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const outcome = compile(text);
  const [oldest] = kept.size < keptLimit ? [] : kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
  kept.set(text, outcome);
  return outcome;
};

const compile = (text: Expression): Outcome => {
  if (text.length > expressionLengthLimit) {
    const message = `it has ${text.length} characters, and at most ${expressionLengthLimit} are allowed`;
    return { faults: [{ code: "expression_too_complex", message }] };
  }
  try {
    const program = parseCel(text);
    const { references, faults } = analyse(program.ast);
    if (faults.length > 0) return { faults };
    const { error } = program.check();
    if (error !== undefined) return { faults: [libraryFault(error)] };
    meter(program.ast);
    const compiled: CompiledExpression = { text, references };
    programs.set(compiled, program);
    return { compiled };
  } catch (error) {
    return { faults: [libraryFault(error)] };
  }
};

const libraryFault = (error: unknown): ExpressionFault => {
  if (error instanceof RangeError) {
    return { code: "expression_too_complex", message: "it is nested too deeply; split it up" };
  }
  const fault = faultOf(error);
  if (fault === null) throw error;
  const place = fault.position === null ? "" : ` at character ${fault.position + 1}`;
  if (fault.code === "limit_exceeded") {
    return { code: "expression_too_complex", message: `it is too complex (${fault.summary}); split it up` };
  }
  const message = `${fault.summary}${place}${helpFor(fault.code)}`;
  return {
    code: error instanceof Error && error.name === "ParseError" ? "expression_syntax" : "expression_type",
    message,
  };
};

const run = (compiled: CompiledExpression, scope: ExpressionScope): Json | undefined => {
  const program = programs.get(compiled);
  if (program === undefined) throw new Error("an expression must be made by compileExpression");
  try {
    return toJson(runMetered(program, variablesOf(compiled.references, scope)));
  } catch (error) {
    throw explained(compiled, error);
  }
};

const variablesOf = (used: References, scope: ExpressionScope): Record<string, unknown> => {
  // A Map, because a node may be called `constructor`, by which the library tells kinds of objects apart.
  const steps = new Map<string, unknown>();
  for (const name of used.steps) {
    const output = Object.hasOwn(scope.steps, name) ? scope.steps[name] : undefined;
    if (output !== undefined) steps.set(name, readable(output));
  }
  return { input: used.input ? readable(scope.input) : null, value: used.value ? readable(scope.value) : null, steps };
};

const explained = (compiled: CompiledExpression, error: unknown): FloxyError => {
  if (error instanceof Refusal) return failure(compiled, error.message);
  if (error instanceof RangeError) return failure(compiled, "its data is too large or nested too deeply");
  const fault = faultOf(error);
  if (fault === null)
    return failure(compiled, error instanceof Error ? error.message : String(error), { cause: error });
  if (fault.code === "no_such_key" || fault.code === "index_out_of_bounds") {
    const missingPath = fault.part ?? fault.summary;
    return failure(compiled, `the path ${missingPath} does not exist`, { missingPath });
  }
  const part = fault.part === null || fault.part === compiled.text ? "" : ` in ${shown(fault.part)}`;
  return failure(compiled, `${fault.summary}${part}${helpFor(fault.code)}`);
};

const helpFor = (code: string): string => {
  if (code === "no_such_overload") return "; convert with string(…), int(…) or double(…)";
  if (code === "no_matching_overload") return "; JSON numbers are doubles, so write int(…) where an int is asked for";
  return code === "incompatible_ternary_branches" ? "; write dyn(…) around one of them" : "";
};

const failure = (
  { text }: CompiledExpression,
  message: string,
  { cause, missingPath }: { cause?: unknown; missingPath?: string } = {},
): FloxyError =>
  new FloxyError("EXPRESSION_FAILED", `expression ${shown(text)} failed: ${message}`, {
    cause,
    data: missingPath === undefined ? { expression: text } : { expression: text, missingPath },
  });

const shown = (text: string): string => quote(text, 200);
