/**
 * Chains: the compensations that follow one another on the way back, foreseen as far as each is followed by exactly one. So
 * whoever completes one can start the next, and nobody has to look at the instance in between.
 */
import type { Graph, Sequence } from "../definition/graph.ts";
import type { ChainLink, Enqueue, InstanceState, StepChange, StepState } from "./model.ts";
import type { RollbackPlan } from "./rollback.ts";
import { planUndo } from "./rollback.ts";

/** The longest chain. Each row carries what is left of it. */
const linkLimit = 24;

/**
 * What a plan puts into the queue, with the chain that follows it: where it is a single compensation, and nothing else of
 * the instance runs or waits for a person, so that nothing but an act of a person can change what follows. Such an act
 * freezes the instance anew, or is about a compensation that has failed, and a chain ends with either.
 */
export const withChain = (
  graph: Graph,
  parts: readonly Sequence[],
  state: InstanceState,
  { enqueue, steps }: RollbackPlan,
): readonly Enqueue[] => {
  const [first, ...others] = enqueue;
  if (first === undefined || others.length > 0 || state.queue.size > 0 || state.deadLetters.size > 0) return enqueue;
  const links = linksAfter(graph, parts, state, [...steps, { node: first.node, status: "rolled_back" }]);
  return links.length === 0 ? enqueue : [{ ...first, chain: links }];
};

// The plan is asked again and again for the state as it will be when the compensation before is completed. Only steps that
// have a row change their status on the way back, and each stays in its place, by which the order is told.
const linksAfter = (
  graph: Graph,
  parts: readonly Sequence[],
  state: InstanceState,
  changes: readonly StepChange[],
): ChainLink[] => {
  const links: ChainLink[] = [];
  const steps = new Map(state.steps);
  const change = ({ node, status }: Pick<StepChange, "node" | "status">): void => {
    steps.set(node, { ...(steps.get(node) as StepState), status });
  };
  changes.forEach(change);
  while (links.length < linkLimit) {
    const plan = planUndo(graph, parts, { ...state, steps });
    const [next, ...others] = plan.enqueue;
    if (next === undefined || others.length > 0) break;
    links.push(linkOf(next, plan.steps));
    plan.steps.forEach(change);
    change({ node: next.node, status: "rolled_back" });
  }
  return links;
};

const linkOf = (
  { node, handler, priority, timeoutMs, inputFrom }: Enqueue,
  steps: readonly StepChange[],
): ChainLink => ({
  ...{ node, handler, priority, timeoutMs, inputFrom },
  rolledBack: steps.filter(({ status }) => status === "rolled_back").map((step) => step.node),
});
