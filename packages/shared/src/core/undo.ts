/** The way back: an instance is frozen, what waits is withdrawn, and what has happened is undone. */
import type { Graph } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import { withChain } from "./chain.ts";
import { nodesAfter } from "./flow.ts";
import { losersToUndo } from "./join.ts";
import { leaveQueue, withdraw } from "./losers.ts";
import { isNothing, mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, Payloads, StepState } from "./model.ts";
import { restart, restartDelay, savepointOf } from "./restart.ts";
import { planUndo } from "./rollback.ts";

/** Why and how an instance is frozen. */
export interface Freeze {
  readonly status: "rolling_back" | "cancelling";
  readonly cause: StepError;
}

/** Freezes an instance: nothing of it goes forward from here on. The next look goes back. */
export const freeze = (state: InstanceState, { status, cause }: Freeze): Decision => {
  const instance = { status, freeze: true, cause: state.cause ?? cause, pausedFrom: null } as const;
  return mergeDecisions([{ instance, review: true }, withdrawAll(state)]);
};

/** What the way back needs now, of an instance that is frozen. */
export const goBack = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  // Who froze it may have left this: a step that fails freezes its instance without a look at the whole of it.
  const preparation = mergeDecisions([setBoundary(graph, state), withdrawAll(state)]);
  if (!isNothing(preparation)) return { ...preparation, review: true };
  const parts = [graph.root, ...losersBefore(graph, state)];
  const plan = planUndo(graph, parts, state);
  const { steps, progress } = plan;
  // Of branches that had lost, before the savepoint, something may still run: an instance ends when nothing of it does.
  if (state.queue.size > 0 || progress === "underway") return { steps, enqueue: withChain(graph, parts, state, plan) };
  return mergeDecisions([{ steps }, endOfWay(graph, state, progress, payloads)]);
};

/** The savepoint at which a rollback stops: the one that the definition names, else the one that was passed last. */
export const boundaryOf = (graph: Graph, { steps }: Pick<InstanceState, "steps">): string | null => {
  let last: string | null = null;
  // The outermost sequence and its conditions are walked one after another, so the last in document order is the last in
  // time.
  for (const node of graph.nodes.values()) {
    const step = steps.get(node.name);
    if (node.kind === "savepoint" && hasPassed(step)) last = node.name;
    if (node.kind === "end" && step?.status === "failed" && node.json.savepoint !== undefined)
      return node.json.savepoint;
  }
  return last;
};

const hasPassed = (step: StepState | undefined): boolean => step?.status === "completed" || step?.status === "waiting";

// It is written when the way back begins, for whoever looks at the instance; a rollback changes nothing that it follows
// from.
const setBoundary = (graph: Graph, state: InstanceState): Decision => {
  const { status } = state;
  const boundary = status === "cancelling" ? null : boundaryOf(graph, state);
  return boundary === state.boundary ? {} : { instance: { status, boundary } };
};

// Those behind the savepoint are undone with all that came after it.
const losersBefore = (graph: Graph, state: InstanceState) => {
  const savepoint = savepointOf(graph, state.boundary);
  if (savepoint === null) return [];
  const after = new Set(nodesAfter(savepoint));
  return losersToUndo(graph, state).filter(({ owner }) => owner.kind === "branch" && !after.has(owner.fork));
};

const endOfWay = (graph: Graph, state: InstanceState, progress: "done" | "stuck", payloads: Payloads): Decision => {
  const { status } = state;
  if (progress === "stuck") return { instance: { status: "dlq", pausedFrom: status } };
  if (status === "cancelling") return { instance: { status: "cancelled" } };
  const delayMs = restartDelay(graph, state);
  if (delayMs !== null) return restart(graph, state, payloads, { delayMs, counts: true });
  return { instance: { status: "failed" } };
};

const withdrawAll = ({ steps, queue, deadLetters }: InstanceState): Decision => {
  const left = [...queue.values()].filter(({ lane, state }) => lane === "forward" && state !== "leased");
  const withdrawn = withdraw([...steps.values()], deadLetters);
  return {
    steps: [...left.map(leaveQueue), ...withdrawn.steps],
    unqueue: left.map(({ node }) => node),
    exhume: withdrawn.exhume,
  };
};
