/** Advancing: what follows in the graph when the flow leaves a node, up to the next tasks. */
import { compileExpression, evaluate, evaluateCondition } from "../definition/expression.ts";
import type {
  ConditionNode,
  EndNode,
  ForkNode,
  Graph,
  GraphNode,
  HumanNode,
  Side,
  SleepNode,
  TaskNode,
} from "../definition/graph.ts";
import { defaultTimeoutMs } from "../definition/model.ts";
import type { StepError } from "../vocabulary/error.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import type { Stop } from "./flow.ts";
import { forkAround, isContained, stopAfter, stopAfterEnd, stopAtStart } from "./flow.ts";
import { humanInput } from "./human.ts";
import type { Advance, Due, Enqueue, NodeRecord, Payloads, Source } from "./model.ts";
import { toStepError } from "./step-error.ts";
import { scopeOf } from "./value.ts";

interface Walk {
  readonly graph: Graph;
  readonly payloads: Payloads;
  readonly records: NodeRecord[];
  readonly enqueue: Enqueue[];
  /** The sides taken on this walk. They win over those in the payloads, which may be of an earlier way through. */
  readonly sides: Map<string, Side>;
  review: boolean;
  /** The forks at whose joins the flow has arrived, if all branches must arrive there. */
  readonly joins: Set<string>;
  finished: { readonly outputFrom: Source } | null;
}

/** The flow leaves `node`, whose value stands at `source`. `payloads` must hold that, and what `needsAfter` names. */
export const advance = (graph: Graph, node: GraphNode, source: Source, payloads: Payloads): Advance =>
  follow(graph, stopAfter(node), source, payloads);

/** The flow enters the definition. `payloads` must hold the instance's input; there is nothing else yet. */
export const advanceStart = (graph: Graph, payloads: Payloads): Advance =>
  follow(graph, stopAtStart(graph.root), null, payloads);

/** The flow arrives at `node` again, with the value at `source`: what failed there is tried once more. */
export const arriveAgain = (graph: Graph, node: GraphNode, source: Source, payloads: Payloads): Advance =>
  follow(graph, node, source, payloads);

/** The flow goes on behind a condition by a side that a person chose. */
export const advanceBy = (graph: Graph, node: ConditionNode, side: Side, source: Source, payloads: Payloads): Advance =>
  follow(graph, stopAtStart(node[side]), source, payloads, new Map([[node.name, side]]));

// The stops still to be made are a stack: thousands of nodes can follow each other without a task among them.
const follow = (graph: Graph, first: Stop, source: Source, payloads: Payloads, sides = new Map<string, Side>()) => {
  const nothing = { records: [], enqueue: [], review: false, joins: new Set<string>(), finished: null };
  const walk: Walk = { graph, payloads, sides, ...nothing };
  const stops = [first];
  // Nodes at which the flow does not halt pass on what was passed to them, so the source stays the same.
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) stops.push(...arrive(walk, stop, source));
  const { records, enqueue, finished } = walk;
  const [joins = null, ...others] = walk.joins;
  const review = walk.review || others.length > 0;
  return { records, enqueue, review, joins: review ? null : joins, finished };
};

// Answers where the flow goes on from here, the last first.
const arrive = (walk: Walk, stop: Stop, source: Source): Stop[] => {
  switch (stop.kind) {
    case "task":
      walk.enqueue.push(enqueueForward(stop, source));
      return [];
    case "savepoint":
      record(walk, stop, source, { status: "completed" });
      return [stopAfter(stop)];
    case "fork":
      record(walk, stop, source, { status: "waiting" });
      return [...stop.branches.values()].map(stopAtStart).reverse();
    case "condition":
      return decide(walk, stop, source);
    case "human":
      wait(walk, stop, source, () => {
        // Evaluated here to fail here: what is decided on must exist before anyone is asked.
        humanInput(walk.graph, stop, source, walk.payloads, walk.sides);
        return { status: "waiting_decision", due: dueIn(stop.json.timeoutMs) };
      });
      return [];
    case "sleep":
      wait(walk, stop, source, () => ({ status: "waiting", due: dueOfSleep(walk, stop, source) }));
      return [];
    case "signal":
      record(walk, stop, source, { status: "waiting", due: dueIn(stop.json.timeoutMs) });
      // It may have arrived before.
      walk.review = true;
      return [];
    case "end":
      return endEarly(walk, stop, source);
    case "over":
      // Whether a join fires depends on the other branches, and so does the end of an instance that may have losers.
      if (stop.of.kind === "branch") join(walk, stop.of.fork);
      else if (walk.graph.hasLosers) walk.review = true;
      else walk.finished = { outputFrom: source };
      return [];
  }
};

