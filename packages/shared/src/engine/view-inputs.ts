/** The inputs of steps that wait for a person: nobody can decide about what they cannot see. */
import { needsOfMapping } from "../core/needs.ts";
import { payloadAt, scopeOf } from "../core/value.ts";
import type { Graph } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { evaluateMapping, mappingReferences } from "../definition/mapping.ts";
import type { Mapping } from "../definition/model.ts";
import type { Executor } from "../store/executor.ts";
import type { InstanceSnapshot, StepRow } from "../store/step.ts";
import { isFloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { InstancePayloads } from "./payloads.ts";
import { gatherPayloads } from "./payloads.ts";

interface Wanted {
  readonly node: string;
  readonly inputFrom: string | null;
  readonly given: string | null;
  readonly mapping: Mapping | undefined;
}

/**
 * The inputs of the open decisions and dead letters of an instance, by node. What they are made of does not change any
 * more, so it may be read after the snapshot. One whose mapping cannot be evaluated is left out: its error says why.
 */
export const viewInputs = async (
  db: Executor,
  graph: Graph,
  instanceId: string,
  { steps, deadLetters }: InstanceSnapshot,
): Promise<ReadonlyMap<string, Json>> => {
  const lanes = new Map(deadLetters.map(({ node, lane }) => [node, lane]));
  const wanted = steps
    .filter(({ node, status }) => status === "waiting_decision" || lanes.has(node))
    .map((step) => wantedOf(graph, step, lanes.get(step.node) === "compensation"));
  const needs = wanted.map(({ mapping, inputFrom }) => {
    const { input, nodes } = mapping === undefined ? nothing : needsOfMapping(graph, mapping);
    const passed = inputFrom === null ? [] : [inputFrom];
    return { instanceId, needs: { input: input || inputFrom === null, nodes: new Set([...nodes, ...passed]) } };
  });
  const payloads = (await gatherPayloads(db, needs)).get(instanceId);
  if (payloads === undefined) return new Map();
  return new Map(
    wanted.flatMap((one): [string, Json][] => {
      const input = inputOf(graph, one, payloads);
      return input === undefined ? [] : [[one.node, input]];
    }),
  );
};

const nothing = { input: false, nodes: new Set<string>() };

// As it is resolved for a handler: what a person gave wins, unless the compensation has a mapping of its own.
const wantedOf = (graph: Graph, { node: name, inputFrom, givenInput }: StepRow, undone: boolean): Wanted => {
  const node = nodeOf(graph, name);
  const base = { node: name, inputFrom, given: null, mapping: undefined };
  if (node.kind === "human") return { ...base, mapping: node.json.input };
  if (node.kind !== "task") return base;
  const own = undone ? node.json.compensation?.input : undefined;
  if (own !== undefined) return { ...base, mapping: own };
  return { ...base, given: givenInput, mapping: node.json.input };
};

const inputOf = (graph: Graph, wanted: Wanted, payloads: InstancePayloads): Json | undefined => {
  const { mapping, given, inputFrom } = wanted;
  if (given !== null) return JSON.parse(given) as Json;
  if (mapping === undefined) return payloadAt(payloads, inputFrom);
  try {
    return evaluateMapping(mapping, scopeOf(graph, payloads, inputFrom, mappingReferences(mapping)));
  } catch (error) {
    if (isFloxyError(error)) return undefined;
    throw error;
  }
};
