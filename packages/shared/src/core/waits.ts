/** Waits that are over: sleeps, signals, decisions, and the delay before the flow goes on from a savepoint again. */
import type { Graph, GraphNode, HumanNode, SignalNode } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { advance, isDlqMode } from "./advance.ts";
import { humanInput, humanOutput, verdictOf } from "./human.ts";
import { mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, KeptSignal, Payloads, StepState } from "./model.ts";
import { hasOwnValue, withOutputs } from "./value.ts";

/** A node that has waited long enough, or has got what it waited for. */
export interface Wait {
  readonly node: GraphNode;
  readonly step: StepState;
  /** The signal that it takes. */
  readonly signal: KeptSignal | undefined;
}

/** The waits that are over. */
export const waitsOver = (graph: Graph, state: InstanceState): readonly Wait[] => {
  const kept = [...state.signals];
  const over: Wait[] = [];
  for (const step of state.steps.values()) {
    const node = graph.nodes.get(step.node);
    if (node === undefined || (step.status !== "waiting" && step.status !== "waiting_decision")) continue;
    const signal = node.kind === "signal" ? takeFirst(kept, signalNameOf(node)) : undefined;
    const decided = node.kind === "human" && verdictOf(node, step, votesOn(state, step.node)) !== undefined;
    if (signal !== undefined || decided || (step.due && node.kind !== "fork")) over.push({ node, step, signal });
  }
  return over;
};

/** The name of the signal that a node waits for. */
export const signalNameOf = ({ name, json }: SignalNode): string => json.signal ?? name;

/** What follows from waits that are over. `payloads` must hold what `needsOfReview` names. */
export const endWaits = (graph: Graph, state: InstanceState, waits: readonly Wait[], payloads: Payloads): Decision =>
  mergeDecisions(waits.map((wait) => endWait(graph, state, wait, payloads)));

const endWait = (graph: Graph, state: InstanceState, wait: Wait, payloads: Payloads): Decision => {
  const { node, step, signal } = wait;
  if (node.kind === "human") return endDecision(graph, state, node, step, payloads);
  if (node.kind !== "signal") return passOn(graph, wait, undefined, payloads, { status: "completed" });
  if (signal === undefined) return expireSignal(graph, node, step);
  const taken = passOn(graph, wait, signal.payload, payloads, { status: "completed" });
  return { ...taken, take: [{ signalId: signal.signalId, node: node.name }] };
};

const endDecision = (
  graph: Graph,
  state: InstanceState,
  node: HumanNode,
  step: StepState,
  payloads: Payloads,
): Decision => {
  const votes = votesOn(state, node.name);
  const verdict = verdictOf(node, step, votes);
  if (verdict === "escalate" || verdict === undefined) {
    const due = { inMs: node.json.timeoutMs ?? 0 };
    return { steps: [{ node: node.name, status: "waiting_decision", attempt: 1, due }], escalate: [node.name] };
  }
  const output = humanOutput(humanInput(graph, node, step.inputFrom, payloads), verdict, votes);
  if (verdict.kind === "confirm") return passOn(graph, { node, step }, output, payloads, { status: "confirmed" });
  if (node.json.onReject === "continue") return passOn(graph, { node, step }, output, payloads, { status: "rejected" });
  const error: StepError = { code: "DECISION_REJECTED", message: rejection(node, verdict) };
  return { steps: [{ node: node.name, status: "rejected", outcome: "absent", output, error }], review: true };
};

const rejection = ({ name }: HumanNode, { by, comment }: { by: string | null; comment: string | null }): string => {
  const who = by === null ? `nobody decided '${name}' in time` : `'${name}' was rejected by ${by}`;
  return comment === null ? who : `${who}: ${comment}`;
};

// A step like any other that fails for good: in DLQ mode it waits for a person.
const expireSignal = (graph: Graph, node: SignalNode, { attempt }: StepState): Decision => {
  const message = `signal '${signalNameOf(node)}' did not arrive within ${node.json.timeoutMs} ms`;
  const error: StepError = { code: "SIGNAL_TIMEOUT", message };
  const change = { node: node.name, outcome: "absent", error } as const;
  if (!isDlqMode(graph)) return { steps: [{ ...change, status: "failed" }], review: true };
  const letter = { node: node.name, lane: "forward", error, attempt } as const;
  return { steps: [{ ...change, status: "paused" }], bury: [letter], review: true };
};

const passOn = (
  graph: Graph,
  { node, step }: Pick<Wait, "node" | "step">,
  output: Json | undefined,
  payloads: Payloads,
  { status }: Pick<StepState, "status">,
): Decision => {
  const own = output === undefined ? payloads : withOutputs(payloads, new Map([[node.name, output]]));
  const source = hasOwnValue(node) || step.replaced ? node.name : step.inputFrom;
  const { records, enqueue, review, finished } = advance(graph, node, source, own);
  return {
    ...(finished && { instance: { status: "completed", outputFrom: finished.outputFrom } }),
    steps: [{ node: node.name, status, outcome: "happened", ...(output !== undefined && { output }) }],
    records,
    enqueue,
    review,
  };
};

const votesOn = ({ votes }: InstanceState, node: string) => votes.get(node) ?? [];

const takeFirst = (kept: KeptSignal[], name: string): KeptSignal | undefined => {
  const index = kept.findIndex((signal) => signal.name === name);
  return index < 0 ? undefined : kept.splice(index, 1)[0];
};
