/**
 * Which payloads a decision may look at. Known from the graph alone, so they can be loaded for a whole batch before
 * anything is decided. The outputs of steps that ran are immutable: loading them needs no lock.
 */
import { mappingReferences } from "../definition/mapping.ts";
import { type References, references } from "../definition/expression.ts";
import { type Graph, type GraphNode, nodeAfter, nodeBefore, nodeOf, type Sequence } from "../definition/graph.ts";
import type { Mapping } from "../definition/model.ts";

/** What must be loaded: whether the instance's input, and the rows of which nodes. */
export interface Needs {
  readonly input: boolean;
  readonly nodes: ReadonlySet<string>;
}

interface Collector {
  readonly graph: Graph;
  input: boolean;
  readonly nodes: Set<string>;
}

/** What a mapping may look at, besides the value that is passed to its node. */
export const needsOfMapping = (graph: Graph, mapping: Mapping): Needs => {
  const needs = collector(graph);
  addReferences(needs, mappingReferences(mapping));
  return needs;
};

/** What the flow may look at when it leaves `node`, up to the next tasks: the conditions on its way. */
export const needsAfter = (graph: Graph, node: GraphNode): Needs => {
  const needs = collector(graph);
  follow(needs, node);
  return needs;
};

/** What the flow may look at when the instance starts. */
export const needsAtStart = (graph: Graph): Needs => {
  const needs = collector(graph);
  enter(needs, graph.root);
  return needs;
};

/** What a join must load to make its value: the rows at which the values of its branches can stand. */
export const needsOfSequence = (graph: Graph, sequence: Sequence): Needs => {
  const needs = collector(graph);
  const last = sequence.nodes.at(-1);
  if (last !== undefined) addValue(needs, last);
  return needs;
};

/** The needs of several together. */
export const mergeNeeds = (all: readonly Needs[]): Needs => ({
  input: all.some((needs) => needs.input),
  nodes: new Set(all.flatMap((needs) => [...needs.nodes])),
});

const collector = (graph: Graph): Collector => ({ graph, input: false, nodes: new Set() });

const addReferences = (needs: Collector, refs: References): void => {
  if (refs.input) needs.input = true;
  for (const name of refs.steps) addValue(needs, nodeOf(needs.graph, name));
};

// All rows that the value of a node may stand in, whichever sides are taken.
const addValue = (needs: Collector, node: GraphNode): void => {
  switch (node.kind) {
    case "task":
    case "fork":
      needs.nodes.add(node.name);
      return;
    case "savepoint":
      addValueInto(needs, node);
      return;
    case "condition":
      needs.nodes.add(node.name);
      for (const side of [node.then, node.else]) {
        const last = side.nodes.at(-1);
        if (last === undefined) addValueInto(needs, node);
        else addValue(needs, last);
      }
  }
};

const addValueInto = (needs: Collector, node: GraphNode): void => {
  const before = nodeBefore(node);
  const { owner } = node.sequence;
  if (before !== undefined) addValue(needs, before);
  else if (owner.kind === "root") needs.input = true;
  else addValueInto(needs, owner.kind === "branch" ? owner.fork : owner.condition);
};

// Walks as advance() does, but takes both sides of each condition.
const follow = (needs: Collector, node: GraphNode): void => {
  const next = nodeAfter(node);
  if (next !== undefined) arrive(needs, next);
  else if (node.sequence.owner.kind === "side") follow(needs, node.sequence.owner.condition);
};

const enter = (needs: Collector, sequence: Sequence): void => {
  const first = sequence.nodes[0];
  if (first !== undefined) arrive(needs, first);
  else if (sequence.owner.kind === "side") follow(needs, sequence.owner.condition);
};

const arrive = (needs: Collector, node: GraphNode): void => {
  switch (node.kind) {
    case "task":
      return;
    case "savepoint":
      follow(needs, node);
      return;
    case "fork":
      for (const branch of node.branches.values()) enter(needs, branch);
      return;
    case "condition":
      addReferences(needs, references(node.json.when));
      enter(needs, node.then);
      enter(needs, node.else);
  }
};
