/** The shape of a definition that arrives from outside: its fields and their types, one by one. */
import { z } from "zod";
import type { Problem } from "../vocabulary/error.ts";
import { at, pathOf } from "../vocabulary/path.ts";
import { quote } from "../vocabulary/quote.ts";
import { descriptionLimit, durationLimitMs, maxAttemptsLimit, priorityLimit, versionLimit } from "./limit.ts";
import type { DefinitionJson } from "./model.ts";

const duration = (least: number) => z.number().min(least).max(durationLimitMs);

// Names are checked by rules of their own, which say more than a pattern could.
const name = z.string();
const priority = z.int().min(0).max(priorityLimit);
const metadata = z.record(z.string(), z.json());
const mapping = z.json();

const retry = z.strictObject({
  maxAttempts: z.int().min(1).max(maxAttemptsLimit).optional(),
  strategy: z.enum(["fixed", "linear", "exponential"]).optional(),
  delayMs: duration(0).optional(),
  maxDelayMs: duration(0).optional(),
  jitter: z.number().min(0).max(1).optional(),
});

const compensation = z.strictObject({
  handler: name,
  input: mapping.optional(),
  retry: retry.optional(),
  timeoutMs: duration(1).optional(),
});

const task = z.strictObject({
  kind: z.literal("task"),
  name,
  handler: name,
  input: mapping.optional(),
  retry: retry.optional(),
  timeoutMs: duration(1).optional(),
  delayMs: duration(0).optional(),
  priority: priority.optional(),
  idempotent: z.boolean().optional(),
  metadata: metadata.optional(),
  compensation: compensation.optional(),
});

const savepoint = z.strictObject({ kind: z.literal("savepoint"), name });

const branch = z.strictObject({
  name,
  get nodes() {
    return sequence;
  },
});

const fork = z.strictObject({ kind: z.literal("fork"), name, branches: z.array(branch) });

const condition = z.strictObject({
  kind: z.literal("condition"),
  name,
  when: z.string(),
  get then() {
    return sequence;
  },
  get else() {
    return sequence;
  },
});

const sequence: z.ZodType = z.array(z.lazy(() => z.discriminatedUnion("kind", [task, fork, condition, savepoint])));

/** The zod schema of a stored definition. Strict: a field that it does not know is a problem, not noise. */
const definitionSchema = z.strictObject({
  format: z.literal(1),
  name,
  version: z.int().min(1).max(versionLimit),
  description: z.string().max(descriptionLimit).optional(),
  inputSchema: metadata.optional(),
  priority: priority.optional(),
  metadata: metadata.optional(),
  nodes: sequence,
}) as unknown as z.ZodType<DefinitionJson>;

/** Where a value does not have the shape of a definition. Nesting must be bounded before: this recurses. */
export const checkShape = (value: unknown): readonly Problem[] => {
  const { error } = definitionSchema.safeParse(value, { reportInput: true });
  return (error?.issues ?? []).flatMap(problemsOf);
};

type Issue = z.core.$ZodIssue;

const problemsOf = (issue: Issue): readonly Problem[] => {
  const path = pathOf(issue.path.map((key) => (typeof key === "symbol" ? String(key) : key)));
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
      return [kindProblem(path, issue.input)];
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

const kindProblem = (path: string, node: unknown): Problem => {
  const input = typeof node === "object" && node !== null && "kind" in node ? node.kind : undefined;
  if (!path.endsWith("kind")) return { path, code: "wrong_type", message: "this must be plain JSON" };
  if (input === undefined)
    return { path, code: "missing_field", message: "this field is missing; every node has a kind" };
  return { path, code: "unknown_kind", message: `there is no kind of node ${said(input)}; ${kinds}` };
};

const kinds = "write task, fork, condition or savepoint";

const rangeProblem = (path: string, relation: string, bound: number | bigint, input: unknown): Problem => {
  const unit = typeof input === "string" ? " characters long" : "";
  const found = typeof input === "string" ? String(input.length) : said(input);
  return { path, code: "out_of_range", message: `this must be ${relation} ${bound}${unit}, and it is ${found}` };
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
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
};
