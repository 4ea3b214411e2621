/** Waits that are over: sleeps, signals, decisions, and the delay before the flow goes on from a savepoint again. */
import type { Graph, GraphNode, HumanNode, SignalNode } from "../definition/graph.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { advance, isDlqMode } from "./advance.ts";
import type { Verdict } from "./human.ts";
import { humanInput, humanOutput, verdictOf } from "./human.ts";
import { mergeDecisions } from "./merge.ts";
import type { Decision, InstanceState, KeptSignal, Payloads, StepChange, StepState, Vote } from "./model.ts";
import { follow } from "./restart.ts";
import { hasOwnValue, withOutputs } from "./value.ts";

/** A wait that is over: a decision was made, a signal came or did not come in time, or the time is there. */
export type Wait = { readonly step: StepState } & (
  | {
      readonly kind: "decision";
      readonly node: HumanNode;
      readonly verdict: Verdict | "escalate";
      readonly votes: Votes;
    }
  | { readonly kind: "signal"; readonly node: SignalNode; readonly signal: KeptSignal | undefined }
  | { readonly kind: "time"; readonly node: GraphNode }
);

type Votes = readonly Vote[];

/** The waits that are over. */
export const waitsOver = (graph: Graph, state: InstanceState): readonly Wait[] => {
  const kept = [...state.signals];
  return [...state.steps.values()].flatMap((step) => {
    const node = graph.nodes.get(step.node);
    const waits = step.status === "waiting" || step.status === "waiting_decision";
    return node !== undefined && waits ? waitOf(node, step, state, kept) : [];
  });
};

const waitOf = (node: GraphNode, step: StepState, state: InstanceState, kept: KeptSignal[]): readonly Wait[] => {
  switch (node.kind) {
    case "human": {
      const votes = state.votes.get(node.name) ?? [];
      const verdict = verdictOf(node, step, votes);
      return verdict === undefined ? [] : [{ kind: "decision", node, step, verdict, votes }];
    }
    case "signal": {
      const signal = takeFirst(kept, signalNameOf(node));
      return signal === undefined && !step.due ? [] : [{ kind: "signal", node, step, signal }];
    }
    default:
      return step.due ? [{ kind: "time", node, step }] : [];
  }
};

/** The name of the signal that a node waits for. */
export const signalNameOf = ({ name, json }: SignalNode): string => json.signal ?? name;

/** What follows from waits that are over. `payloads` must hold what `needsOfReview` names. */
export const endWaits = (graph: Graph, waits: readonly Wait[], payloads: Payloads): Decision =>
  mergeDecisions(waits.map((wait) => endWait(graph, wait, payloads)));

const endWait = (graph: Graph, wait: Wait, payloads: Payloads): Decision => {
  const { node, step } = wait;
  switch (wait.kind) {
    case "decision":
      return wait.verdict === "escalate" ? escalate(wait.node) : endDecision(graph, wait, wait.verdict, payloads);
    case "signal": {
      if (wait.signal === undefined) return expireSignal(graph, wait.node, step);
      const { signalId, payload } = wait.signal;
      const taken = passOn(graph, wait, payload, payloads, { status: "completed" });
      return { ...taken, take: [{ signalId, node: node.name }] };
    }
    case "time":
      return passOn(graph, wait, undefined, payloads, { status: "completed" });
  }
};

// It has a time limit, or it would not be due.
const escalate = ({ name, json }: HumanNode): Decision => ({
  steps: [{ node: name, status: "waiting_decision", attempt: 1, due: { inMs: json.timeoutMs as number } }],
  escalate: [name],
});

const endDecision = (
  graph: Graph,
  { node, step, votes }: Extract<Wait, { kind: "decision" }>,
  verdict: Verdict,
  payloads: Payloads,
): Decision => {
  const output = humanOutput(humanInput(graph, node, step.inputFrom, payloads), verdict, votes);
  if (verdict.kind === "confirm") return passOn(graph, { node, step }, output, payloads, { status: "confirmed" });
  if (node.json.onReject === "continue") return passOn(graph, { node, step }, output, payloads, { status: "rejected" });
  const error: StepError = { code: "DECISION_REJECTED", message: rejection(node, verdict) };
  return { steps: [{ node: node.name, status: "rejected", outcome: "absent", output, error }] };
};

const rejection = ({ name }: HumanNode, { by, comment }: Verdict): string => {
  const who = by === null ? `nobody decided '${name}' in time` : `'${name}' was rejected by ${by}`;
  return comment === null ? who : `${who}: ${comment}`;
};

// A step like any other that fails for good: in DLQ mode it waits for a person.
const expireSignal = (graph: Graph, node: SignalNode, { attempt }: StepState): Decision => {
  const message = `signal '${signalNameOf(node)}' did not arrive within ${node.json.timeoutMs} ms`;
  const error: StepError = { code: "SIGNAL_TIMEOUT", message };
  const change = { node: node.name, outcome: "absent", error } as const;
  if (!isDlqMode(graph)) return { steps: [{ ...change, status: "failed" }] };
  const letter = { node: node.name, lane: "forward", error, attempt } as const;
  return { steps: [{ ...change, status: "paused" }], bury: [letter] };
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
  const change: StepChange = { node: node.name, status, outcome: "happened", ...(output !== undefined && { output }) };
  return { ...follow(advance(graph, node, source, own)), steps: [change] };
};

const takeFirst = (kept: KeptSignal[], name: string): KeptSignal | undefined => {
  const index = kept.findIndex((signal) => signal.name === name);
  return index < 0 ? undefined : kept.splice(index, 1)[0];
};
