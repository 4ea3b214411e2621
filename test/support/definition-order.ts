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
  /** The nodes that the flow passes, given what is known of the nodes it came by. */
  readonly passed: (known: Passed) => readonly string[];
  /** Every node in it, by name. */
  readonly nodes: ReadonlyMap<string, NodeJson>;
  /** The nodes in branches of joins that can do without them. */
  readonly dispensable: ReadonlySet<string>;
}

/** What is known of nodes that the flow came by. */
export interface Passed {
  /** The side that a condition took. */
  side(condition: string): string | null;
  /** The branches that had arrived when a join fired. */
  winners(fork: string): readonly string[] | null;
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
    passed: (known) => passedOf(definition.nodes, known).names,
    nodes: new Map(all.map((node) => [node.name, node])),
    dispensable: new Set(all.flatMap(dispensableIn)),
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

// A sequence whose flow ended early is passed up to there.
const passedOf = (nodes: readonly NodeJson[], known: Passed): { names: string[]; ended: boolean } => {
  const names: string[] = [];
  for (const node of nodes) {
    names.push(node.name);
    if (node.kind === "end") return { names, ended: true };
    if (node.kind === "fork") {
      const winners = known.winners(node.name);
      const arrived = node.branches.filter(({ name }) => winners === null || winners.includes(name));
      names.push(...arrived.flatMap((branch) => passedOf(branch.nodes, known).names));
    }
    if (node.kind === "condition") {
      const side = known.side(node.name);
      const taken = passedOf(side === "then" ? node.then : side === "else" ? node.else : [], known);
      names.push(...taken.names);
      if (taken.ended) return { names, ended: true };
    }
  }
  return { names, ended: false };
};

const dispensableIn = (node: NodeJson): string[] => {
  if (node.kind !== "fork" || (node.join ?? "all") === "all") return [];
  return node.branches.flatMap((branch) => branch.nodes.flatMap(withInner)).map(({ name }) => name);
};
