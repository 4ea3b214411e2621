/** Joins: which forks have all their branches in, and what their joins yield. */
import type { ForkNode, Graph, GraphNode, Sequence } from "../definition/graph.ts";
import type { Json, JsonObject } from "../vocabulary/json.ts";
import type { InstanceState, Payloads } from "./model.ts";
import { lastOf, payloadAt, sourceOf } from "./value.ts";

/** The forks that wait and whose branches have all arrived. None of them is inside another. */
export const readyJoins = (graph: Graph, state: InstanceState): ForkNode[] => {
  const ready: ForkNode[] = [];
  for (const { node: name, status } of state.steps.values()) {
    const node = graph.nodes.get(name);
    if (status === "waiting" && node?.kind === "fork" && isJoined(node, state)) ready.push(node);
  }
  return ready;
};

/** The value of a join: the value of each branch by its name. */
export const joinValue = (fork: ForkNode, state: InstanceState, payloads: Payloads): JsonObject => {
  const sideOf = (condition: string) => state.steps.get(condition)?.side;
  const entries = [...fork.branches].map(([name, branch]): [string, Json] => {
    const value = payloadAt(payloads, sourceOf(lastOf(branch), sideOf));
    return [name, value ?? null];
  });
  return Object.fromEntries(entries);
};

const isJoined = (fork: ForkNode, state: InstanceState): boolean =>
  [...fork.branches.values()].every((branch) => hasEnded(branch, state));

// A sequence has ended when its last node is behind it. A condition is, when the side it took has ended.
const hasEnded = ({ nodes }: Sequence, state: InstanceState): boolean => {
  const last = nodes.at(-1);
  return last === undefined || isBehind(last, state);
};

const isBehind = (node: GraphNode, state: InstanceState): boolean => {
  const step = state.steps.get(node.name);
  if (step?.status !== "completed") return false;
  return node.kind !== "condition" || (step.side !== null && hasEnded(node[step.side], state));
};
