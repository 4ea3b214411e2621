/** Joins: which of them fire now, who has arrived, who has lost, and what they yield. */
import type { ForkNode, Graph, GraphNode, Sequence } from "../definition/graph.ts";
import type { Json, JsonObject } from "../vocabulary/json.ts";
import { failuresIn } from "./failure.ts";
import { around, earlyEnds } from "./flow.ts";
import { isQuiet } from "./losers.ts";
import type { InstanceState, Payloads } from "./model.ts";
import { payloadAt, sourceOfCourse } from "./value.ts";

/** A join that fires. */
export interface ReadyJoin {
  readonly fork: ForkNode;
  /** The names of the branches that have arrived. */
  readonly winners: readonly string[];
}

/** The joins that wait and for which enough branches have arrived. None of them is inside another. */
export const readyJoins = (graph: Graph, state: InstanceState): ReadyJoin[] => {
  const ready: ReadyJoin[] = [];
  for (const { node: name, status } of state.steps.values()) {
    const node = graph.nodes.get(name);
    if (status !== "waiting" || node?.kind !== "fork") continue;
    const winners = [...node.branches].filter(([, branch]) => hasEnded(branch, state)).map(([branch]) => branch);
    if (winners.length >= node.need && !waitsForLosers(node, winners, state)) ready.push({ fork: node, winners });
  }
  return ready.filter(({ fork }) => !ready.some((other) => other.fork !== fork && isInside(fork, other.fork)));
};

/** The value of a join: the value of each branch that has arrived, by its name. */
export const joinValue = ({ fork, winners }: ReadyJoin, state: InstanceState, payloads: Payloads): JsonObject => {
  const entries = [...fork.branches].flatMap(([name, branch]): [string, Json][] => {
    if (!winners.includes(name)) return [];
    return [[name, payloadAt(payloads, sourceOfCourse(branch, state.steps)) ?? null]];
  });
  return Object.fromEntries(entries);
};

/** The branches of a join that fired without them. */
export const losersOf = (fork: ForkNode, winners: readonly string[]): readonly Sequence[] =>
  [...fork.branches].filter(([name]) => !winners.includes(name)).map(([, branch]) => branch);

/** The branches that joins have fired without and that are to be undone at once. None of them is inside another. */
export const losersToUndo = (graph: Graph, { steps }: Pick<InstanceState, "steps">): readonly Sequence[] => {
  const losers = [...steps.values()].flatMap(({ node: name, winners }) => {
    const node = graph.nodes.get(name);
    return node?.kind === "fork" && node.json.losers === "compensate" && winners !== null
      ? losersOf(node, winners)
      : [];
  });
  return losers.filter((branch) => !around(branch).some((sequence) => losers.includes(sequence)));
};

/** Whether the flow through a branch, or through all, has come to its end: its last node, or an early end. */
export const hasEnded = (sequence: Sequence, state: InstanceState): boolean => {
  const last = sequence.nodes.at(-1);
  if (last === undefined || isBehind(last, state)) return true;
  return earlyEnds(sequence).some(({ name }) => state.steps.get(name)?.status === "completed");
};

// Every branch that has not arrived must have failed, and nothing of it may be on its way any more.
const waitsForLosers = (fork: ForkNode, winners: readonly string[], state: InstanceState): boolean =>
  fork.json.losers === "wait" &&
  losersOf(fork, winners).some((branch) => failuresIn(branch, state.steps).length === 0 || !isQuiet(branch, state));

// A condition is behind when the side it took has ended.
const isBehind = (node: GraphNode, state: InstanceState): boolean => {
  const step = state.steps.get(node.name);
  if (node.kind === "human" && step?.status === "confirmed") return true;
  if (node.kind === "human" && step?.status === "rejected") return node.json.onReject === "continue";
  if (step?.status !== "completed") return false;
  return node.kind !== "condition" || (step.side !== null && hasEnded(node[step.side], state));
};

const isInside = (fork: ForkNode, other: ForkNode): boolean =>
  [fork.sequence, ...around(fork.sequence)].some(({ owner }) => owner.kind === "branch" && owner.fork === other);