// Where branches can be done without, it depends on all of them what follows, also when one of them is not there yet.
const join = (walk: Walk, fork: ForkNode): void => {
  if (fork.need < fork.branches.size || isContained(fork)) walk.review = true;
  else walk.joins.add(fork.name);
};

const record = (
  walk: Walk,
  { name }: GraphNode,
  inputFrom: Source,
  what: Partial<NodeRecord> & Pick<NodeRecord, "status">,
) => walk.records.push({ node: name, side: null, error: null, due: null, contained: false, ...what, inputFrom });

// What cannot be decided for the data it is about waits for a person in DLQ mode, and else fails the step.
const fail = (walk: Walk, node: GraphNode, source: Source, error: StepError): void => {
  const status = isDlqMode(walk.graph) && node.kind !== "end" ? "paused" : "failed";
  // Going back to a savepoint concerns the whole instance, also from a branch that its join could do without.
  const isForAll = node.kind === "end" && node.json.how === "rollbackTo";
  record(walk, node, source, { status, error, contained: status === "paused" || (isContained(node) && !isForAll) });
  walk.review = true;
};

const wait = (
  walk: Walk,
  node: HumanNode | SleepNode,
  source: Source,
  make: () => Pick<NodeRecord, "status" | "due">,
): void => {
  try {
    record(walk, node, source, make());
  } catch (error) {
    fail(walk, node, source, toStepError(error, `${node.kind} '${node.name}': `, "EXPRESSION_FAILED"));
  }
};

const decide = (walk: Walk, node: ConditionNode, source: Source): Stop[] => {
  try {
    const { graph, payloads, sides } = walk;
    const when = compileExpression(node.json.when);
    const scope = scopeOf(graph, payloads, source, when.references, sides);
    const side = evaluateCondition(when, scope) ? "then" : "else";
    sides.set(node.name, side);
    record(walk, node, source, { status: "completed", side });
    return [stopAtStart(node[side])];
  } catch (error) {
    fail(walk, node, source, toStepError(error, `condition '${node.name}': `, "EXPRESSION_FAILED"));
    return [];
  }
};

const endEarly = (walk: Walk, node: EndNode, source: Source): Stop[] => {
  const { name, how, savepoint, message = "the definition ends here" } = node.json;
  switch (how) {
    case "complete":
      record(walk, node, source, { status: "completed" });
      return [stopAfterEnd(node)];
    case "fail":
      fail(walk, node, source, { code: "FAILED_BY_DEFINITION", message: `'${name}': ${message}` });
      return [];
    case "rollbackTo":
      fail(walk, node, source, {
        code: "ROLLED_BACK_BY_DEFINITION",
        message: `'${name}': ${message}; back to '${savepoint}'`,
      });
      return [];
  }
};

const dueIn = (ms: number | undefined): Due | null => (ms === undefined ? null : { inMs: ms });

const dueOfSleep = ({ graph, payloads, sides }: Walk, { json }: SleepNode, source: Source): Due => {
  // It has the one or the other.
  if (json.until === undefined) return { inMs: json.durationMs as number };
  const until = compileExpression(json.until);
  const value = evaluate(until, scopeOf(graph, payloads, source, until.references, sides));
  const at = typeof value === "number" ? new Date(value) : typeof value === "string" ? timeOf(value) : undefined;
  if (at !== undefined && isStorableTime(at)) return { at: at.toISOString() };
  throw new FloxyError(
    "EXPRESSION_FAILED",
    `expression ${quote(json.until)} gave ${quote(JSON.stringify(value))}, and a time is text such as 2030-01-31T08:00:00Z or milliseconds since 1970`,
  );
};

// Without a zone a time would mean another moment on each machine.
const timeOf = (text: string): Date | undefined =>
  /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/.test(text) ? new Date(text) : undefined;

const isStorableTime = (time: Date): boolean => {
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999;
};

/** Whether a step that failed for good waits for a person instead of failing its instance. */
export const isDlqMode = ({ definition }: Graph): boolean => definition.onFailure === "dlq";

/** The row that puts a task into the queue. */
const enqueueForward = (node: TaskNode, source: Source): Enqueue => ({
  node: node.name,
  lane: "forward",
  handler: node.json.handler,
  priority: node.json.priority ?? null,
  delayMs: node.json.delayMs ?? 0,
  timeoutMs: node.json.timeoutMs ?? defaultTimeoutMs,
  inputFrom: source,
  fork: forkAround(node)?.name ?? null,
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
    fork: null,
  };
