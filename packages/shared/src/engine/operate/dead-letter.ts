/** Dealing with dead letters: of steps that failed in DLQ mode, and of compensations that exhausted their attempts. */
import type { Needs } from "../../core/needs.ts";
import { needsAround } from "../../core/needs.ts";
import { discard, requeue, resolve, skipCompensation as skip } from "../../core/operate.ts";
import { nodeOf } from "../../definition/graph.ts";
import { checkAgainstSchema } from "../../definition/json-schema.ts";
import type { Database, Executor } from "../../store/executor.ts";
import type { DeadLetterRow } from "../../store/operator.ts";
import { getDeadLetters } from "../../store/operator.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import { encodePayload } from "../../vocabulary/json-check.ts";
import { quote } from "../../vocabulary/quote.ts";
import type { Lane } from "../../vocabulary/status.ts";
import type { GraphCache } from "../graphs.ts";
import { gatherPayloads, InstancePayloads } from "../payloads.ts";
import type { Loaded } from "../state.ts";
import type { Operated, OperateParams } from "./operate.ts";
import { assertGoingOn, operate } from "./operate.ts";

/** An act on the dead letter of a step. */
export interface DeadLetterParams extends OperateParams {
  readonly step: string;
  readonly payloadLimit?: number | undefined;
}

/** As {@link DeadLetterParams}, with another input if one is given. */
export interface RetryParams extends DeadLetterParams {
  readonly input?: unknown;
}

/**
 * Tries a step of a dead letter again, with its attempts counted from the start and another input if one is given.
 *
 * Throws `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`, `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, `STEP_NOT_IDEMPOTENT` when
 * the handler may be called only once and was, `INPUT_INVALID` when the input does not fit the handler's schema, and for
 * inputs that cannot be stored.
 */
export const requeueStep = (db: Database, graphs: GraphCache, params: RetryParams): Promise<Operated> =>
  operate(db, graphs, "requeue", params, async (loaded, tx) => {
    const letter = await letterOf(tx, loaded, params.step, "forward");
    assertCallable(loaded, params.step);
    const given = encodeInput(params);
    assertInput(loaded, params.step, given);
    const input = given ?? letter.input;
    const payloads = await payloadsAround(tx, loaded, params.step);
    return {
      ...outcome(requeue(loaded.graph, loaded.state, params.step, payloads), params.step, "step.requeued"),
      ...(given !== null && { data: { input: JSON.parse(given) as Json } }),
      ...(input !== null && { inputs: new Map([[params.step, input]]) }),
    };
  });

/**
 * Takes a step of a dead letter as completed with this output, as if its handler had returned it. Of a condition the
 * output is the side: `true` or `false`. Throws as {@link requeueStep}.
 */
export const resolveStep = (
  db: Database,
  graphs: GraphCache,
  params: DeadLetterParams & { readonly output: unknown },
): Promise<Operated> =>
  operate(db, graphs, "resolve", params, async (loaded, tx) => {
    await letterOf(tx, loaded, params.step, "forward");
    const text = encodePayload(params.output ?? null, "the output", params.payloadLimit);
    const output = JSON.parse(text) as Json;
    if (nodeOf(loaded.graph, params.step).kind === "condition" && typeof output !== "boolean") {
      const message = `condition '${params.step}' is resolved with true or false, not ${quote(text)}`;
      throw new FloxyError("OUTPUT_INVALID", message);
    }
    const payloads = await payloadsAround(tx, loaded, params.step);
    const decision = resolve(loaded.graph, loaded.state, params.step, output, payloads);
    return { ...outcome(decision, params.step, "step.resolved"), data: { output } };
  });

/** Gives up a step of a dead letter: its instance is rolled back. Throws as {@link requeueStep}. */
export const discardStep = (db: Database, graphs: GraphCache, params: DeadLetterParams): Promise<Operated> =>
  operate(db, graphs, "discard", params, async (loaded, tx) => {
    const { error } = await letterOf(tx, loaded, params.step, "forward");
    const reason = assertReason(params);
    const message = `step '${params.step}' was given up by ${params.requestedBy}: ${reason}. It had failed: ${error.message}`;
    const cause = { code: "DEAD_LETTER_DISCARDED", message } as const;
    return { decision: discard(loaded.state, cause), node: params.step, data: { error } };
  });

