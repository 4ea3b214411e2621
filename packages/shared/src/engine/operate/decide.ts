/** Deciding: a person confirms or rejects what a human node asks. */
import { decidersOf } from "../../core/human.ts";
import type { Graph, HumanNode } from "../../definition/graph.ts";
import { checkAgainstSchema } from "../../definition/json-schema.ts";
import type { Database } from "../../store/executor.ts";
import { insertVote } from "../../store/operator.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import { encodePayload } from "../../vocabulary/json-check.ts";
import { quote } from "../../vocabulary/quote.ts";
import type { GraphCache } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import type { Loaded } from "../state.ts";
import type { Operated } from "./operate.ts";
import { assertGoingOn, assertPerson, assertText, operate } from "./operate.ts";

/** A decision. */
export interface DecideParams {
  readonly instanceId: string;
  /** The name of the human node. */
  readonly step: string;
  readonly kind: "confirm" | "reject";
  /** Who decides; it must be one of the node's deciders, if it names any. */
  readonly by: string;
  readonly comment?: string | undefined;
  /** What the form holds, if the node has one. */
  readonly form?: unknown;
  readonly payloadLimit?: number | undefined;
  readonly actId?: string | undefined;
  readonly hints: Hints;
}

/**
 * Votes on a human node. When enough people have confirmed, or one has rejected, the flow goes on at once. The same vote
 * again is a no-op.
 *
 * Throws `INSTANCE_NOT_FOUND`, `STEP_NOT_FOUND` when it is no human node, `DECISION_FORBIDDEN` for somebody who may not
 * decide, `DECISION_CONFLICT` for one who has decided otherwise, `DECISION_NOT_OPEN` when nothing is to be decided,
 * `INPUT_INVALID` when the form does not fit its schema, `INSTANCE_TERMINAL`.
 */
export const decide = (db: Database, graphs: GraphCache, params: DecideParams): Promise<Operated> => {
  const by = assertPerson("by", params.by);
  const comment = assertText("comment", params.comment);
  const { step, kind, form } = params;
  if (kind !== "confirm" && kind !== "reject") {
    throw new FloxyError("OPTION_INVALID", `a decision is "confirm" or "reject", not ${quote(String(kind))}`);
  }
  const formText = form === undefined ? null : encodePayload(form, "the form", params.payloadLimit);
  const { instanceId, hints, actId } = params;
  const base = { instanceId, hints, actId, requestedBy: by, reason: comment ?? undefined };
  return operate(db, graphs, "decide", base, async (loaded, tx) => {
    const node = humanOf(loaded.graph, step);
    const voted = loaded.state.votes.get(step)?.find((vote) => vote.by === by);
    if (voted !== undefined && voted.kind === kind) return null;
    assertGoingOn(loaded, "decided");
    assertMayDecide(loaded, node, by);
    if (voted !== undefined) throw conflict(step, by, voted.kind);
    assertOpen(loaded, node);
    if (kind === "confirm") assertForm(node, formText);
    await insertVote(tx, { instanceId, node: step, voter: by, kind, comment, form: formText });
    const data = { by, kind, ...(comment !== null && { comment }) };
    return { decision: { review: true }, node: step, data: { kind }, event: { type: "decision.made", data } };
  });
};

const humanOf = (graph: Graph, step: string): HumanNode => {
  const node = graph.nodes.get(step);
  if (node?.kind === "human") return node;
  const { name, version } = graph.definition;
  const what = node === undefined ? "is no node" : `is a ${node.kind}, not a human node,`;
  throw new FloxyError("STEP_NOT_FOUND", `${quote(String(step))} ${what} of definition '${name}' version ${version}`, {
    data: { step },
  });
};

const assertMayDecide = ({ state }: Loaded, node: HumanNode, by: string): void => {
  const deciders = decidersOf(node, state.steps.get(node.name));
  if (deciders === undefined || deciders.includes(by)) return;
  const message = `${quote(by)} may not decide '${node.name}'; ${deciders.map((name) => quote(name)).join(", ")} may`;
  throw new FloxyError("DECISION_FORBIDDEN", message, { data: { step: node.name, deciders } });
};

const assertOpen = ({ instanceId, state }: Loaded, { name }: HumanNode): void => {
  const status = state.steps.get(name)?.status;
  if (state.status === "running" && status === "waiting_decision") return;
  const why =
    status === undefined
      ? "it has not been reached yet"
      : status === "waiting_decision"
        ? `the instance is ${quote(state.status)}`
        : `it is ${quote(status)}`;
  throw new FloxyError("DECISION_NOT_OPEN", `'${name}' of instance ${instanceId} waits for no decision: ${why}`, {
    data: { instanceId, step: name, status },
  });
};

const assertForm = ({ name, json: { formSchema } }: HumanNode, form: string | null): void => {
  if (formSchema === undefined) return;
  const problems = checkAgainstSchema(formSchema, JSON.parse(form ?? "null") as Json);
  if (problems.length === 0) return;
  const list = problems.map(({ path, message }) => `${path || "form"}: ${message}`).join("; ");
  throw new FloxyError("INPUT_INVALID", `the form of '${name}' does not fit its schema: ${list}`, { problems });
};

const conflict = (step: string, by: string, kind: string): FloxyError =>
  new FloxyError("DECISION_CONFLICT", `${quote(by)} has decided '${step}' before: ${kind}. A vote cannot be changed.`, {
    data: { step, by, kind },
  });
