/** Rules about the fields of a single node that the type of each field does not say. */
import type { Problem } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import { checkSchema } from "./json-schema.ts";
import type { JsonSchema } from "./model.ts";
import type { Fields, Outline, OutlineNode } from "./outline.ts";
import { fieldsOf, listOf } from "./outline.ts";

/** What is wrong with nodes by themselves: joins, sleeps, who decides and until when, and schemas. */
export const checkNodes = ({ nodes }: Outline): readonly Problem[] => nodes.flatMap(problemsOf);

const problemsOf = ({ kind, fields, path }: OutlineNode): readonly Problem[] => {
  switch (kind) {
    case "task":
      return [...onceProblems(fields, path), ...schemaProblems(fields, path, "inputSchema")];
    case "fork":
      return joinProblems(fields, path);
    case "sleep":
      return sleepProblems(fields, path);
    case "human":
      return [
        ...deciderProblems(fields, path),
        ...timeoutProblems(fields, path),
        ...schemaProblems(fields, path, "formSchema"),
      ];
    default:
      return [];
  }
};

/** `idempotent: false` promises at most one call; more attempts would break it. */
const onceProblems = (fields: Fields, path: string): readonly Problem[] => {
  const attempts = fieldsOf(fields.retry)?.maxAttempts;
  if (fields.idempotent !== false || typeof attempts !== "number" || attempts <= 1) return [];
  const message = `with idempotent: false the handler is called at most once, and this asks for ${attempts} attempts; leave maxAttempts out or make it 1`;
  return [{ path: `${path}.retry.maxAttempts`, code: "retry_not_idempotent", message }];
};

const joinProblems = ({ join = "all", losers, branches }: Fields, path: string): readonly Problem[] => {
  const problems: Problem[] = [];
  const atLeast = fieldsOf(join)?.atLeast;
  if (typeof atLeast === "number" && Array.isArray(branches) && atLeast > branches.length) {
    const message = `this must be at most the number of branches, ${branches.length}, and it is ${atLeast}`;
    problems.push({ path: `${path}.join.atLeast`, code: "out_of_range", message });
  }
  if (join === "all" && losers !== undefined) {
    const message = "a join that waits for all branches has no losers; remove it, or set join to 'any' or atLeast";
    problems.push({ path: `${path}.losers`, code: "unused_field", message });
  }
  return problems;
};

const sleepProblems = ({ durationMs, until }: Fields, path: string): readonly Problem[] => {
  if (durationMs === undefined && until === undefined) {
    const message = "a sleep needs durationMs, or until instead";
    return [{ path: `${path}.durationMs`, code: "missing_field", message }];
  }
  if (durationMs === undefined || until === undefined) return [];
  const message = "a sleep has either durationMs or until, and this has both; remove one";
  return [{ path: `${path}.until`, code: "conflicting_field", message }];
};

/** Everyone is named once, and those who may decide are enough to decide, also after an escalation. */
const deciderProblems = (fields: Fields, path: string): readonly Problem[] => {
  const lists = (["deciders", "escalateTo"] as const).map((field) => [field, listOf(fields[field])] as const);
  const { approvals } = fields;
  return [
    ...lists.flatMap(([field, people]) => twice(people, `${path}.${field}`)),
    ...lists.flatMap(([field, { length }]): Problem[] => {
      if (typeof approvals !== "number" || length === 0 || approvals <= length) return [];
      const message = `${approvals} people must confirm, and ${field} names only ${length}; name more, or ask for fewer`;
      return [{ path: `${path}.approvals`, code: "too_few_deciders", message }];
    }),
  ];
};

const twice = (people: readonly unknown[], path: string): readonly Problem[] => {
  const firsts = new Map<unknown, number>();
  return people.flatMap((person, index): Problem[] => {
    const first = firsts.get(person);
    if (first === undefined) firsts.set(person, index);
    if (typeof person !== "string" || first === undefined) return [];
    const message = `${quote(person)} is named already, as ${path}[${first}]; one person counts once`;
    return [{ path: `${path}[${index}]`, code: "duplicate_decider", message }];
  });
};

const timeoutProblems = ({ timeoutMs, onTimeout, escalateTo }: Fields, path: string): readonly Problem[] => {
  const problems: Problem[] = [];
  if (onTimeout !== undefined && timeoutMs === undefined) {
    const message = "there is no timeoutMs, so this never happens; set timeoutMs, or remove onTimeout";
    problems.push({ path: `${path}.onTimeout`, code: "unused_field", message });
  }
  if (onTimeout === "escalate" && escalateTo === undefined) {
    const message = "this field is missing; it names those who may decide when the time is up";
    problems.push({ path: `${path}.escalateTo`, code: "missing_field", message });
  }
  if (onTimeout !== "escalate" && escalateTo !== undefined) {
    const message = "nothing is escalated; remove escalateTo, or set onTimeout to 'escalate'";
    problems.push({ path: `${path}.escalateTo`, code: "unused_field", message });
  }
  return problems;
};

const schemaProblems = (fields: Fields, path: string, field: "inputSchema" | "formSchema"): readonly Problem[] => {
  const schema = fieldsOf(fields[field]);
  return schema === null ? [] : checkSchema(schema as JsonSchema, `${path}.${field}`);
};
