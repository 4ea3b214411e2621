/**
 * The rollback: which compensations can start now. The order is the reverse of the causal order: a step is undone only
 * when everything that ran after it is undone or known absent; branches are independent of each other. Nothing of the
 * plan is stored: it follows from the graph and the state, so it can be asked again at any time.
 */
import type { ConditionNode, ForkNode, Graph, GraphNode, Sequence, TaskNode } from "../definition/graph.ts";
import { enqueueCompensation } from "./advance.ts";
import type { Enqueue, InstanceState, StepChange, StepState } from "./model.ts";

/** What the rollback needs now. */
export interface RollbackPlan {
  /** Compensations that can start. */
  readonly enqueue: readonly Enqueue[];
  /** Steps whose status changes: into compensation, or rolled back where nothing is to be called. */
  readonly steps: readonly StepChange[];
  /** `done`: all is undone. `underway`: something runs or starts. `stuck`: only dead letters are left. */
  readonly progress: "done" | "underway" | "stuck";
}

/**
 * How far the way back through a part of the graph is clear. `boundary`: the savepoint was reached, what is before it
 * stays as it is.
 */
type Clearance = "clear" | "blocked" | "boundary";

interface Walk {
  readonly state: InstanceState;
  readonly enqueue: Enqueue[];
  readonly steps: StepChange[];
  running: boolean;
}

/** Plans the next part of a rollback of the whole instance, to the state's boundary. */
export const planRollback = (graph: Graph, state: InstanceState): RollbackPlan => planUndo(graph, [graph.root], state);

/** Plans how parts of an instance are undone beside each other. */
export const planUndo = (graph: Graph, parts: readonly Sequence[], state: InstanceState): RollbackPlan => {
  const walk: Walk = { state, enqueue: [], steps: [], running: isSequential(graph) && isUndoing(state) };
  const clearances = parts.map((part) => backThrough(walk, part));
  const { running } = walk;
  const { enqueue, steps } = isSequential(graph) ? oneAtATime(walk) : walk;
  if (!clearances.includes("blocked")) return { enqueue, steps, progress: "done" };
  return { enqueue, steps, progress: running || enqueue.length > 0 ? "underway" : "stuck" };
};

// Also where the walk does not come to: a branch that had lost may have begun to be undone before the rollback.
const isUndoing = ({ queue }: InstanceState): boolean =>
  [...queue.values()].some(({ lane }) => lane === "compensation");

const isSequential = ({ definition }: Graph): boolean => definition.compensate === "sequential";

// Of the compensations that could start, only that of the step that completed last, and only when nothing else runs or
// waits for a person. The causal order is kept by what could start.
const oneAtATime = ({ state, enqueue, steps, running }: Walk): Pick<RollbackPlan, "enqueue" | "steps"> => {
  const candidates = new Set(enqueue.map(({ node }) => node));
  const isFree = !running && ![...state.deadLetters.values()].includes("compensation");
  const last = isFree ? [...state.steps.keys()].filter((node) => candidates.has(node)).at(-1) : undefined;
  return {
    enqueue: enqueue.filter(({ node }) => node === last),
    steps: steps.filter(({ node, status }) => status !== "compensating" || node === last),
  };
};

const backThrough = (walk: Walk, { nodes }: Sequence): Clearance => {
  for (const node of nodes.toReversed()) {
    const clearance = backOver(walk, node);
    if (clearance !== "clear") return clearance;
  }
  return "clear";
};

const backOver = (walk: Walk, node: GraphNode): Clearance => {
  switch (node.kind) {
    case "task":
      return undoTask(walk, node);
    case "fork":
      return backOverFork(walk, node);
    case "condition":
      return backOverCondition(walk, node);
    case "savepoint":
      if (walk.state.boundary === node.name) return "boundary";
      return undoWithoutCall(walk, node);
    case "human":
    case "sleep":
    case "signal":
    case "end":
      return undoWithoutCall(walk, node);
  }
};

const undoTask = (walk: Walk, node: TaskNode): Clearance => {
  const { steps, queue } = walk.state;
  if (queue.has(node.name)) {
    // It runs: forward, and its result will be adopted; or its compensation does.
    walk.running = true;
    return "blocked";
  }
  const step = steps.get(node.name);
  if (step === undefined || step.outcome === "absent" || isUndone(step)) return "clear";
  // A dead letter: a person decides.
  if (step.status === "paused") return "blocked";
  if (step.outcome === "unknown" && node.json.compensateOn === "completed") return "clear";
  const compensation = enqueueCompensation(node, step.inputFrom);
  if (compensation === undefined) return undoWithoutCall(walk, node);
  walk.enqueue.push(compensation);
  walk.steps.push({ node: node.name, status: "compensating" });
  return "blocked";
};

const backOverFork = (walk: Walk, node: ForkNode): Clearance => {
  if (!walk.state.steps.has(node.name)) return "clear";
  // Every branch is walked, also when one is blocked: they are undone beside each other.
  const branches = [...node.branches.values()].map((branch) => backThrough(walk, branch));
  return branches.includes("blocked") ? "blocked" : undoWithoutCall(walk, node);
};

const backOverCondition = (walk: Walk, node: ConditionNode): Clearance => {
  const side = walk.state.steps.get(node.name)?.side;
  if (side == null) return "clear";
  const clearance = backThrough(walk, node[side]);
  return clearance === "clear" ? undoWithoutCall(walk, node) : clearance;
};

// What failed without an effect stays failed.
const undoWithoutCall = (walk: Walk, { name }: GraphNode): Clearance => {
  const step = walk.state.steps.get(name);
  if (step !== undefined && !isUndone(step) && !hasFailedWithoutEffect(step)) {
    walk.steps.push({ node: name, status: "rolled_back" });
  }
  return "clear";
};

const isUndone = ({ status }: StepState): boolean => status === "rolled_back" || status === "skipped";

const hasFailedWithoutEffect = ({ status, outcome }: StepState): boolean => status === "failed" && outcome === "absent";
