/**
 * Which payloads a decision may look at. Known from the graph alone, so they can be loaded for a whole batch before
 * anything is decided. The outputs of steps that ran are immutable: loading them needs no lock.
 */
import type { References } from "../definition/expression.ts";
import { references } from "../definition/expression.ts";
import type { Graph, GraphNode, Sequence } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { mappingReferences } from "../definition/mapping.ts";
import type { Mapping } from "../definition/model.ts";
import type { Stop } from "./flow.ts";
import { earlyEnds, stopAfter, stopAfterEnd, stopAtStart } from "./flow.ts";
import { readyJoins } from "./join.ts";
import type { InstanceState, Source } from "./model.ts";
import { savepointOf, stepOf } from "./restart.ts";
import { hasOwnValue, lastOf, nodePassingTo } from "./value.ts";
import type { Wait } from "./waits.ts";
import { waitsOver } from "./waits.ts";

/** What must be loaded: whether the instance's input, and the rows of which nodes. */
export interface Needs {
  readonly input: boolean;
  readonly nodes: ReadonlySet<string>;
}

interface Collector {
  readonly graph: Graph;
  input: boolean;
  readonly nodes: Set<string>;
  /** The nodes whose values have been added, so that none is followed twice. */
  readonly added: Set<GraphNode>;
}

/** What a mapping may look at, besides the value that is passed to its node. */
export const needsOfMapping = (graph: Graph, mapping: Mapping): Needs => {
  const needs = collector(graph);
  addReferences(needs, () => mappingReferences(mapping));
  return needs;
};

/**
 * What the flow may look at when it leaves `node`, up to the next tasks: the conditions on its way. Not the value of
 * `node` itself, which whoever asks has in hand.
 */
export const needsAfter = (graph: Graph, node: GraphNode): Needs => follow(graph, stopAfter(node));

/** What a join must load to make its value: the rows at which the value of this branch can stand. */
export const needsOfBranch = (graph: Graph, branch: Sequence): Needs => {
  const needs = collector(graph);
  addValue(needs, lastOf(branch));
  for (const end of earlyEnds(branch)) addValue(needs, nodePassingTo(end));
  return needs;
};

/** What must be loaded before `review` is asked about an instance in this state. */
export const needsOfReview = (graph: Graph, state: InstanceState): Needs => {
  switch (state.status) {
    case "running":
      return mergeNeeds([
        ...waitsOver(graph, state).map((wait) => needsOfWait(graph, wait)),
        ...readyJoins(graph, state).flatMap(({ fork }) => [
          needsAfter(graph, fork),
          ...[...fork.branches.values()].map((branch) => needsOfBranch(graph, branch)),
        ]),
      ]);
    case "rolling_back":
      // Only from a savepoint does it go on by itself.
      return state.boundary === null ? mergeNeeds([]) : needsOfRestart(graph, state);
    default:
      return mergeNeeds([]);
  }
};

/** What must be loaded before the flow goes on from the boundary of a rollback. */
export const needsOfRestart = (graph: Graph, state: InstanceState): Needs => {
  const savepoint = savepointOf(graph, state.boundary);
  if (savepoint === null)
    return mergeNeeds([{ ...collector(graph), input: true }, follow(graph, stopAtStart(graph.root))]);
  const step = stepOf(state, savepoint.name);
  const needs = collector(graph);
  addSource(needs, step.replaced ? savepoint.name : step.inputFrom);
  return mergeNeeds([needs, needsAfter(graph, savepoint)]);
};

/** What must be loaded before the flow arrives at a node again with the value at `source`, or goes on behind it. */
export const needsAround = (graph: Graph, node: GraphNode, source: Source): Needs => {
  const needs = collector(graph);
  addSource(needs, source);
  const sides = sidesOf(node).map((side) => follow(graph, stopAtStart(side)));
  return mergeNeeds([needs, follow(graph, node), needsAfter(graph, node), ...sides]);
};

const sidesOf = (node: GraphNode): readonly Sequence[] => (node.kind === "condition" ? [node.then, node.else] : []);

const needsOfWait = (graph: Graph, { node, step }: Wait): Needs => {
  const needs = collector(graph);
  addSource(needs, step.replaced ? node.name : step.inputFrom);
  if (node.kind === "human") addMapping(needs, node.json.input);
  return mergeNeeds([needs, needsAfter(graph, node)]);
};

/** The needs of several together. */
export const mergeNeeds = (all: readonly Needs[]): Needs => ({
  input: all.some((needs) => needs.input),
  nodes: new Set(all.flatMap((needs) => [...needs.nodes])),
});

const addMapping = (needs: Collector, mapping: Mapping | undefined): void => {
  if (mapping !== undefined) addReferences(needs, () => mappingReferences(mapping));
};

const collector = (graph: Graph): Collector => ({ graph, input: false, nodes: new Set(), added: new Set() });

// An expression that this version of Floxy refuses needs nothing. What evaluates it says what is wrong with it, and only
// one step fails; thrown from here, it would hold up the whole batch that is being loaded.
const addReferences = (needs: Collector, find: () => References): void => {
  let found: References;
  try {
    found = find();
  } catch {
    return;
  }
  if (found.input) needs.input = true;
  for (const name of found.steps) addValue(needs, nodeOf(needs.graph, name));
};

// All rows that the value of a node may stand in, whichever sides are taken; without a node, the instance's input.
const addValue = (needs: Collector, start: GraphNode | undefined): void => {
  const left = [start];
  while (left.length > 0) {
    const node = left.pop();
    if (node === undefined) needs.input = true;
    else if (!needs.added.has(node)) {
      needs.added.add(node);
      needs.nodes.add(node.name);
      if (node.kind === "condition") left.push(lastOf(node.then), lastOf(node.else));
      else if (!hasOwnValue(node)) left.push(nodePassingTo(node));
    }
  }
};

const addSource = (needs: Collector, source: Source): void => {
  if (source === null) needs.input = true;
  else needs.nodes.add(source);
};

// Goes as advance() does, but takes both sides of each condition. They meet again, so each node is visited once.
const follow = (graph: Graph, first: Stop): Needs => {
  const needs = collector(graph);
  const stops = [first];
  const visited = new Set<Stop>();
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) {
    if (visited.has(stop)) continue;
    visited.add(stop);
    stops.push(...lookAround(needs, stop));
  }
  return needs;
};

const lookAround = (needs: Collector, stop: Stop): Stop[] => {
  switch (stop.kind) {
    case "task":
    case "signal":
    case "over":
      return [];
    case "human":
      addMapping(needs, stop.json.input);
      return [];
    case "sleep": {
      const { until } = stop.json;
      if (until !== undefined) addReferences(needs, () => references(until));
      return [];
    }
    case "savepoint":
      return [stopAfter(stop)];
    case "end":
      return [stopAfterEnd(stop)];
    case "fork":
      return [...stop.branches.values()].map(stopAtStart);
    case "condition":
      addReferences(needs, () => references(stop.json.when));
      return [stopAtStart(stop.then), stopAtStart(stop.else)];
  }
};