/** Calls a compensation of a dead letter again, with another input if one is given. Throws as {@link requeueStep}. */
export const retryCompensation = (db: Database, graphs: GraphCache, params: RetryParams): Promise<Operated> =>
  operate(db, graphs, "retry_compensation", params, async (loaded, tx) => {
    await letterOf(tx, loaded, params.step, "compensation");
    const input = encodeInput(params);
    return {
      ...outcome(
        requeue(loaded.graph, loaded.state, params.step, new InstancePayloads()),
        params.step,
        "step.requeued",
      ),
      ...(input !== null && { data: { input: JSON.parse(input) as Json }, inputs: new Map([[params.step, input]]) }),
    };
  });

/** Goes on without a compensation, because a person has dealt with it; the reason is required. Throws as {@link requeueStep}. */
export const skipCompensation = (db: Database, graphs: GraphCache, params: DeadLetterParams): Promise<Operated> =>
  operate(db, graphs, "skip_compensation", params, async (loaded, tx) => {
    const { error } = await letterOf(tx, loaded, params.step, "compensation");
    const data = { by: params.requestedBy, reason: assertReason(params) };
    const decision = skip(loaded.state, params.step);
    return { decision, node: params.step, data: { error }, event: { type: "compensation.skipped", data } };
  });

const outcome = (decision: ReturnType<typeof requeue>, node: string, type: "step.requeued" | "step.resolved") => ({
  decision,
  node,
  event: { type, data: null },
});

const letterOf = async (tx: Executor, loaded: Loaded, step: string, lane: Lane): Promise<DeadLetterRow> => {
  assertGoingOn(loaded, "changed");
  const { instanceId, graph, state } = loaded;
  if (!graph.nodes.has(step)) {
    const message = `${quote(String(step))} is no node of definition '${graph.definition.name}' version ${graph.definition.version}`;
    throw new FloxyError("STEP_NOT_FOUND", message, { data: { step } });
  }
  const letter = (await getDeadLetters(tx, [instanceId])).find(({ node }) => node === step);
  // One that fails is frozen at once, and only the next look takes its dead letters with it.
  const isLate = lane === "forward" && (state.status === "rolling_back" || state.status === "cancelling");
  if (letter?.lane === lane && !isLate) return letter;
  const advice = {
    forward: "it is the compensation that failed: use retryCompensation or skipCompensation",
    compensation: "it is the step itself that failed: use requeue, resolve or discard",
  };
  const none = isLate ? `its instance is ${quote(state.status)}, and is undone` : "it has no dead letter";
  const why = letter === undefined || isLate ? none : advice[lane];
  throw new FloxyError("DEAD_LETTER_NOT_FOUND", `step '${step}' of instance ${instanceId}: ${why}`, {
    data: { instanceId, step },
  });
};

// At most one call, ever, also when a person asks: nobody knows whether the first has had its effect.
const assertCallable = ({ graph, state }: Loaded, step: string): void => {
  const node = nodeOf(graph, step);
  if (node.kind !== "task" || node.json.idempotent !== false || state.steps.get(step)?.outcome === "absent") return;
  const message = `step '${step}' is not idempotent and was called; find out what it did, and then resolve or discard it`;
  throw new FloxyError("STEP_NOT_IDEMPOTENT", message, { data: { step } });
};

const encodeInput = ({ input, payloadLimit }: RetryParams): string | null =>
  input === undefined ? null : encodePayload(input, "the input", payloadLimit);

const assertInput = ({ graph }: Loaded, step: string, input: string | null): void => {
  if (input === null) return;
  const node = nodeOf(graph, step);
  if (node.kind !== "task") {
    throw new FloxyError("OPTION_INVALID", `'${step}' is a ${node.kind}: it calls no handler and takes no other input`);
  }
  const { inputSchema } = node.json;
  const problems = inputSchema === undefined ? [] : checkAgainstSchema(inputSchema, JSON.parse(input) as Json);
  if (problems.length === 0) return;
  const list = problems.map(({ path, message }) => `${path || "input"}: ${message}`).join("; ");
  const message = `the input does not fit handler '${node.json.handler}' of step '${step}': ${list}`;
  throw new FloxyError("INPUT_INVALID", message, { problems });
};

/** Checks that a reason was given. Throws `OPTION_INVALID`. */
export const assertReason = ({ reason }: Pick<OperateParams, "reason">): string => {
  if (reason !== undefined && reason.trim() !== "") return reason;
  throw new FloxyError("OPTION_INVALID", "this needs a reason, which is kept for whoever looks at the instance later");
};

const payloadsAround = async (
  tx: Executor,
  { instanceId, graph, state }: Loaded,
  step: string,
): Promise<InstancePayloads> => {
  const needs: Needs = needsAround(graph, nodeOf(graph, step), state.steps.get(step)?.inputFrom ?? null);
  return (await gatherPayloads(tx, [{ instanceId, needs }])).get(instanceId) ?? new InstancePayloads();
};
