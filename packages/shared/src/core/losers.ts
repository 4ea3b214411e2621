/** Losers: branches that a join does without. What they still do is stopped; their effects stay, or are undone at once. */
import type { Sequence } from "../definition/graph.ts";
import { nodesIn } from "./flow.ts";
import type { Decision, InstanceState, QueuedState, StepChange, StepState } from "./model.ts";

/** Whether nothing in a branch is queued, runs or waits. */
export const isQuiet = (branch: Sequence, { steps, queue, deadLetters }: InstanceState): boolean =>
  nodesIn(branch).every(({ name }) => !queue.has(name) && !isWaiting(steps.get(name), deadLetters));

/**
 * Stops branches: what is queued leaves the queue, what waits is skipped, what runs is told to stop and no longer advances
 * the graph, and a dead letter of a step becomes a plain failure. Says nothing when all is stopped already.
 */
export const stopBranches = (branches: readonly Sequence[], state: InstanceState): Decision => {
  const names = new Set(branches.flatMap(nodesIn).map(({ name }) => name));
  const queued = [...state.queue.values()].filter(({ node, lane }) => names.has(node) && lane === "forward");
  const taken = queued.filter((step) => step.state !== "leased");
  const disown = queued.filter((step) => step.state === "leased" && step.current).map(({ node }) => node);
  const withdrawn = withdraw(
    [...state.steps.values()].filter(({ node }) => names.has(node)),
    state.deadLetters,
  );
  return {
    steps: [...taken.map(leaveQueue), ...withdrawn.steps],
    unqueue: taken.map(({ node }) => node),
    disown,
    exhume: withdrawn.exhume,
  };
};

/** What becomes of steps that wait, for time or for people, when nobody waits for them any more. */
export const withdraw = (
  steps: readonly StepState[],
  deadLetters: InstanceState["deadLetters"],
): { readonly steps: readonly StepChange[]; readonly exhume: readonly string[] } => {
  const failed = steps.filter(({ node }) => deadLetters.get(node) === "forward");
  const waiting = steps.filter((step) => isWaiting(step, deadLetters));
  return {
    steps: [
      ...failed.map(({ node }): StepChange => ({ node, status: "failed" })),
      ...waiting.map(({ node }): StepChange => ({ node, status: "skipped", outcome: "absent" })),
    ],
    exhume: failed.map(({ node }) => node),
  };
};

/** What becomes of a step that leaves the queue without a result. One that was called before may have had effects. */
export const leaveQueue = ({ node, attempt, inputFrom, uncertain }: QueuedState): StepChange => {
  const outcome = uncertain ? "unknown" : "absent";
  return { node, attempt, inputFrom, status: attempt === 0 && !uncertain ? "skipped" : "failed", outcome };
};

// A join that is paused, for a dead letter in one of its branches, waits as well.
const isWaiting = (step: StepState | undefined, deadLetters: InstanceState["deadLetters"]): boolean =>
  step?.status === "waiting" ||
  step?.status === "waiting_decision" ||
  (step?.status === "paused" && !deadLetters.has(step.node));
