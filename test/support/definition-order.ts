/** What a definition says about order, worked out from its JSON alone: the invariants do not trust the product's graph. */
import type { DefinitionJson, NodeJson, TaskJson } from "@floxy/shared";

/** A definition as the invariants look at it. */
export interface DefinitionOrder {
  readonly tasks: ReadonlyMap<string, TaskJson>;
  readonly forks: ReadonlySet<string>;
  /** For each task the tasks that come after it, whichever way the flow takes. */
  readonly after: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every node up to a savepoint and the savepoint itself; nothing of it is undone when that is the boundary. */
  readonly upTo: (savepoint: string) => ReadonlySet<string>;
  /** The nodes that the flow passes, given the sides that conditions took. */
  readonly passed: (sideOf: (condition: string) => string | null) => readonly string[];
}

/** Works out the order of a definition. */
export const orderOf = (definition: DefinitionJson): DefinitionOrder => {
  const all = definition.nodes.flatMap(withInner);
  const tasks = new Map(all.filter((node) => node.kind === "task").map((node) => [node.name, node]));
  const after = new Map<string, Set<string>>([...tasks.keys()].map((name) => [name, new Set()]));
  addOrder(definition.nodes, after);
  return {
    tasks,
    forks: new Set(all.filter(({ kind }) => kind === "fork").map(({ name }) => name)),
    after,
    upTo: (savepoint) => {
      const names = all.map(({ name }) => name);
      return new Set(names.slice(0, names.indexOf(savepoint) + 1));
    },
    passed: (sideOf) => passedOf(definition.nodes, sideOf),
  };
};

const sequencesOf = (node: NodeJson): readonly (readonly NodeJson[])[] => {
  if (node.kind === "fork") return node.branches.map(({ nodes }) => nodes);
  return node.kind === "condition" ? [node.then, node.else] : [];
};

/** A node and all that is in it, in the order in which it is written. */
const withInner = (node: NodeJson): NodeJson[] => [node, ...sequencesOf(node).flat().flatMap(withInner)];

const tasksIn = (node: NodeJson): string[] =>
  withInner(node).flatMap((inner) => (inner.kind === "task" ? [inner.name] : []));

const addOrder = (nodes: readonly NodeJson[], after: Map<string, Set<string>>): void => {
  for (const [index, node] of nodes.entries()) {
    const later = nodes.slice(index + 1).flatMap(tasksIn);
    for (const task of tasksIn(node)) for (const name of later) after.get(task)?.add(name);
    for (const sequence of sequencesOf(node)) addOrder(sequence, after);
  }
};

const passedOf = (nodes: readonly NodeJson[], sideOf: (condition: string) => string | null): string[] =>
  nodes.flatMap((node) => {
    if (node.kind === "fork") return [node.name, ...node.branches.flatMap((branch) => passedOf(branch.nodes, sideOf))];
    if (node.kind !== "condition") return [node.name];
    const side = sideOf(node.name);
    return [node.name, ...passedOf(side === "then" ? node.then : side === "else" ? node.else : [], sideOf)];
  });
