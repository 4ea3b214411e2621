/** The way back: an instance is frozen, what waits is withdrawn, and what has happened is undone. */
import type { Graph } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import { leaveQueue, withdraw } from "./losers.ts";
import { mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, Payloads, StepChange, StepState } from "./model.ts";
import { restart, restartDelay } from "./restart.ts";
import { planRollback } from "./rollback.ts";

/** Why and how an instance is frozen. */
export interface Freeze {
  readonly status: "rolling_back" | "cancelling";
  readonly cause: StepError;
}

/** Freezes an instance: nothing of it goes forward from here on. */
export const freeze = (graph: Graph, state: InstanceState, { status, cause }: Freeze, payloads: Payloads): Decision => {
  const next = { ...state, status, cause: state.cause ?? cause };
  const instance = { status, freeze: true, cause: next.cause, pausedFrom: null } as const;
  return mergeDecisions([{ instance }, goBack(graph, next, payloads)]);
};

/** What the way back needs now, of an instance that is frozen. */
export const goBack = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  const boundary = state.status === "cancelling" ? null : boundaryOf(graph, state);
  const withdrawn = withdrawAll(state);
  const left = apply({ ...state, boundary }, withdrawn);
  const plan = planRollback(graph, left);
  const planned: Decision = { steps: plan.steps, enqueue: plan.enqueue };
  // Of branches that had lost, before the savepoint, something may still run: an instance ends when nothing of it does.
  if (left.queue.size > 0 || plan.progress === "underway") return mergeDecisions([withdrawn, planned]);
  return mergeDecisions([withdrawn, planned, endOfWay(graph, left, plan.progress, payloads)]);
};

/** The savepoint at which a rollback stops: the one that the definition names, else the one that was passed last. */
export const boundaryOf = (graph: Graph, { steps }: Pick<InstanceState, "steps">): string | null => {
  let last: string | null = null;
  // The outermost sequence and its conditions are walked one after another, so the last in document order is the last in
  // time.
  for (const { name, kind } of graph.nodes.values()) {
    if (kind === "savepoint" && hasPassed(steps.get(name))) last = name;
  }
  for (const { node, status } of steps.values()) {
    const end = graph.nodes.get(node);
    if (end?.kind === "end" && status === "failed" && end.json.savepoint !== undefined) return end.json.savepoint;
  }
  return last;
};

const hasPassed = (step: StepState | undefined): boolean => step?.status === "completed" || step?.status === "waiting";

const endOfWay = (graph: Graph, state: InstanceState, progress: "done" | "stuck", payloads: Payloads): Decision => {
  const { status, boundary } = state;
  if (progress === "stuck") return { instance: { status: "dlq", boundary, pausedFrom: status } };
  if (status === "cancelling") return { instance: { status: "cancelled", boundary } };
  const delayMs = restartDelay(graph, state);
  if (delayMs !== null) return restart(graph, state, payloads, { delayMs, counts: true });
  return { instance: { status: "failed", boundary } };
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

/** The state when the steps have changed as a decision says. */
const apply = (state: InstanceState, { steps: changes = [], unqueue = [], exhume = [] }: Decision): InstanceState => {
  const steps = new Map(state.steps);
  for (const change of changes) steps.set(change.node, changed(steps.get(change.node), change));
  const queue = new Map([...state.queue].filter(([node]) => !unqueue.includes(node)));
  const deadLetters = new Map([...state.deadLetters].filter(([node]) => !exhume.includes(node)));
  return { ...state, steps, queue, deadLetters };
};

const changed = (step: StepState | undefined, change: StepChange): StepState => ({
  ...(step ?? unsettled),
  node: change.node,
  status: change.status,
  outcome: change.outcome ?? step?.outcome ?? null,
  attempt: change.attempt ?? step?.attempt ?? 0,
  inputFrom: change.inputFrom === undefined ? (step?.inputFrom ?? null) : change.inputFrom,
});

const unsettled = { side: null, error: null, due: false, winners: null, replaced: false } as const;
