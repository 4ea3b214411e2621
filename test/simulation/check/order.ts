/** Where nodes stand in a definition, worked out from its JSON: which come after which, and what contains what. */
import type { DefinitionJson, ForkJson, NodeJson, TaskJson } from "@floxy/shared";

/** Where a node stands: its place in the outermost sequence, then in the sequence in that node, and so on. */
type Trail = readonly { readonly sequence: string; readonly index: number }[];

/** A branch that a node stands in. */
export interface Around {
  readonly fork: ForkJson;
  readonly branch: string;
}

/** The order of a definition. */
export interface Order {
  readonly definition: DefinitionJson;
  /** Every node, in document order. */
  readonly nodes: ReadonlyMap<string, NodeJson>;
  readonly tasks: ReadonlyMap<string, TaskJson>;
  /** Whether a node, if it runs, runs after another is over. */
  isAfter(later: string, earlier: string): boolean;
  /** The branches that a node stands in, from the outside in. */
  around(name: string): readonly Around[];
}

/** Works out the order of a definition. */
export const orderOf = (definition: DefinitionJson): Order => {
  const nodes = new Map<string, NodeJson>();
  const tasks = new Map<string, TaskJson>();
  const trails = new Map<string, Trail>();
  const branches = new Map<string, readonly Around[]>();
  const visit = (
    list: readonly NodeJson[],
    sequence: string,
    { trail: outer, around }: { readonly trail: Trail; readonly around: readonly Around[] },
  ): void => {
    for (const [index, node] of list.entries()) {
      const trail = [...outer, { sequence, index }];
      nodes.set(node.name, node);
      trails.set(node.name, trail);
      branches.set(node.name, around);
      if (node.kind === "task") tasks.set(node.name, node);
      if (node.kind === "fork") {
        for (const { name, nodes: inner } of node.branches) {
          visit(inner, `${node.name}/${name}`, { trail, around: [...around, { fork: node, branch: name }] });
        }
      }
      if (node.kind === "condition") {
        visit(node.then, `${node.name}/then`, { trail, around });
        visit(node.else, `${node.name}/else`, { trail, around });
      }
    }
  };
  visit(definition.nodes, "", { trail: [], around: [] });

  const isAfter = (later: string, earlier: string): boolean => {
    const [a = [], b = []] = [trails.get(later), trails.get(earlier)];
    const parting = a.findIndex(
      ({ sequence, index }, level) => b[level]?.sequence !== sequence || b[level].index !== index,
    );
    const [one, other] = [a[parting], b[parting]];
    return one !== undefined && one.sequence === other?.sequence && one.index > other.index;
  };
  return { definition, nodes, tasks, isAfter, around: (name) => branches.get(name) ?? [] };
};
