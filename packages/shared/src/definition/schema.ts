/** The shape of a definition that arrives from outside: its fields and their types, one by one. */
import { z } from "zod";
import type { Problem } from "../vocabulary/error.ts";
import { at, pathOf } from "../vocabulary/path.ts";
import { quote } from "../vocabulary/quote.ts";
import { versionLimit } from "./limit.ts";
import type { DefinitionJson } from "./model.ts";
import { nodeKinds } from "./outline.ts";
import { description, duration, name, object, priority, sequence } from "./schema-nodes.ts";

/** The zod schema of a stored definition. Strict: a field that it does not know is a problem, not noise. */
const definitionSchema = z.strictObject({
  format: z.literal(1),
  name,
  version: z.int().min(1).max(versionLimit),
  description: description.optional(),
  inputSchema: object.optional(),
  priority: priority.optional(),
  onFailure: z.enum(["rollback", "dlq"]).optional(),
  compensate: z.enum(["causal", "sequential"]).optional(),
  deadlineMs: duration(1).optional(),
  metadata: object.optional(),
  nodes: sequence,
}) as unknown as z.ZodType<DefinitionJson>;

/** Where a value does not have the shape of a definition. Nesting must be bounded before: this recurses. */
export const checkShape = (value: unknown): readonly Problem[] => {
  const { error } = definitionSchema.safeParse(value, { reportInput: true });
  return (error?.issues ?? []).flatMap((issue) => problemsOf(issue));
};

type Issue = z.core.$ZodIssue;

const problemsOf = (issue: Issue, base = ""): readonly Problem[] => {
  const path = pathOf(
    issue.path.map((key) => (typeof key === "symbol" ? String(key) : key)),
    base,
  );
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: at(path, key),
        code: "unknown_field",
        message: `there is no field ${quote(key)} here; remove it, or see docs/definition.md for the fields there are`,
      }));
    case "invalid_type":
      return [typeProblem(path, issue.expected, issue.input)];
    case "invalid_union":
      return unionProblems(path, issue);
    case "too_small":
      return [rangeProblem(path, "at least", issue.minimum, issue.input)];
    case "too_big":
      return [rangeProblem(path, "at most", issue.maximum, issue.input)];
    case "invalid_value":
      return [valueProblem(path, issue.values, issue.input)];
    default:
      return [{ path, code: "invalid_value", message: issue.message }];
  }
};

const typeProblem = (path: string, expected: string, input: unknown): Problem => {
  if (input === undefined)
    return { path, code: "missing_field", message: `this field is missing; it must be ${kindOf(expected)}` };
  return { path, code: "wrong_type", message: `this must be ${kindOf(expected)}, and it is ${said(input)}` };
};

/** The unions that there are: nodes by their kind, the ways to write a join, and plain JSON. */
const unionProblems = (path: string, issue: z.core.$ZodIssueInvalidUnion): readonly Problem[] => {
  if (issue.path.at(-1) === "kind") return [kindProblem(path, issue.input)];
  if (issue.path.at(-1) !== "join") return [{ path, code: "wrong_type", message: "this must be plain JSON" }];
  // What is an object was meant as one, so what is wrong with it as such is what helps.
  if (isObject(issue.input)) return (issue.errors.at(-1) ?? []).flatMap((inner) => problemsOf(inner, path));
  const message = `this must be 'all', 'any' or { "atLeast": a number }, and it is ${said(issue.input)}`;
  return [{ path, code: "invalid_value", message }];
};

const kindProblem = (path: string, node: unknown): Problem => {
  const input = isObject(node) && "kind" in node ? node.kind : undefined;
  if (input === undefined)
    return { path, code: "missing_field", message: "this field is missing; every node has a kind" };
  return { path, code: "unknown_kind", message: `there is no kind of node ${said(input)}; write ${kinds}` };
};

const kinds = `${nodeKinds.slice(0, -1).join(", ")} or ${nodeKinds.at(-1)}`;

const rangeProblem = (path: string, relation: string, bound: number | bigint, input: unknown): Problem => {
  const code = "out_of_range";
  if (typeof input !== "string" && !Array.isArray(input)) {
    return { path, code, message: `this must be ${relation} ${bound}, and it is ${said(input)}` };
  }
  if (input.length === 0) return { path, code, message: "this must not be empty" };
  const unit = typeof input === "string" ? "characters" : "entries";
  return { path, code, message: `this must have ${relation} ${bound} ${unit}, and it has ${input.length}` };
};

const valueProblem = (path: string, values: readonly unknown[], input: unknown): Problem => {
  const allowed = values.map(said).join(", ");
  if (input === undefined)
    return { path, code: "missing_field", message: `this field is missing; it must be ${allowed}` };
  return {
    path,
    code: "invalid_value",
    message: `this must be ${values.length > 1 ? "one of " : ""}${allowed}, and it is ${said(input)}`,
  };
};

const kindOf = (expected: string): string => {
  const names: Readonly<Record<string, string>> = {
    string: "text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "an object",
    record: "an object",
  };
  return names[expected] ?? expected;
};

const said = (value: unknown): string => {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  return String(value);
};

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
