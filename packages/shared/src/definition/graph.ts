/**
 * A definition made walkable: each node knows the sequence it stands in, each sequence knows what owns it.
 * The graph is structured, so "what comes after" is always the next node of the sequence, or what its owner says.
 */
import type {
  ConditionJson,
  DefinitionJson,
  EndJson,
  ForkJson,
  HumanJson,
  NodeJson,
  SavepointJson,
  SignalJson,
  SleepJson,
  TaskJson,
} from "./model.ts";

/** The side of a condition. */
export type Side = "then" | "else";

/** What a sequence belongs to: the whole definition, a branch of a fork, or a side of a condition. */
export type SequenceOwner =
  | { readonly kind: "root" }
  | { readonly kind: "branch"; readonly fork: ForkNode; readonly branch: string }
  | { readonly kind: "side"; readonly condition: ConditionNode; readonly side: Side };

/** Nodes that run one after another. */
export interface Sequence {
  readonly owner: SequenceOwner;
  readonly nodes: readonly GraphNode[];
}

interface Place {
  readonly name: string;
  /** The sequence that the node stands in, and where in it. */
  readonly sequence: Sequence;
  readonly index: number;
}

/** A task in its place. */
export interface TaskNode extends Place {
  readonly kind: "task";
  readonly json: TaskJson;
}

/** A fork in its place. */
export interface ForkNode extends Place {
  readonly kind: "fork";
  readonly json: ForkJson;
  readonly branches: ReadonlyMap<string, Sequence>;
  /** How many branches must arrive before its join fires. */
  readonly need: number;
}

/** A condition in its place. */
export interface ConditionNode extends Place {
  readonly kind: "condition";
  readonly json: ConditionJson;
  readonly then: Sequence;
  readonly else: Sequence;
}

/** A savepoint in its place. */
export interface SavepointNode extends Place {
  readonly kind: "savepoint";
  readonly json: SavepointJson;
}

/** A decision of people in its place. */
export interface HumanNode extends Place {
  readonly kind: "human";
  readonly json: HumanJson;
}

/** A sleep in its place. */
export interface SleepNode extends Place {
  readonly kind: "sleep";
  readonly json: SleepJson;
}

/** A signal in its place. */
export interface SignalNode extends Place {
  readonly kind: "signal";
  readonly json: SignalJson;
}

/** An early end in its place. */
export interface EndNode extends Place {
  readonly kind: "end";
  readonly json: EndJson;
}

/** Any node in its place. */
export type GraphNode =
  | TaskNode
  | ForkNode
  | ConditionNode
  | SavepointNode
  | HumanNode
  | SleepNode
  | SignalNode
  | EndNode;

/** A walkable definition. */
export interface Graph {
  readonly definition: DefinitionJson;
  readonly root: Sequence;
  /** Every node at any depth, in document order. */
  readonly nodes: ReadonlyMap<string, GraphNode>;
  /** Whether a join can fire before all its branches have arrived, so that there may be losers. */
  readonly hasLosers: boolean;
}

/** Makes a valid definition walkable. Validate first: this trusts names to be unique. */
export const buildGraph = (definition: DefinitionJson): Graph => {
  const nodes = new Map<string, GraphNode>();
  const root = buildSequence({ kind: "root" }, definition.nodes, nodes);
  const hasLosers = [...nodes.values()].some((node) => node.kind === "fork" && node.need < node.branches.size);
  return { definition, root, nodes, hasLosers };
};

/** The node of this name. A name that is not in the graph is a defect of the caller. */
export const nodeOf = (graph: Graph, name: string): GraphNode => {
  const node = graph.nodes.get(name);
  if (node === undefined) throw new Error(`definition ${graph.definition.name} has no node '${name}'`);
  return node;
};

/** The task of this name. */
export const taskOf = (graph: Graph, name: string): TaskNode => {
  const node = nodeOf(graph, name);
  if (node.kind !== "task") throw new Error(`node '${name}' of ${graph.definition.name} is a ${node.kind}, not a task`);
  return node;
};

/** The node before this one in its sequence. */
export const nodeBefore = (node: GraphNode): GraphNode | undefined => node.sequence.nodes[node.index - 1];

/** The node after this one in its sequence. */
export const nodeAfter = (node: GraphNode): GraphNode | undefined => node.sequence.nodes[node.index + 1];

const buildSequence = (owner: SequenceOwner, list: readonly NodeJson[], all: Map<string, GraphNode>): Sequence => {
  const nodes: GraphNode[] = [];
  const sequence: Sequence = { owner, nodes };
  for (const [index, json] of list.entries()) {
    nodes.push(buildNode(json, { name: json.name, sequence, index }, all));
  }
  return sequence;
};

const buildNode = (json: NodeJson, place: Place, all: Map<string, GraphNode>): GraphNode => {
  switch (json.kind) {
    case "task":
      return enter(all, { ...place, kind: "task", json });
    case "savepoint":
      return enter(all, { ...place, kind: "savepoint", json });
    case "human":
      return enter(all, { ...place, kind: "human", json });
    case "sleep":
      return enter(all, { ...place, kind: "sleep", json });
    case "signal":
      return enter(all, { ...place, kind: "signal", json });
    case "end":
      return enter(all, { ...place, kind: "end", json });
    case "fork": {
      const branches = new Map<string, Sequence>();
      const fork: ForkNode = enter(all, { ...place, kind: "fork", json, branches, need: needOf(json) });
      for (const { name, nodes } of json.branches) {
        branches.set(name, buildSequence({ kind: "branch", fork, branch: name }, nodes, all));
      }
      return fork;
    }
    case "condition": {
      // The sides refer back to their condition, so the node exists before its sides are built.
      const condition = { ...place, kind: "condition", json } as {
        -readonly [K in keyof ConditionNode]: ConditionNode[K];
      };
      enter(all, condition);
      condition.then = buildSequence({ kind: "side", condition, side: "then" }, json.then, all);
      condition.else = buildSequence({ kind: "side", condition, side: "else" }, json.else, all);
      return condition;
    }
  }
};

const needOf = ({ join = "all", branches }: ForkJson): number => {
  if (join === "all") return branches.length;
  return join === "any" ? 1 : join.atLeast;
};

const enter = <N extends GraphNode>(all: Map<string, GraphNode>, node: N): N => {
  all.set(node.name, node);
  return node;
};
