/** Rules about names and about what may stand where. */
import type { Problem } from "../vocabulary/error.ts";
import type { NameKind } from "../vocabulary/name.ts";
import { checkName } from "../vocabulary/name.ts";
import { quote } from "../vocabulary/quote.ts";
import type { Fields, Outline, OutlineNode, OutlineSequence } from "./outline.ts";
import { fieldsOf, listOf } from "./outline.ts";

/** What breaks a rule about a single name: of the definition, of nodes, branches, handlers and signals. */
export const checkNames = (definition: Fields, { nodes }: Outline): readonly Problem[] => [
  ...named("definition", definition.name, "name"),
  ...nodes.flatMap(({ path, fields }) => [
    ...named("node", fields.name, `${path}.name`),
    ...named("handler", fields.handler, `${path}.handler`),
    ...named("handler", fieldsOf(fields.compensation)?.handler, `${path}.compensation.handler`),
    ...named("signal", fields.signal, `${path}.signal`),
    ...branchesOf(fields).flatMap(([name, branchPath]) => named("branch", name, `${path}.${branchPath}.name`)),
  ]),
];

/** Names that are used twice: of nodes anywhere in the definition, of branches within one fork. */
export const checkDuplicates = ({ nodes }: Outline): readonly Problem[] => [
  ...duplicates(nodes.map(({ name, path }) => [name, path])).map(({ name, path, first }) => ({
    path: `${path}.name`,
    code: "duplicate_name",
    message: `the node name ${quote(name)} is taken by ${first}; names are unique in a definition, at all depths`,
  })),
  ...nodes.flatMap(({ fields, path }) =>
    duplicates(branchesOf(fields)).map((twice) => ({
      path: `${path}.${twice.path}.name`,
      code: "duplicate_branch",
      message: `the branch name ${quote(twice.name)} is taken by ${path}.${twice.first}; branch names are unique in a fork`,
    })),
  ),
];

/** What may not stand where it stands, or is not enough. */
export const checkPlaces = ({ root, nodes }: Outline, definition: Fields): readonly Problem[] => {
  const problems = nodes.flatMap((node) => [...forkProblems(node), ...savepointProblems(node)]);
  // An outline is empty also when its nodes are not recognized, and then that is said already.
  if (root.nodes.length > 0 || !Array.isArray(definition.nodes) || definition.nodes.length > 0) return problems;
  const message = "a definition needs at least one node";
  return [...problems, { path: "nodes", code: "no_nodes", message }];
};

const forkProblems = ({ kind, fields, path }: OutlineNode): readonly Problem[] => {
  if (kind !== "fork" || !Array.isArray(fields.branches)) return [];
  const count = fields.branches.length;
  const few = `a fork needs at least two branches, and this has ${count === 0 ? "none" : "one"}`;
  const problems: Problem[] = count < 2 ? [{ path: `${path}.branches`, code: "too_few_branches", message: few }] : [];
  const empty = fields.branches.flatMap((branch, index) => {
    const list = fieldsOf(branch)?.nodes;
    return Array.isArray(list) && list.length === 0 ? [`${path}.branches[${index}].nodes`] : [];
  });
  const message = "a branch needs at least one node; leave the branch out, or give it a task";
  return [...problems, ...empty.map((place) => ({ path: place, code: "empty_branch", message }))];
};

const savepointProblems = ({ kind, path, place }: OutlineNode): readonly Problem[] => {
  if (kind !== "savepoint") return [];
  const fork = enclosingFork(place);
  if (fork === null) return [];
  const inside = `it stands in a branch of ${fork.name === null ? "a fork" : `the fork ${quote(fork.name)}`}`;
  const message = `a savepoint cannot stand here: ${inside}, and rollback could not stop at it while other branches go on; put it before or after the fork`;
  return [{ path, code: "savepoint_in_branch", message }];
};

const enclosingFork = (place: OutlineSequence): OutlineNode | null => {
  for (let owner = place.owner; owner !== null; owner = owner.place.owner) if (owner.kind === "fork") return owner;
  return null;
};

/** A name that is no text is the business of the shape. */
const named = (kind: NameKind, name: unknown, path: string): readonly Problem[] => {
  const problem = typeof name === "string" ? checkName(kind, name, path) : null;
  return problem === null ? [] : [problem];
};

const branchesOf = (fields: Fields): readonly (readonly [string | null, string])[] =>
  fields.kind !== "fork"
    ? []
    : listOf(fields.branches).map((branch, index) => {
        const name = fieldsOf(branch)?.name;
        return [typeof name === "string" ? name : null, `branches[${index}]`] as const;
      });

const duplicates = (names: readonly (readonly [string | null, string])[]) => {
  const firsts = new Map<string, string>();
  return names.flatMap(([name, path]) => {
    if (name === null) return [];
    const first = firsts.get(name);
    if (first !== undefined) return [{ name, path, first }];
    firsts.set(name, path);
    return [];
  });
};
