/** Advancing: what follows in the graph when the flow leaves a node, up to the next tasks. */
import { compileExpression, evaluateCondition, references } from "../definition/expression.ts";
import {
  type ConditionNode,
  type Graph,
  type GraphNode,
  nodeAfter,
  type Sequence,
  type Side,
  type TaskNode,
} from "../definition/graph.ts";
import { defaultTimeoutMs } from "../definition/model.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Advance, Enqueue, NodeRecord, PayloadRow, Payloads, Source } from "./model.ts";
import { toStepError } from "./step-error.ts";
import { payloadAt, valueOf } from "./value.ts";

interface Walk {
  readonly graph: Graph;
  readonly payloads: Payloads;
  readonly records: NodeRecord[];
  readonly enqueue: Enqueue[];
  /** The sides taken on this walk, on top of those in the payloads. */
  readonly sides: Map<string, Side>;
  review: boolean;
  finished: { readonly outputFrom: Source } | null;
}

/** The flow leaves `node`, whose value stands at `source`. `payloads` must hold what `needsAfter` names. */
export const advance = (graph: Graph, node: GraphNode, source: Source, payloads: Payloads): Advance => {
  const walk = newWalk(graph, payloads);
  leave(walk, node, source);
  return result(walk);
};

/** The flow enters the definition. `payloads` must hold what `needsAtStart` names. */
export const advanceStart = (graph: Graph, payloads: Payloads): Advance => {
  const walk = newWalk(graph, payloads);
  enter(walk, graph.root, null);
  return result(walk);
};

const newWalk = (graph: Graph, payloads: Payloads): Walk => ({
  graph,
  payloads,
  records: [],
  enqueue: [],
  sides: new Map(),
  review: false,
  finished: null,
});

const result = ({ records, enqueue, review, finished }: Walk): Advance => ({ records, enqueue, review, finished });

const leave = (walk: Walk, node: GraphNode, source: Source): void => {
  const next = nodeAfter(node);
  if (next === undefined) leaveSequence(walk, node.sequence, source);
  else arrive(walk, next, source);
};

const enter = (walk: Walk, sequence: Sequence, source: Source): void => {
  const first = sequence.nodes[0];
  if (first === undefined) leaveSequence(walk, sequence, source);
  else arrive(walk, first, source);
};

const leaveSequence = (walk: Walk, { owner }: Sequence, source: Source): void => {
  switch (owner.kind) {
    case "root":
      walk.finished = { outputFrom: source };
      return;
    case "side":
      leave(walk, owner.condition, source);
      return;
    case "branch":
      // Whether the join fires depends on the other branches: that is not for one step to say.
      walk.review = true;
  }
};

const arrive = (walk: Walk, node: GraphNode, source: Source): void => {
  switch (node.kind) {
    case "task":
      walk.enqueue.push(enqueueForward(node, source));
      return;
    case "savepoint":
      walk.records.push({ node: node.name, status: "completed", side: null, error: null, inputFrom: source });
      leave(walk, node, source);
      return;
    case "fork":
      walk.records.push({ node: node.name, status: "waiting", side: null, error: null, inputFrom: source });
      for (const branch of node.branches.values()) enter(walk, branch, source);
      return;
    case "condition":
      decide(walk, node, source);
  }
};

const decide = (walk: Walk, node: ConditionNode, source: Source): void => {
  const record = { node: node.name, inputFrom: source };
  const taken = takeSide(walk, node, source);
  if (typeof taken === "string") {
    walk.sides.set(node.name, taken);
    walk.records.push({ ...record, status: "completed", side: taken, error: null });
    enter(walk, node[taken], source);
  } else {
    walk.records.push({ ...record, status: "failed", side: null, error: taken });
    walk.review = true;
  }
};

const takeSide = (walk: Walk, node: ConditionNode, source: Source): Side | StepError => {
  const { graph, payloads, sides } = walk;
  const when = node.json.when;
  const rows = new Map<string, PayloadRow>(payloads.rows);
  for (const [name, side] of sides) rows.set(name, { side });
  const known: Payloads = { input: payloads.input, rows };
  try {
    const steps: Record<string, Json> = {};
    for (const name of references(when).steps) {
      const value = valueOf(graph, known, name);
      if (value !== undefined) steps[name] = value;
    }
    const value = payloadAt(known, source) ?? null;
    return evaluateCondition(compileExpression(when), { input: payloads.input, value, steps }) ? "then" : "else";
  } catch (error) {
    return toStepError(error, `condition '${node.name}': `);
  }
};

/** The row that puts a task into the queue. */
export const enqueueForward = ({ name, json }: TaskNode, source: Source): Enqueue => ({
  node: name,
  lane: "forward",
  handler: json.handler,
  priority: json.priority ?? null,
  delayMs: json.delayMs ?? 0,
  timeoutMs: json.timeoutMs ?? defaultTimeoutMs,
  inputFrom: source,
});

/** The row that puts a task's compensation into the queue; `undefined` if it has none. */
export const enqueueCompensation = ({ name, json }: TaskNode, source: Source): Enqueue | undefined =>
  json.compensation && {
    node: name,
    lane: "compensation",
    handler: json.compensation.handler,
    priority: json.priority ?? null,
    delayMs: 0,
    timeoutMs: json.compensation.timeoutMs ?? defaultTimeoutMs,
    inputFrom: source,
  };

