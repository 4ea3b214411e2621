/** How an instance looks to a person: every node of its definition with a status, whether it was reached or not. */
import type { GraphNode, Side } from "../definition/graph.ts";
import type { InstanceStatus, Lane, QueueState, StepStatus } from "../vocabulary/status.ts";
import { isTerminal } from "../vocabulary/status.ts";

/** What the view must know of a row. */
export interface ViewedStep {
  readonly status: StepStatus;
  readonly side: Side | null;
}

/** What the view must know of a row in the queue. */
export interface ViewedQueue {
  readonly lane: Lane;
  readonly state: QueueState;
}

/**
 * The status of a node. One without a row was not reached: `skipped` if it stands on a side that was not taken, in a
 * branch that its join does without, or the instance has ended, else `pending`.
 */
export const statusOf = (
  node: GraphNode,
  instance: InstanceStatus,
  steps: ReadonlyMap<string, ViewedStep>,
  queue: ReadonlyMap<string, ViewedQueue>,
): StepStatus => {
  const queued = queue.get(node.name);
  if (queued?.lane === "forward") return queued.state === "leased" ? "running" : "pending";
  const step = steps.get(node.name);
  if (step !== undefined) return step.status;
  return isTerminal(instance) || isLeftOut(node, steps) ? "skipped" : "pending";
};

const isLeftOut = (node: GraphNode, steps: ReadonlyMap<string, ViewedStep>): boolean => {
  const { owner } = node.sequence;
  switch (owner.kind) {
    case "root":
      return false;
    case "branch": {
      const status = steps.get(owner.fork.name)?.status;
      return (status !== undefined && !goesOn.includes(status)) || isLeftOut(owner.fork, steps);
    }
    case "side": {
      const taken = steps.get(owner.condition.name)?.side;
      return (taken != null && taken !== owner.side) || isLeftOut(owner.condition, steps);
    }
  }
};

// A join in one of these statuses can still fire; the branches of another go no further.
const goesOn: readonly StepStatus[] = ["waiting", "paused"];
