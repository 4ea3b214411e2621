/** Loading instances that are to be decided about: locked, with all that the core asks for. */
import type { InstanceState, KeptSignal, StepState, Vote } from "../core/model.ts";
import type { Graph } from "../definition/graph.ts";
import type { Executor } from "../store/executor.ts";
import type { AffairRow, LockedInstance, QueuedStateRow } from "../store/state.ts";
import { loadAffairs, loadQueue, loadSteps, lockInstances, lockQueue } from "../store/state.ts";
import type { Lane, StepStatus } from "../vocabulary/status.ts";
import type { GraphCache } from "./graphs.ts";

/** An instance that is locked by this transaction, as it stands. */
export interface Loaded {
  readonly instanceId: string;
  readonly graph: Graph;
  readonly state: InstanceState;
}

/** Locks instances in the order of their ids and loads them. One that does not exist is left out. */
export const loadInstances = async (
  tx: Executor,
  graphs: GraphCache,
  instanceIds: readonly string[],
  options: { readonly only?: (instance: LockedInstance) => boolean; readonly lockQueue?: boolean } = {},
): Promise<Loaded[]> => {
  const { only = () => true } = options;
  const instances = (await lockInstances(tx, instanceIds)).filter(only);
  const ids = idsOf(instances);
  if (ids.length === 0) return [];
  const graphOf = new Map<string, Graph>();
  for (const { instanceId, definitionName, definitionVersion } of instances) {
    graphOf.set(instanceId, await graphs.get(tx, definitionName, definitionVersion));
  }
  const stepsOf = groupByNode(await loadSteps(tx, ids));
  const taking = instances.filter((instance) => options.lockQueue === true || mayTakeBack(instance, graphOf, stepsOf));
  const concerned = instances.filter(
    (instance) => options.lockQueue === true || mayHaveAffairs(instance, graphOf, stepsOf),
  );
  const [queued, affairs] = await Promise.all([
    loadQueues(tx, instances, new Set(taking)),
    loadAffairs(tx, idsOf(concerned)),
  ]);
  const queueOf = groupByNode(queued);
  const affairsOf = groupAffairs(affairs);
  return instances.map(({ instanceId, definitionName: _, definitionVersion: __, ...instance }) => ({
    instanceId,
    graph: graphOf.get(instanceId) as Graph,
    state: {
      ...instance,
      steps: stepsOf.get(instanceId) ?? new Map(),
      queue: queueOf.get(instanceId) ?? new Map(),
      ...(affairsOf.get(instanceId) ?? noAffairs),
    },
  }));
};

const idsOf = (instances: readonly LockedInstance[]): string[] => instances.map(({ instanceId }) => instanceId);

// Workers pass over rows that are locked, and would find them only at their next poll. So they are locked only where what
// could be leased meanwhile may be taken back: when an instance may be frozen, or branches of it stopped.
const loadQueues = async (
  tx: Executor,
  instances: readonly LockedInstance[],
  taking: ReadonlySet<LockedInstance>,
): Promise<QueuedStateRow[]> => {
  const [locked, read] = await Promise.all([
    lockQueue(tx, idsOf(instances.filter((instance) => taking.has(instance)))),
    loadQueue(tx, idsOf(instances.filter((instance) => !taking.has(instance)))),
  ]);
  return [...locked, ...read];
};

// A failure, a decision that may reject, or a join that may fire without its losers.
const mayTakeBack = (
  { instanceId, status, overdue }: LockedInstance,
  graphOf: ReadonlyMap<string, Graph>,
  stepsOf: ReadonlyMap<string, ReadonlyMap<string, StepState>>,
): boolean => {
  if (overdue || graphOf.get(instanceId)?.hasLosers === true) return true;
  return status === "running" && hasStep(stepsOf.get(instanceId), "failed", "rejected", "waiting_decision");
};

// Votes and signals are for nodes of these kinds. The step of a dead letter is paused until that is done with.
const mayHaveAffairs = (
  { instanceId }: LockedInstance,
  graphOf: ReadonlyMap<string, Graph>,
  stepsOf: ReadonlyMap<string, ReadonlyMap<string, StepState>>,
): boolean => waitsForOthers(graphOf.get(instanceId) as Graph) || hasStep(stepsOf.get(instanceId), "paused");

const hasStep = (steps: ReadonlyMap<string, StepState> | undefined, ...statuses: readonly StepStatus[]): boolean => {
  for (const { status } of steps?.values() ?? []) if (statuses.includes(status)) return true;
  return false;
};

const waitsForOthers = (graph: Graph): boolean => {
  const known =
    waiting.get(graph) ?? [...graph.nodes.values()].some(({ kind }) => kind === "human" || kind === "signal");
  waiting.set(graph, known);
  return known;
};

/** Whether people or other programs have to do with instances of a graph. */
const waiting = new WeakMap<Graph, boolean>();

interface Affairs {
  readonly deadLetters: Map<string, Lane>;
  readonly votes: Map<string, Vote[]>;
  readonly signals: KeptSignal[];
}

const noAffairs: Affairs = { deadLetters: new Map(), votes: new Map(), signals: [] };

const groupAffairs = (rows: readonly AffairRow[]): Map<string, Affairs> => {
  const groups = new Map<string, Affairs>();
  for (const row of rows) {
    const group: Affairs = groups.get(row.instanceId) ?? { deadLetters: new Map(), votes: new Map(), signals: [] };
    groups.set(row.instanceId, group);
    if (row.kind === "dead_letter") group.deadLetters.set(row.node, row.data.lane);
    else if (row.kind === "vote") group.votes.set(row.node, [...(group.votes.get(row.node) ?? []), row.data]);
    else group.signals.push(row.data);
  }
  return groups;
};

const groupByNode = <R extends { readonly instanceId: string; readonly node: string }>(
  rows: readonly R[],
): Map<string, Map<string, R>> => {
  const groups = new Map<string, Map<string, R>>();
  for (const row of rows) {
    const group = groups.get(row.instanceId) ?? new Map<string, R>();
    groups.set(row.instanceId, group.set(row.node, row));
  }
  return groups;
};
