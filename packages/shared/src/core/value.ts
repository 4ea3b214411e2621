/** Where the value of a node stands. Payloads are never copied, so a value is found by walking the structure. */
import type { ExpressionScope, References } from "../definition/expression.ts";
import type { ConditionNode, Graph, GraphNode, Sequence, Side } from "../definition/graph.ts";
import { nodeBefore, nodeOf } from "../definition/graph.ts";
import type { Json } from "../vocabulary/json.ts";
import { earlyEnds } from "./flow.ts";
import type { InstanceState, Payloads, Source } from "./model.ts";

/** What must be known of nodes that were passed, to find where a value stands. */
export interface Passed {
  /** The side that a condition took. */
  side(condition: string): Side | null | undefined;
  /** Whether a savepoint passes on another value than it got. */
  isReplaced(savepoint: string): boolean;
}

/**
 * The source of the value that a node passes on; without a node, the instance's input. The value of a task, a join, a
 * decision and a signal is their own; all other nodes pass one through. A loop, since thousands may pass the same one.
 */
export const sourceOf = (start: GraphNode | undefined, passed: Passed): Source => {
  let node = start;
  while (node !== undefined) {
    if (hasOwnValue(node) || (node.kind === "savepoint" && passed.isReplaced(node.name))) return node.name;
    const taken = node.kind === "condition" ? sideTaken(node, passed) : undefined;
    node = taken === undefined ? nodePassingTo(node) : lastOf(taken);
  }
  return null;
};

/** Whether the value that a node passes on is made by it. */
export const hasOwnValue = ({ kind }: GraphNode): boolean =>
  kind === "task" || kind === "fork" || kind === "human" || kind === "signal";

/** The node whose value a sequence ends with. One without nodes ends with what was passed to it. */
export const lastOf = (sequence: Sequence): GraphNode | undefined => sequence.nodes.at(-1) ?? nodeLeadingTo(sequence);

/** The node whose value is passed to `node`; `undefined` if that is the instance's input. */
export const nodePassingTo = (node: GraphNode): GraphNode | undefined =>
  nodeBefore(node) ?? nodeLeadingTo(node.sequence);

const nodeLeadingTo = ({ owner }: Sequence): GraphNode | undefined => {
  if (owner.kind === "root") return undefined;
  return nodePassingTo(owner.kind === "branch" ? owner.fork : owner.condition);
};

/** The source of the value that a branch or the whole has come to its end with, also when it ended early. */
export const sourceOfCourse = (course: Sequence, steps: InstanceState["steps"]): Source => {
  const ends = earlyEnds(course).map(({ name }) => steps.get(name));
  const early = ends.find((end) => end?.status === "completed");
  return early === undefined ? sourceOf(lastOf(course), passedIn(steps)) : early.inputFrom;
};

/** What the rows of steps say of the nodes that were passed. */
export const passedIn = (steps: InstanceState["steps"]): Passed => ({
  side: (condition) => steps.get(condition)?.side,
  isReplaced: (savepoint) => steps.get(savepoint)?.replaced ?? false,
});

/** The payload that stands at a source, `undefined` if none does. */
export const payloadAt = (payloads: Payloads, source: Source): Json | undefined =>
  source === null ? payloads.input : payloads.rows.get(source)?.output;

/** What an expression sees: the instance's input, the value at `source`, and the nodes it names. */
export const scopeOf = (
  graph: Graph,
  payloads: Payloads,
  source: Source,
  { steps: names }: References,
  sides: ReadonlyMap<string, Side> = noSides,
): ExpressionScope => {
  const passed: Passed = {
    side: (condition) => sides.get(condition) ?? payloads.rows.get(condition)?.side,
    isReplaced: (savepoint) => payloads.rows.get(savepoint)?.output !== undefined,
  };
  const steps: Record<string, Json> = {};
  for (const name of names) {
    const value = payloadAt(payloads, sourceOf(nodeOf(graph, name), passed));
    if (value !== undefined) steps[name] = value;
  }
  return { input: payloads.input, value: payloadAt(payloads, source) ?? null, steps };
};

/** The payloads with the outputs of more nodes. */
export const withOutputs = (payloads: Payloads, outputs: ReadonlyMap<string, Json>): Payloads => {
  const rows = new Map(payloads.rows);
  for (const [node, output] of outputs) rows.set(node, { output, side: null });
  return {
    rows,
    get input() {
      return payloads.input;
    },
  };
};

const noSides: ReadonlyMap<string, Side> = new Map();

const sideTaken = (node: ConditionNode, passed: Passed): Sequence | undefined => {
  const side = passed.side(node.name);
  return side == null ? undefined : node[side];
};
