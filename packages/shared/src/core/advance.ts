/** Advancing: what follows in the graph when the flow leaves a node, up to the next tasks. */
import { compileExpression, evaluateCondition, references } from "../definition/expression.ts";
import type { ConditionNode, Graph, GraphNode, Side, TaskNode } from "../definition/graph.ts";
import { defaultTimeoutMs } from "../definition/model.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Stop } from "./flow.ts";
import { stopAfter, stopAtStart } from "./flow.ts";
import type { Advance, Enqueue, NodeRecord, Payloads, Source } from "./model.ts";
import { toStepError } from "./step-error.ts";
import { payloadAt, valueOfNode } from "./value.ts";

interface Walk {
  readonly graph: Graph;
  readonly payloads: Payloads;
  readonly records: NodeRecord[];
  readonly enqueue: Enqueue[];
  /** The sides taken on this walk. They win over those in the payloads, which may be of an earlier way through. */
  readonly sides: Map<string, Side>;
  review: boolean;
  finished: { readonly outputFrom: Source } | null;
}

/** The flow leaves `node`, whose value stands at `source`. `payloads` must hold that, and what `needsAfter` names. */
export const advance = (graph: Graph, node: GraphNode, source: Source, payloads: Payloads): Advance =>
  follow(graph, stopAfter(node), source, payloads);

/** The flow enters the definition. `payloads` must hold the instance's input; there is nothing else yet. */
export const advanceStart = (graph: Graph, payloads: Payloads): Advance =>
  follow(graph, stopAtStart(graph.root), null, payloads);

// The stops still to be made are a stack: thousands of nodes can follow each other without a task among them.
const follow = (graph: Graph, first: Stop, source: Source, payloads: Payloads): Advance => {
  const walk: Walk = { graph, payloads, records: [], enqueue: [], sides: new Map(), review: false, finished: null };
  const stops = [first];
  // Nodes at which the flow does not halt pass on what was passed to them, so the source stays the same.
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) stops.push(...arrive(walk, stop, source));
  const { records, enqueue, review, finished } = walk;
  return { records, enqueue, review, finished };
};

// Answers where the flow goes on from here, the last first.
const arrive = (walk: Walk, stop: Stop, source: Source): Stop[] => {
  switch (stop.kind) {
    case "task":
      walk.enqueue.push(enqueueForward(stop, source));
      return [];
    case "savepoint":
      walk.records.push({ node: stop.name, status: "completed", side: null, error: null, inputFrom: source });
      return [stopAfter(stop)];
    case "fork":
      walk.records.push({ node: stop.name, status: "waiting", side: null, error: null, inputFrom: source });
      return [...stop.branches.values()].map(stopAtStart).reverse();
    case "condition":
      return decide(walk, stop, source);
    case "end":
      // Whether a join fires depends on the other branches: that is not for one step to say.
      if (stop.of === "branch") walk.review = true;
      else walk.finished = { outputFrom: source };
      return [];
  }
};

const decide = (walk: Walk, node: ConditionNode, source: Source): Stop[] => {
  const record = { node: node.name, inputFrom: source };
  const taken = takeSide(walk, node, source);
  if (typeof taken === "string") {
    walk.sides.set(node.name, taken);
    walk.records.push({ ...record, status: "completed", side: taken, error: null });
    return [stopAtStart(node[taken])];
  }
  walk.records.push({ ...record, status: "failed", side: null, error: taken });
  walk.review = true;
  return [];
};

const takeSide = ({ graph, payloads, sides }: Walk, node: ConditionNode, source: Source): Side | StepError => {
  const { when } = node.json;
  const sideOf = (condition: string) => sides.get(condition) ?? payloads.rows.get(condition)?.side;
  try {
    const steps: Record<string, Json> = {};
    for (const name of references(when).steps) {
      const value = valueOfNode(graph, payloads, name, sideOf);
      if (value !== undefined) steps[name] = value;
    }
    const value = payloadAt(payloads, source) ?? null;
    return evaluateCondition(compileExpression(when), { input: payloads.input, value, steps }) ? "then" : "else";
  } catch (error) {
    return toStepError(error, `condition '${node.name}': `, "EXPRESSION_FAILED");
  }
};

/** The row that puts a task into the queue. */
const enqueueForward = ({ name, json }: TaskNode, source: Source): Enqueue => ({
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
