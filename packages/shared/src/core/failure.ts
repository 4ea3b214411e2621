/** Failures: which of them fail the instance, and which only a branch that its join can do without. */
import type { ForkNode, GraphNode, Sequence } from "../definition/graph.ts";
import type { InstanceState, StepState } from "./model.ts";

type Steps = InstanceState["steps"];

/**
 * The steps because of which the flow through a sequence cannot come to its end; empty while it can. A fork fails when so
 * many of its branches have failed that its join can never fire.
 */
export const failuresIn = ({ nodes }: Sequence, steps: Steps): readonly StepState[] =>
  nodes.flatMap((node) => failuresOf(node, steps));

/** The first failure, in the order in which they were settled, that fails the whole instance. */
export const firstFailure = (root: Sequence, steps: Steps): StepState | undefined => {
  if (![...steps.values()].some(({ status }) => status === "failed" || status === "rejected")) return undefined;
  const failures = new Set(failuresIn(root, steps));
  for (const step of steps.values()) if (failures.has(step)) return step;
  return undefined;
};

/** The branches of a fork that have failed. */
export const failedBranches = (fork: ForkNode, steps: Steps): readonly (readonly [string, Sequence])[] =>
  [...fork.branches].filter(([, branch]) => failuresIn(branch, steps).length > 0);

const failuresOf = (node: GraphNode, steps: Steps): readonly StepState[] => {
  const step = steps.get(node.name);
  if (step === undefined) return [];
  if (step.status === "failed") return [step];
  switch (node.kind) {
    case "human":
      return step.status === "rejected" && node.json.onReject !== "continue" ? [step] : [];
    case "condition":
      return step.side === null ? [] : failuresIn(node[step.side], steps);
    case "fork":
      return failuresOfFork(node, step, steps);
    default:
      return [];
  }
};

// Also of one that is skipped: that is what becomes of a join when the failed branch that it stands in is stopped.
const failuresOfFork = (fork: ForkNode, { status }: StepState, steps: Steps): readonly StepState[] => {
  if (status === "completed" || status === "rolled_back") return [];
  const failed = failedBranches(fork, steps);
  if (fork.branches.size - failed.length >= fork.need) return [];
  return failed.flatMap(([, branch]) => failuresIn(branch, steps));
};
