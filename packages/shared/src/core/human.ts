/** Decisions of people: what they see, when their votes decide, and what the node passes on. */
import type { Graph, HumanNode, Side } from "../definition/graph.ts";
import { evaluateMapping, mappingReferences } from "../definition/mapping.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Payloads, Source, StepState, Vote } from "./model.ts";
import { payloadAt, scopeOf } from "./value.ts";

/** What a decision came to. `by` and what follows are those of the vote that decided; `null` when the deadline did. */
export interface Verdict {
  readonly kind: "confirm" | "reject";
  readonly by: string | null;
  readonly comment: string | null;
  readonly form: Json;
  readonly at: string | null;
}

/** What people are asked to decide on. Throws `EXPRESSION_FAILED` when the node's mapping cannot be evaluated. */
export const humanInput = (
  graph: Graph,
  { json }: HumanNode,
  source: Source,
  payloads: Payloads,
  sides?: ReadonlyMap<string, Side>,
): Json => {
  if (json.input === undefined) return payloadAt(payloads, source) ?? null;
  return evaluateMapping(json.input, scopeOf(graph, payloads, source, mappingReferences(json.input), sides));
};

/** Whether others may decide now, because the deadline has passed once. */
export const isEscalated = (step: Pick<StepState, "attempt"> | undefined): boolean => (step?.attempt ?? 0) > 0;

/** Who may decide now; `undefined` when anyone may. */
export const decidersOf = (
  { json }: HumanNode,
  step: Pick<StepState, "attempt"> | undefined,
): readonly string[] | undefined => (isEscalated(step) ? json.escalateTo : json.deciders);

/** What the votes and the deadline come to, `escalate`, or `undefined` while more votes are needed. */
export const verdictOf = (
  { json }: HumanNode,
  step: StepState,
  votes: readonly Vote[],
): Verdict | "escalate" | undefined => {
  const rejection = votes.find(({ kind }) => kind === "reject");
  if (rejection !== undefined) return rejection;
  const last = votes[(json.approvals ?? 1) - 1];
  if (last !== undefined) return last;
  if (!step.due) return undefined;
  const { onTimeout = "reject" } = json;
  if (onTimeout === "escalate" && !isEscalated(step)) return "escalate";
  const kind = onTimeout === "confirm" ? "confirm" : "reject";
  return { kind, by: null, comment: null, form: null, at: null };
};

/** What the node passes on: its input, and the decision beside it. */
export const humanOutput = (input: Json, verdict: Verdict, votes: readonly Vote[]): Json => {
  const { kind, by, comment, form, at } = verdict;
  const decision: Json = { kind, by, comment, form, at, votes: votes.map((vote) => ({ ...vote })) };
  const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
  return isObject ? { ...(input as Readonly<Record<string, Json>>), decision } : { value: input, decision };
};
