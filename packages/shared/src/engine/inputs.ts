/** Resolving the inputs of leased steps: what was passed to them, or what their mapping makes of the data. */
import { needsOfMapping } from "../core/needs.ts";
import { toStepError } from "../core/step-error.ts";
import { scopeOf } from "../core/value.ts";
import type { Graph } from "../definition/graph.ts";
import { taskOf } from "../definition/graph.ts";
import { evaluateMapping, mappingReferences } from "../definition/mapping.ts";
import type { Mapping, TaskJson } from "../definition/model.ts";
import type { Executor } from "../store/executor.ts";
import type { LeasedStep } from "../store/queue.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { GraphCache } from "./graphs.ts";
import type { InstancePayloads } from "./payloads.ts";
import { gatherPayloads } from "./payloads.ts";

/** A leased step with the input that its handler gets, or why there is none. */
export interface ResolvedStep {
  readonly leased: LeasedStep;
  readonly graph: Graph;
  readonly input: { readonly value: Json } | { readonly error: StepError };
}

/** Resolves the inputs of steps, with one statement for all the data their mappings look at. */
export const resolveInputs = async (
  db: Executor,
  graphs: GraphCache,
  leased: readonly LeasedStep[],
): Promise<ResolvedStep[]> => {
  const graphOf = await graphsOf(db, graphs, leased);
  const steps = leased.map((step) => {
    const graph = graphOf(step);
    return { step, graph, mapping: mappingOf(graph, step) };
  });
  const wanted = steps.flatMap(({ step, graph, mapping }) =>
    mapping === undefined ? [] : [{ instanceId: step.instanceId, needs: needsOfMapping(graph, mapping) }],
  );
  const payloads = await gatherPayloads(db, wanted);
  return steps.map(({ step, graph, mapping }) => ({
    leased: step,
    graph,
    input: resolve(graph, step, mapping, payloads.get(step.instanceId)),
  }));
};

/** The graphs of all steps, each asked for once. */
const graphsOf = async (db: Executor, graphs: GraphCache, leased: readonly LeasedStep[]) => {
  const byName = new Map<string, Map<number, Graph>>();
  for (const { definitionName, definitionVersion } of leased) {
    const versions = byName.get(definitionName) ?? new Map<number, Graph>();
    byName.set(definitionName, versions);
    if (!versions.has(definitionVersion)) {
      versions.set(definitionVersion, await graphs.get(db, definitionName, definitionVersion));
    }
  }
  return ({ definitionName, definitionVersion }: LeasedStep): Graph =>
    byName.get(definitionName)?.get(definitionVersion) as Graph;
};

// A compensation gets the input of the step it undoes, unless it has a mapping of its own. What a person gave wins.
const mappingOf = (graph: Graph, step: LeasedStep): Mapping | undefined => {
  const { json } = taskOf(graph, step.node);
  if (givenInput(json, step) !== null) return undefined;
  return step.lane === "compensation" ? (json.compensation?.input ?? json.input) : json.input;
};

const givenInput = ({ compensation }: TaskJson, { input, stepInput }: LeasedStep): string | null =>
  input ?? (compensation?.input === undefined ? stepInput : null);

const resolve = (
  graph: Graph,
  step: LeasedStep,
  mapping: Mapping | undefined,
  payloads: InstancePayloads | undefined,
): ResolvedStep["input"] => {
  const value = JSON.parse(givenInput(taskOf(graph, step.node).json, step) ?? step.value) as Json;
  if (mapping === undefined || payloads === undefined) return { value };
  try {
    const scope = scopeOf(graph, payloads, null, mappingReferences(mapping));
    return { value: evaluateMapping(mapping, { ...scope, value }) };
  } catch (error) {
    return { error: toStepError(error, `input of '${step.node}': `, "EXPRESSION_FAILED") };
  }
};
