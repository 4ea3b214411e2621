/** Starting again from a savepoint, or from the beginning, when all that came after it has been undone. */
import type { Graph, GraphNode, SavepointNode } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { defaultRetry } from "../definition/model.ts";
import type { ErrorCode } from "../vocabulary/error.ts";
import { advance, advanceStart } from "./advance.ts";
import { nodesAfter } from "./flow.ts";
import { mergeDecisions } from "./merge.ts";
import type { Advance, Decision, InstanceState, Payloads, StepState } from "./model.ts";
import { decideRetry } from "./retry.ts";

/** The savepoint of this name; `null` for the beginning. */
export const savepointOf = (graph: Graph, name: string | null): SavepointNode | null => {
  const node = name === null ? null : nodeOf(graph, name);
  return node?.kind === "savepoint" ? node : null;
};

/**
 * The wait before the flow goes on by itself from the savepoint that a rollback stopped at, in milliseconds; `null` when
 * it does not: no retry was asked for, it is used up, the failure was a decision, which would only be made again, or a
 * step behind it may be called only once, ever.
 */
export const restartDelay = (graph: Graph, state: InstanceState): number | null => {
  const savepoint = savepointOf(graph, state.boundary);
  if (savepoint?.json.retry === undefined) return null;
  const isDeliberate = state.cause !== null && deliberate.includes(state.cause.code);
  const isLastChance = nodesAfter(savepoint).some((node) => wasCalledForGood(node, state.steps));
  return decideRetry({
    policy: { ...defaultRetry, ...savepoint.json.retry },
    attempt: stepOf(state, savepoint.name).attempt + 1,
    retryable: !isDeliberate && !isLastChance,
    random: 0,
  });
};

const wasCalledForGood = (node: GraphNode, steps: InstanceState["steps"]): boolean =>
  node.kind === "task" && node.json.idempotent === false && wasCalled(steps.get(node.name));

// The attempts of a step that was requeued are counted from the start; what they may have done is still known.
const wasCalled = (step: StepState | undefined): boolean =>
  step !== undefined && (step.attempt > 0 || step.outcome === "unknown");

const deliberate: readonly ErrorCode[] = ["DECISION_REJECTED", "FAILED_BY_DEFINITION", "DEAD_LETTER_DISCARDED"];

/**
 * The flow goes on from the state's boundary, at once or after `delayMs`. What came after it is forgotten, and signals that
 * were taken there are kept again. `payloads` must hold what `needsAfter` names of the savepoint.
 */
export const restart = (
  graph: Graph,
  state: InstanceState,
  payloads: Payloads,
  { delayMs, counts }: { readonly delayMs: number; readonly counts: boolean },
): Decision => {
  const savepoint = savepointOf(graph, state.boundary);
  const after = savepoint === null ? [...graph.nodes.values()] : nodesAfter(savepoint);
  const forget = after.map(({ name }) => name).filter((name) => state.steps.has(name));
  const instance = { status: "running", freeze: true, restart: true, cause: null, boundary: null } as const;
  const cleared: Decision = { instance, forget, untake: forget };
  if (savepoint === null) return mergeDecisions([cleared, goOn(advanceStart(graph, payloads))]);
  const { name } = savepoint;
  const step = stepOf(state, name);
  const attempt = step.attempt + (counts ? 1 : 0);
  if (delayMs > 0) {
    return mergeDecisions([cleared, { steps: [{ node: name, status: "waiting", attempt, due: { inMs: delayMs } }] }]);
  }
  const source = step.replaced ? name : step.inputFrom;
  return mergeDecisions([
    cleared,
    { steps: [{ node: name, status: "completed", attempt }] },
    goOn(advance(graph, savepoint, source, payloads)),
  ]);
};

/** The row of a node that the flow is known to have reached. */
export const stepOf = ({ steps }: InstanceState, name: string): StepState => steps.get(name) as StepState;

/** What an advance asks for, of an instance that stood still: if it has come to its end, the next look says so. */
export const goOn = ({ records, enqueue, review, joins, finished }: Advance): Decision => ({
  records,
  enqueue,
  review: review || joins !== null || finished !== null,
});

/** What an advance asks for, as a decision. */
export const follow = ({ records, enqueue, review, joins, finished }: Advance): Decision => ({
  ...(finished && { instance: { status: "completed", outputFrom: finished.outputFrom } }),
  records,
  enqueue,
  review: review || joins !== null,
});
