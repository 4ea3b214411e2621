/** JSON Schemas of inputs, checked by zod, which has read them since its version 4. */
import { z } from "zod";
import type { Problem } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { pathOf } from "../vocabulary/path.ts";
import { quote } from "../vocabulary/quote.ts";
import type { JsonSchema } from "./model.ts";

type Outcome = { readonly validator: z.ZodType } | { readonly reason: string };

/** Schemas that have been compiled, by the object: a definition is loaded once and its schema is used at each start. */
const compiled = new WeakMap<JsonSchema, Outcome>();

/** What is wrong with a schema itself, such as a keyword that cannot be checked. */
export const checkSchema = (schema: JsonSchema, path = "inputSchema"): readonly Problem[] => {
  const outcome = outcomeOf(schema);
  if ("validator" in outcome) return [];
  return [{ path, code: "unsupported_schema", message: `the JSON Schema cannot be used: ${outcome.reason}` }];
};

/**
 * Where a value does not fit its schema; an empty list when it does. The value is only checked, never changed: a
 * `default` in the schema fills in nothing. A schema that cannot be used is a problem too.
 */
export const checkAgainstSchema = (schema: JsonSchema, value: Json, path = ""): readonly Problem[] => {
  const outcome = outcomeOf(schema);
  if (!("validator" in outcome)) return checkSchema(schema, path);
  try {
    const { error } = outcome.validator.safeParse(value);
    return (error?.issues ?? []).map((issue) => ({
      path: pathOf(issue.path.map(keyOf), path),
      code: "schema_mismatch",
      message: issue.message,
    }));
  } catch (error) {
    // A schema that refers to itself without end, or data nested deeper than the validator can follow.
    return [{ path, code: "unsupported_schema", message: `the JSON Schema cannot be used: ${reasonOf(error)}` }];
  }
};

const outcomeOf = (schema: JsonSchema): Outcome => {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const outcome = compile(schema);
  compiled.set(schema, outcome);
  return outcome;
};

const compile = (schema: JsonSchema): Outcome => {
  try {
    // A registry of its own: what the schema says about itself ("id", "title") goes there and not into a global table.
    const validator = z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema, { registry: z.registry() });
    validator.safeParse(null);
    return { validator };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
};

const reasonOf = (error: unknown): string => {
  if (error instanceof RangeError) return "it refers to itself without end, or is nested too deeply";
  return quote(error instanceof Error ? error.message : String(error), 300);
};

const keyOf = (key: PropertyKey): string | number => (typeof key === "symbol" ? String(key) : key);
