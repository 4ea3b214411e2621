/** Whether something is a definition, with everything that says it is not. */
import type { Problem } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { copyAsJson } from "../vocabulary/json-copy.ts";
import { quote } from "../vocabulary/quote.ts";
import { checkEnds, checkReach } from "./end-rules.ts";
import { checkSchema } from "./json-schema.ts";
import { definitionDepthLimit, definitionSizeLimit, problemLimit } from "./limit.ts";
import type { DefinitionJson, JsonSchema } from "./model.ts";
import { checkNodes } from "./node-rules.ts";
import type { Fields } from "./outline.ts";
import { fieldsOf, outlineOf } from "./outline.ts";
import { checkExpressions } from "./reference-rules.ts";
import { checkDuplicates, checkNames, checkPlaces } from "./rules.ts";
import { checkShape } from "./schema.ts";

/**
 * A definition out of what arrived from outside: a copy, plain JSON, of exactly the fields there are. Nothing is filled in.
 * Throws `DEFINITION_INVALID` with all problems.
 */
export const parseDefinition = (value: unknown): DefinitionJson => {
  const { copy, problems } = examine(value);
  if (problems.length === 0) return copy as DefinitionJson;
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems)` : "";
  const where = first === undefined || first.path === "" ? "" : `${first.path}: `;
  const message = `${calledOf(copy)} is not valid: ${where}${first?.message}${more}`;
  throw new FloxyError("DEFINITION_INVALID", message, { problems });
};

/** All problems of a definition, or of what should be one; an empty list when it is valid. */
export const validateDefinition = (value: unknown): readonly Problem[] => examine(value).problems;

interface Examined {
  readonly copy: unknown;
  readonly problems: readonly Problem[];
}

const examine = (value: unknown): Examined => {
  // First what makes the rest safe: plain data of bounded size and depth.
  const { copy, problems, tooMany } = copyAsJson(value, definitionSizeLimit, definitionDepthLimit);
  if (tooMany || problems.length > 0) return { copy: null, problems: tooMany ? [tooLarge()] : problems };
  if (Buffer.byteLength(JSON.stringify(copy)) > definitionSizeLimit) return { copy, problems: [tooLarge()] };
  return { copy, problems: [...checkShape(copy), ...ruleProblems(copy)].slice(0, problemLimit) };
};

const ruleProblems = (copy: unknown): readonly Problem[] => {
  const definition = fieldsOf(copy);
  if (definition === null) return [];
  const outline = outlineOf(definition);
  return [
    ...outline.problems,
    ...checkPlaces(outline, definition),
    ...checkNames(definition, outline),
    ...checkDuplicates(outline),
    ...checkNodes(outline),
    ...checkReach(outline),
    ...checkEnds(outline),
    ...checkExpressions(outline),
    ...schemaProblems(definition),
  ];
};

const schemaProblems = ({ inputSchema }: Fields): readonly Problem[] => {
  const schema = fieldsOf(inputSchema);
  return schema === null ? [] : checkSchema(schema as JsonSchema);
};

const tooLarge = (): Problem => ({
  path: "",
  code: "too_large",
  message: `the definition has more than ${definitionSizeLimit} bytes as JSON; use several definitions, and keep data out of it`,
});

const calledOf = (copy: unknown): string => {
  const name = fieldsOf(copy)?.name;
  return typeof name === "string" ? `the definition ${quote(name)}` : "the definition";
};
