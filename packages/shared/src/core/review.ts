/**
 * Reviewing: a look at one whole instance that says what should be written now. It asks what is the case, not what has
 * happened, so it may be asked too often, late, or twice, and answers with nothing when nothing is to be done.
 */
import type { Graph } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import { advance } from "./advance.ts";
import { joinValue, readyJoins } from "./join.ts";
import type { Decision, InstanceChange, InstanceState, PayloadRow, Payloads, StepChange, StepState } from "./model.ts";
import { type Needs, mergeNeeds, needsAfter, needsOfSequence } from "./needs.ts";
import { planRollback } from "./rollback.ts";

/** What must be loaded before {@link review} is asked. */
export const needsOfReview = (graph: Graph, state: InstanceState): Needs =>
  state.status !== "running" || firstFailure(state) !== undefined
    ? mergeNeeds([])
    : mergeNeeds(
        readyJoins(graph, state).flatMap((fork) => [
          needsAfter(graph, fork),
          ...[...fork.branches.values()].map((branch) => needsOfSequence(graph, branch)),
        ]),
      );

/** Says what should be written for an instance in this state. */
export const review = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  switch (state.status) {
    case "running": {
      const failure = firstFailure(state);
      return failure === undefined ? fireJoins(graph, state, payloads) : freeze(graph, state, failure);
    }
    case "rolling_back":
    case "cancelling":
      return rollBack(graph, state, null, []);
    default:
      return nothing;
  }
};

const nothing: Decision = { instance: null, steps: [], records: [], unqueue: [], enqueue: [], review: false };

const firstFailure = (state: InstanceState): StepState | undefined => {
  for (const step of state.steps.values()) if (step.status === "failed") return step;
  return undefined;
};

const fireJoins = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  const decisions = readyJoins(graph, state).map((fork): Decision => {
    const output = joinValue(fork, state, payloads);
    const rows = new Map<string, PayloadRow>(payloads.rows).set(fork.name, { output, side: null });
    const { records, enqueue, review, finished } = advance(graph, fork, fork.name, { ...payloads, rows });
    return {
      instance: finished && { status: "completed", outputFrom: finished.outputFrom },
      steps: [{ node: fork.name, status: "completed", outcome: "happened", output }],
      records,
      unqueue: [],
      enqueue,
      review,
    };
  });
  return {
    instance: decisions.find((decision) => decision.instance !== null)?.instance ?? null,
    steps: decisions.flatMap((decision) => decision.steps),
    records: decisions.flatMap((decision) => decision.records),
    unqueue: [],
    enqueue: decisions.flatMap((decision) => decision.enqueue),
    review: decisions.some((decision) => decision.review),
  };
};

/** A failure the instance can be rolled back for; every failed step keeps its error. */
const unexplained: StepError = { code: "INTERNAL", message: "the step failed without an error" };

const freeze = (graph: Graph, state: InstanceState, failure: StepState): Decision => {
  const change: InstanceChange = {
    status: "rolling_back",
    freeze: true,
    cause: failure.error ?? unexplained,
    boundary: lastSavepoint(graph, state),
  };
  const waiting = [...state.queue.values()].filter(({ lane, state }) => lane === "forward" && state !== "leased");
  // A step that waits for its retry has been called: it may have had effects, and is undone like one that failed.
  const left = waiting.map(
    ({ node, attempt, inputFrom }): StepState & StepChange =>
      attempt === 0
        ? { node, inputFrom, attempt, status: "skipped", outcome: "absent", side: null, error: null }
        : { node, inputFrom, attempt, status: "failed", outcome: "unknown", side: null, error: null },
  );
  const queue = new Map(state.queue);
  const steps = new Map(state.steps);
  for (const step of left) {
    queue.delete(step.node);
    steps.set(step.node, step);
  }
  const frozen: InstanceState = { ...state, status: "rolling_back", boundary: change.boundary ?? null, steps, queue };
  const unqueue = left.map(({ node }) => node);
  const changes = left.map(({ node, inputFrom, attempt, status, outcome }) => ({
    node,
    inputFrom,
    attempt,
    status,
    outcome,
  })) as StepChange[];
  const decision = rollBack(graph, frozen, change, changes);
  return { ...decision, unqueue };
};

// The savepoint that was passed last. The outermost sequence and its conditions are walked one after another, so the
// last in document order is the last in time.
const lastSavepoint = (graph: Graph, state: InstanceState): string | null => {
  let last: string | null = null;
  for (const { name, kind } of graph.nodes.values()) {
    if (kind === "savepoint" && state.steps.get(name)?.status === "completed") last = name;
  }
  return last;
};

const rollBack = (
  graph: Graph,
  state: InstanceState,
  change: InstanceChange | null,
  steps: readonly StepChange[],
): Decision => {
  const plan = planRollback(graph, state);
  const status =
    plan.progress === "stuck" ? "dlq" : plan.progress === "underway" ? state.status : finalStatus(state.status);
  return {
    instance: change === null && status === state.status ? null : { ...change, status },
    steps: mergeChanges(steps, plan.steps),
    records: [],
    unqueue: [],
    enqueue: plan.enqueue,
    review: false,
  };
};

const finalStatus = (status: InstanceState["status"]) => (status === "cancelling" ? "cancelled" : "failed");

// A step can both leave the queue and be undone in one decision; its row is written once.
const mergeChanges = (first: readonly StepChange[], second: readonly StepChange[]): StepChange[] => {
  const byNode = new Map<string, StepChange>();
  for (const change of [...first, ...second]) byNode.set(change.node, { ...byNode.get(change.node), ...change });
  return [...byNode.values()];
};
