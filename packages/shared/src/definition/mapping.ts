/** Mappings: JSON templates in which `{"$": expression}` and `{"$?": expression}` stand for the expression's value. */
import type { Problem } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { jsonDepthLimit } from "../vocabulary/limit.ts";
import { at } from "../vocabulary/path.ts";
import type { ExpressionScope, References } from "./expression.ts";
import { checkExpression, compileExpression, evaluate, evaluateIfPresent } from "./expression.ts";
import type { Mapping } from "./model.ts";

/** What is wrong with a mapping: its expressions, and its depth. */
export const checkMapping = (mapping: Mapping, path = "input"): readonly Problem[] => {
  const problems: Problem[] = [];
  const walk = (template: Mapping, here: string, depth: number): void => {
    if (depth > jsonDepthLimit) {
      const message = `the mapping is nested deeper than ${jsonDepthLimit} levels; flatten it`;
      problems.push({ path: here.slice(0, 200), code: "too_deep", message });
      return;
    }
    const hole = holeOf(template);
    if (hole !== null) problems.push(...checkExpression(hole.expression, at(here, hole.key)));
    else for (const [key, part] of partsOf(template)) walk(part, at(here, key), depth + 1);
  };
  walk(mapping, path, 1);
  return problems;
};

/** Each expression of a mapping with its path. */
export const mappingExpressions = (mapping: Mapping, path = "input"): readonly (readonly [string, unknown])[] => {
  const hole = holeOf(mapping);
  if (hole !== null) return [[at(path, hole.key), hole.expression]];
  return partsOf(mapping).flatMap(([key, part]) => mappingExpressions(part, at(path, key)));
};

/** What the expressions of a valid mapping use of their scope, together. Throws `EXPRESSION_INVALID`. */
export const mappingReferences = (mapping: Mapping): References => {
  const all = mappingExpressions(mapping).map(([, text]) => compileExpression(text).references);
  return {
    input: all.some(({ input }) => input),
    value: all.some(({ value }) => value),
    steps: [...new Set(all.flatMap(({ steps }) => steps))],
  };
};

/**
 * The value that a mapping makes. `{"$": …}` becomes its expression's value. So does `{"$?": …}`, but where a path in it
 * does not exist, or it is an optional without a value, the member that it is the value of is left out; in a list, whose
 * places count, and as the whole mapping, it is `null`. Throws `EXPRESSION_FAILED` and `EXPRESSION_INVALID`.
 */
export const evaluateMapping = (mapping: Mapping, scope: ExpressionScope): Json => fill(mapping, scope, 1) ?? null;

const fill = (template: Mapping, scope: ExpressionScope, depth: number): Json | undefined => {
  if (depth > jsonDepthLimit) {
    throw new FloxyError(
      "EXPRESSION_INVALID",
      `the mapping is nested deeper than ${jsonDepthLimit} levels; flatten it`,
    );
  }
  const hole = holeOf(template);
  if (hole !== null) {
    const compiled = compileExpression(hole.expression);
    return hole.key === "$" ? evaluate(compiled, scope) : evaluateIfPresent(compiled, scope);
  }
  if (typeof template !== "object" || template === null) return template;
  if (isList(template)) return template.map((part) => fill(part, scope, depth + 1) ?? null);
  const members: [string, Json][] = [];
  for (const [key, part] of Object.entries(template)) {
    const value = fill(part, scope, depth + 1);
    if (value !== undefined) members.push([key, value]);
  }
  // fromEntries defines members, so a `__proto__` among them stays a member.
  return Object.fromEntries(members);
};

interface Hole {
  readonly key: "$" | "$?";
  readonly expression: unknown;
}

/** The expression of a template that is one; `null` when the template stands for itself. */
const holeOf = (template: Mapping): Hole | null => {
  if (typeof template !== "object" || template === null || isList(template)) return null;
  const [key, ...others] = Object.keys(template);
  if (others.length > 0 || (key !== "$" && key !== "$?")) return null;
  return { key, expression: template[key] };
};

const partsOf = (template: Mapping): readonly (readonly [string | number, Mapping])[] => {
  if (typeof template !== "object" || template === null) return [];
  return isList(template) ? [...template.entries()] : Object.entries(template);
};

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
