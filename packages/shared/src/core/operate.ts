/** What operators' acts mean for an instance. Whoever calls has made sure that the act is possible. */
import type { ConditionNode, Graph, GraphNode, Side } from "../definition/graph.ts";
import { nodeOf, taskOf } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { advance, advanceBy, arriveAgain, enqueueCompensation } from "./advance.ts";
import { leaveQueue } from "./losers.ts";
import { mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, Payloads, StepChange } from "./model.ts";
import { goOn, restart, stepOf } from "./restart.ts";
import { freeze } from "./undo.ts";
import { hasOwnValue, withOutputs } from "./value.ts";

/** Undoes all that the instance has done; it ends `cancelled`. */
export const cancel = (state: InstanceState, cause: StepError): Decision =>
  freeze(state, { status: "cancelling", cause });

/** Ends the instance where it stands: nothing is undone, and nothing of it runs afterwards. */
export const abort = (state: InstanceState, cause: StepError): Decision => {
  const queued = [...state.queue.values()];
  const stopped = queued.map((step): StepChange => {
    if (step.lane === "compensation") return { node: step.node, status: "failed" };
    if (step.state !== "leased") return leaveQueue(step);
    const { node, attempt, inputFrom, uncertain } = step;
    return { node, attempt, inputFrom, status: "failed", outcome: uncertain ? "unknown" : "absent", error: cause };
  });
  const waiting = [...state.steps.values()].flatMap(({ node, status }): StepChange[] => {
    if (status === "waiting" || status === "waiting_decision") return [{ node, status: "skipped", outcome: "absent" }];
    // A dead letter of a step or of a compensation is a failure now; a join that waited for one is skipped.
    if (status === "paused") return [{ node, status: state.deadLetters.has(node) ? "failed" : "skipped" }];
    return [];
  });
  return {
    instance: { status: "aborted", freeze: true, cause: state.cause ?? cause, pausedFrom: null },
    steps: [...stopped, ...waiting],
    unqueue: queued.map(({ node }) => node),
    exhume: [...state.deadLetters.keys()],
  };
};

/** A step of a dead letter is tried again, its attempts counted from the start. */
export const requeue = (graph: Graph, state: InstanceState, name: string, payloads: Payloads): Decision => {
  const { inputFrom, outcome } = stepOf(state, name);
  const back: Decision = { exhume: [name], review: true };
  if (state.deadLetters.get(name) === "compensation") {
    const enqueue = [enqueueCompensation(taskOf(graph, name), inputFrom)].filter((row) => row !== undefined);
    const steps: readonly StepChange[] = [{ node: name, status: "compensating" }];
    return mergeDecisions([leaveDlq(state), back, { steps, enqueue }]);
  }
  const again = arriveAgain(graph, nodeOf(graph, name), inputFrom, payloads);
  // The attempts are counted from the start, but what they may have done is not forgotten with them.
  const uncertain = outcome === "unknown";
  const enqueue = again.enqueue.map((step) => ({ ...step, uncertain }));
  return mergeDecisions([leaveDlq(state), back, { forget: [name] }, goOn({ ...again, enqueue })]);
};

/** A step of a dead letter counts as completed with this output. Of a condition it is the side: `true` is `then`. */
export const resolve = (
  graph: Graph,
  state: InstanceState,
  name: string,
  output: Json,
  payloads: Payloads,
): Decision => {
  const node = nodeOf(graph, name);
  const { inputFrom } = stepOf(state, name);
  return mergeDecisions([
    leaveDlq(state),
    { exhume: [name], review: true },
    node.kind === "condition"
      ? resolveCondition(graph, node, output === true ? "then" : "else", inputFrom, payloads)
      : resolveNode(graph, node, output, inputFrom, payloads),
  ]);
};

/** A person gives up a step of a dead letter: the instance is rolled back. */
export const discard = (state: InstanceState, cause: StepError): Decision =>
  freeze(state, { status: "rolling_back", cause });

/** A person has dealt with what a compensation should have undone. */
export const skipCompensation = (state: InstanceState, name: string): Decision =>
  mergeDecisions([leaveDlq(state), { steps: [{ node: name, status: "skipped" }], exhume: [name], review: true }]);

/** A failed instance goes forward again from the savepoint at which its rollback stopped, or from the beginning. */
export const resume = (graph: Graph, state: InstanceState, payloads: Payloads): Decision =>
  mergeDecisions([restart(graph, state, payloads, { delayMs: 0, counts: false }), { review: true }]);

// What the dead letter kept the instance from being; another one that is left will stop it again.
const leaveDlq = ({ pausedFrom, steps, deadLetters }: InstanceState): Decision => {
  if (pausedFrom === null) return {};
  const joins = [...steps.values()].filter((step) => step.status === "paused" && !deadLetters.has(step.node));
  return {
    instance: { status: pausedFrom, pausedFrom: null },
    steps: joins.map(({ node }) => ({ node, status: "waiting" })),
  };
};

const resolveCondition = (
  graph: Graph,
  node: ConditionNode,
  side: Side,
  inputFrom: string | null,
  payloads: Payloads,
): Decision =>
  mergeDecisions([
    { steps: [{ node: node.name, status: "completed", outcome: "happened", side }] },
    goOn(advanceBy(graph, node, side, inputFrom, payloads)),
  ]);

const resolveNode = (
  graph: Graph,
  node: GraphNode,
  output: Json,
  inputFrom: string | null,
  payloads: Payloads,
): Decision => {
  const { name } = node;
  const own = hasOwnValue(node);
  const known = own ? withOutputs(payloads, new Map([[name, output]])) : payloads;
  return mergeDecisions([
    { steps: [{ node: name, status: "completed", outcome: "happened", ...(own && { output }) }] },
    goOn(advance(graph, node, own ? name : inputFrom, known)),
  ]);
};
