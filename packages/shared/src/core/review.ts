/**
 * Reviewing: a look at one whole instance that says what should be written now. It asks what is the case, not what has
 * happened, so it may be asked too often, late, or twice, and answers with nothing when nothing is to be done. It decides
 * one thing after another: where its answer gives reason for another look, it says so.
 */
import type { ForkNode, Graph } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { advance } from "./advance.ts";
import { failedBranches, firstFailure } from "./failure.ts";
import { hasEnded, joinValue, losersOf, losersToUndo, readyJoins } from "./join.ts";
import { stopBranches } from "./losers.ts";
import { isNothing, mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, Payloads, StepState } from "./model.ts";
import { abort, cancel } from "./operate.ts";
import { follow } from "./restart.ts";
import type { RollbackPlan } from "./rollback.ts";
import { planUndo } from "./rollback.ts";
import { freeze, goBack } from "./undo.ts";
import { sourceOfCourse, withOutputs } from "./value.ts";
import { endWaits, waitsOver } from "./waits.ts";

/** Says what should be written for an instance in this state. `payloads` must hold what `needsOfReview` names. */
export const review = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  if (isOverdue(state)) return cancel(state, overdue);
  switch (state.status) {
    case "running":
      return goForward(graph, state, payloads);
    case "rolling_back":
    case "cancelling":
      return goBack(graph, state, payloads);
    default:
      return {};
  }
};

/** Whether the deadline has passed of an instance that is not being cancelled already. */
export const isOverdue = ({ overdue, status, pausedFrom }: InstanceState): boolean =>
  overdue && (status === "running" || status === "rolling_back" || (status === "dlq" && pausedFrom !== "cancelling"));

const overdue: StepError = { code: "DEADLINE_EXCEEDED", message: "the instance did not end before its deadline" };

/** The cause when a failed step has kept no error. */
const unexplained: StepError = { code: "INTERNAL", message: "the step failed without an error" };

const goForward = (graph: Graph, state: InstanceState, payloads: Payloads): Decision => {
  const failure = firstFailure(graph.root, state.steps);
  if (failure !== undefined) return fail(graph, state, failure);
  const stopped = stopFailedBranches(graph, state);
  if (!isNothing(stopped)) return { ...stopped, review: true };
  // Waits come last: what has failed or lost must not take a signal that another node could take.
  const waits = waitsOver(graph, state);
  const joins = fireJoins(graph, state, payloads);
  if (!isNothing(joins)) return mergeDecisions([joins, { review: graph.hasLosers || waits.length > 0 }]);
  if (waits.length > 0) return { ...endWaits(graph, waits, payloads), review: true };
  const undone = undoLosers(graph, state);
  const goesOn = undone.enqueue.length > 0 || undone.instance !== undefined;
  return goesOn ? undone : mergeDecisions([undone, pauseIfStuck(graph, state)]);
};

const fail = (graph: Graph, state: InstanceState, { node, error }: StepState): Decision => {
  const cause = error ?? unexplained;
  const failed = graph.nodes.get(node);
  if (failed?.kind === "human" && failed.json.onReject === "abort") return abort(state, cause);
  return freeze(state, { status: "rolling_back", cause });
};

// A branch that its join can do without has failed: what runs beside the failure in that branch is of no use any more.
const stopFailedBranches = (graph: Graph, state: InstanceState): Decision =>
  stopBranches(
    waitingForks(graph, state).flatMap((fork) => failedBranches(fork, state.steps)),
    state,
  );

const waitingForks = (graph: Graph, { steps }: InstanceState): readonly ForkNode[] =>
  [...steps.values()].flatMap(({ node: name, status }) => {
    const node = graph.nodes.get(name);
    return status === "waiting" && node?.kind === "fork" ? [node] : [];
  });

const fireJoins = (graph: Graph, state: InstanceState, payloads: Payloads): Decision =>
  mergeDecisions(
    readyJoins(graph, state).map((join) => {
      const { fork, winners } = join;
      const { name } = fork;
      const output = joinValue(join, state, payloads);
      const known = withOutputs(payloads, new Map<string, Json>([[name, output]]));
      return mergeDecisions([
        { steps: [{ node: name, status: "completed", outcome: "happened", output, winners }] },
        stopBranches(losersOf(fork, winners), state),
        follow(advance(graph, fork, name, known)),
      ]);
    }),
  );

// Losers that are to be undone at once are undone while the flow goes on; the instance ends when that is done too.
const undoLosers = (graph: Graph, state: InstanceState): Decision & Pick<RollbackPlan, "enqueue"> => {
  const { steps, enqueue, progress } = planUndo(graph, losersToUndo(graph, state), state);
  const isOver = progress === "done" && state.queue.size === 0 && hasEnded(graph.root, state);
  const outputFrom = isOver ? sourceOfCourse(graph.root, state.steps) : null;
  return { steps, enqueue, ...(isOver && { instance: { status: "completed", outputFrom } }) };
};

// Nothing runs, nothing waits for its time, and what is left to do waits for dead letters.
const pauseIfStuck = (graph: Graph, state: InstanceState): Decision => {
  if (state.deadLetters.size === 0 || state.queue.size > 0) return {};
  const forks = new Set(waitingForks(graph, state).map(({ name }) => name));
  const isWaiting = ({ node, status }: StepState): boolean =>
    status === "waiting_decision" || (status === "waiting" && !forks.has(node));
  if ([...state.steps.values()].some(isWaiting)) return {};
  const steps = [...forks].map((node) => ({ node, status: "paused" }) as const);
  return { instance: { status: "dlq", pausedFrom: "running" }, steps };
};
