/** Standard Schema (https://standardschema.dev): how users hand in schemas of zod, valibot, arktype and others. */
import type { Json, JsonSchema, Problem } from "@floxy/shared";
import { FloxyError, pathOf } from "@floxy/shared";
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** Any Standard Schema. */
export type AnySchema = StandardSchemaV1<unknown, unknown>;

/** What is checked: it decides the error's code and the words of its message. */
export interface Checked {
  readonly code: "INPUT_INVALID" | "OUTPUT_INVALID";
  /** The subject of the message, such as `input of handler 'charge-card'`. */
  readonly subject: string;
}

/**
 * Checks a value and answers what the schema makes of it (defaults filled in, transformations done).
 * @throws FloxyError `INPUT_INVALID` or `OUTPUT_INVALID`, with all problems and their paths.
 */
export const validateWith = async <Parsed>(
  schema: StandardSchemaV1<unknown, Parsed>,
  value: unknown,
  what: Checked,
): Promise<Parsed> => {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(toProblem);
  const list = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
  throw new FloxyError(what.code, `${what.subject} does not fit its schema: ${list}`, { problems });
};

/**
 * The JSON Schema (draft 2020-12) of what the schema takes, or `undefined` when the library cannot tell: it does not
 * implement Standard JSON Schema, or the schema has parts that JSON Schema has no words for.
 */
export const toJsonSchema = (schema: StandardSchemaV1<unknown, unknown>): JsonSchema | undefined => {
  if (!hasJsonSchema(schema)) return undefined;
  try {
    const document = schema["~standard"].jsonSchema.input({ target: "draft-2020-12" });
    // Through JSON text, because some libraries leave functions or prototypes in the document.
    const plain = JSON.parse(JSON.stringify(document)) as Json;
    return isObject(plain) ? (plain as JsonSchema) : undefined;
  } catch {
    // The specification lets a converter throw for what it cannot express. The schema itself still checks values.
    return undefined;
  }
};

/** A schema that checks nothing and only carries a type, for where a schema is asked for and a type is enough. */
export const typeOnly = <T>(): StandardSchemaV1<T> => ({
  "~standard": { version: 1, vendor: "floxy", validate: (value) => ({ value: value as T }) },
});

const hasJsonSchema = (schema: object): schema is StandardJSONSchemaV1 => {
  const { "~standard": standard } = schema as { readonly "~standard"?: { readonly jsonSchema?: unknown } };
  return isObject(standard?.jsonSchema) && "input" in standard.jsonSchema;
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const toProblem = (issue: StandardSchemaV1.Issue): Problem => ({
  path: pathOf((issue.path ?? []).map(toKey)),
  code: "schema_mismatch",
  message: issue.message,
});

const toKey = (segment: PropertyKey | StandardSchemaV1.PathSegment): string | number => {
  const key = typeof segment === "object" ? segment.key : segment;
  return typeof key === "number" ? key : String(key);
};
