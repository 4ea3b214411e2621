/**
 * Reviewing: a look at one whole instance that says what should be written now. It asks what is the case, not what has
 * happened, so it may be asked too often, late, or twice, and answers with nothing when nothing is to be done.
 */
import type { Graph } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import { advance } from "./advance.ts";
import { joinValue, readyJoins } from "./join.ts";
import type {
  Decision,
  InstanceChange,
  InstanceState,
  PayloadRow,
  Payloads,
  QueuedState,
  StepChange,
  StepState,
} from "./model.ts";
import type { Needs } from "./needs.ts";
import { mergeNeeds, needsAfter, needsOfBranch } from "./needs.ts";
import { planRollback } from "./rollback.ts";

/** What must be loaded before {@link review} is asked. */
export const needsOfReview = (graph: Graph, state: InstanceState): Needs => {
  const ready = state.status === "running" && firstFailure(state) === undefined ? readyJoins(graph, state) : [];
  return mergeNeeds(
    ready.flatMap((fork) => [
      needsAfter(graph, fork),
      ...[...fork.branches.values()].map((branch) => needsOfBranch(graph, branch)),
    ]),
  );
};

/** Says what should be written for an instance in this state. */
export const review = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  switch (state.status) {
    case "running": {
      const failure = firstFailure(state);
      return failure === undefined ? fireJoins(graph, state, payloads) : freeze(graph, state, failure);
    }
    case "rolling_back":
      // Frozen by the settling of the failure, which does not look at the graph: the boundary follows from the steps.
      return rollBack(graph, { ...state, boundary: lastSavepoint(graph, state) });
    case "cancelling":
      return rollBack(graph, state);
    default:
      return nothing;
  }
};

const nothing: Decision = { instance: null, steps: [], records: [], unqueue: [], enqueue: [], review: false };

// Steps are in the order in which they were settled, so the first that failed is why the instance failed.
const firstFailure = (state: InstanceState): StepState | undefined => {
  for (const step of state.steps.values()) if (step.status === "failed") return step;
  return undefined;
};

const fireJoins = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  const ready = readyJoins(graph, state).map((fork) => ({ fork, output: joinValue(fork, state, payloads) }));
  const rows = new Map<string, PayloadRow>(payloads.rows);
  for (const { fork, output } of ready) rows.set(fork.name, { output, side: null });
  // Not spread: the input of payloads may be a getter of their class.
  const known: Payloads = { input: payloads.input, rows };
  const advances = ready.map(({ fork }) => advance(graph, fork, fork.name, known));
  const finished = advances.find((following) => following.finished !== null)?.finished;
  return {
    instance: finished ? { status: "completed", outputFrom: finished.outputFrom } : null,
    steps: ready.map(({ fork, output }) => ({ node: fork.name, status: "completed", outcome: "happened", output })),
    records: advances.flatMap(({ records }) => records),
    unqueue: [],
    enqueue: advances.flatMap(({ enqueue }) => enqueue),
    review: advances.some((following) => following.review),
  };
};

/** The cause when a failed step has kept no error. */
const unexplained: StepError = { code: "INTERNAL", message: "the step failed without an error" };

// Takes back what waits in the queue, and plans the rollback of what is then the case.
const freeze = (graph: Graph, state: InstanceState, failure: StepState): Decision => {
  const boundary = lastSavepoint(graph, state);
  const left = [...state.queue.values()].filter(isWaiting).map(leaveQueue);
  const steps = new Map(state.steps);
  const queue = new Map(state.queue);
  for (const step of left) {
    steps.set(step.node, { ...step, side: null, error: null });
    queue.delete(step.node);
  }
  const rollback = rollBack(graph, { status: "rolling_back", cause: state.cause, boundary, steps, queue });
  const status = rollback.instance?.status ?? "rolling_back";
  const instance: InstanceChange = { status, freeze: true, cause: failure.error ?? unexplained, boundary };
  return {
    ...rollback,
    instance,
    steps: mergeChanges(left, rollback.steps),
    unqueue: left.map(({ node }) => node),
  };
};

const isWaiting = ({ lane, state }: QueuedState): boolean => lane === "forward" && state !== "leased";

// A step that waits for its retry has been called: it may have had effects, and is undone like one that failed.
const leaveQueue = ({ node, attempt, inputFrom }: QueuedState): Required<Omit<StepChange, "output">> =>
  attempt === 0
    ? { node, attempt, inputFrom, status: "skipped", outcome: "absent" }
    : { node, attempt, inputFrom, status: "failed", outcome: "unknown" };

// The savepoint that was passed last. The outermost sequence and its conditions are walked one after another, so the
// last in document order is the last in time.
const lastSavepoint = (graph: Graph, state: InstanceState): string | null => {
  let last: string | null = null;
  for (const { name, kind } of graph.nodes.values()) {
    if (kind === "savepoint" && state.steps.get(name)?.status === "completed") last = name;
  }
  return last;
};

const rollBack = (graph: Graph, state: InstanceState): Decision => {
  const { progress, steps, enqueue } = planRollback(graph, state);
  const status = statusAfter[progress](state.status);
  const { boundary } = state;
  return { ...nothing, instance: status === state.status ? null : { status, boundary }, steps, enqueue };
};

const statusAfter = {
  underway: (status) => status,
  stuck: () => "dlq",
  done: (status) => (status === "cancelling" ? "cancelled" : "failed"),
} as const satisfies Record<string, (status: InstanceStatus) => InstanceStatus>;

// A step can both leave the queue and be undone in one decision; its row is written once.
const mergeChanges = (first: readonly StepChange[], second: readonly StepChange[]): StepChange[] => {
  const byNode = new Map<string, StepChange>();
  for (const change of [...first, ...second]) byNode.set(change.node, { ...byNode.get(change.node), ...change });
  return [...byNode.values()];
};
