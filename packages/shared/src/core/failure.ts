/** Failures: which of them fail the instance, and which only a branch that its join can do without. */
import type { ForkNode, GraphNode, Sequence } from "../definition/graph.ts";
import type { InstanceState, StepState } from "./model.ts";

type Steps = InstanceState["steps"];

interface Failure {
  readonly step: StepState;
  /** Whether the definition says what becomes of the whole instance, so that no join can do without the branch. */
  readonly isForAll: boolean;
}

/**
 * The steps because of which the flow through a sequence cannot come to its end; empty while it can. A fork fails when so
 * many of its branches have failed that its join can never fire.
 */
export const failuresIn = (sequence: Sequence, steps: Steps): readonly StepState[] =>
  findIn(sequence, steps).map(({ step }) => step);

/** The first failure, in the order in which they were settled, that fails the whole instance. */
export const firstFailure = (root: Sequence, steps: Steps): StepState | undefined => {
  if (![...steps.values()].some(({ status }) => status === "failed" || status === "rejected")) return undefined;
  const failures = new Set(failuresIn(root, steps));
  const inOrder = [...steps.values()].filter((step) => failures.has(step));
  // One without an error was only stopped, because of another; clocks that are set back can put it before that.
  return inOrder.find(({ error }) => error !== null) ?? inOrder[0];
};

/** The branches of a fork that have failed. */
export const failedBranches = (fork: ForkNode, steps: Steps): readonly Sequence[] =>
  [...fork.branches.values()].filter((branch) => findIn(branch, steps).length > 0);

const findIn = ({ nodes }: Sequence, steps: Steps): readonly Failure[] => nodes.flatMap((node) => findAt(node, steps));

const findAt = (node: GraphNode, steps: Steps): readonly Failure[] => {
  const step = steps.get(node.name);
  if (step === undefined) return [];
  if (step.status === "failed") return [{ step, isForAll: node.kind === "end" && node.json.how === "rollbackTo" }];
  switch (node.kind) {
    case "human": {
      const { onReject } = node.json;
      return step.status === "rejected" && onReject !== "continue" ? [{ step, isForAll: onReject === "abort" }] : [];
    }
    case "condition":
      return step.side === null ? [] : findIn(node[step.side], steps);
    case "fork":
      return findInFork(node, step, steps);
    default:
      return [];
  }
};

// Also in one that is skipped: that is what becomes of a join when the failed branch that it stands in is stopped.
const findInFork = (fork: ForkNode, { status }: StepState, steps: Steps): readonly Failure[] => {
  if (status === "completed") return [];
  const branches = [...fork.branches.values()].map((branch) => findIn(branch, steps));
  const left = branches.filter((failures) => failures.length === 0).length;
  return left < fork.need ? branches.flat() : branches.flat().filter(({ isForAll }) => isForAll);
};
