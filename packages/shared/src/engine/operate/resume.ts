/** Resuming failed instances, and changing the priority of those that go on. */
import { needsOfRestart } from "../../core/needs.ts";
import { resume } from "../../core/operate.ts";
import type { Database } from "../../store/executor.ts";
import { prepareResume, updatePriority } from "../../store/operator.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import { encodePayload } from "../../vocabulary/json-check.ts";
import { quote } from "../../vocabulary/quote.ts";
import type { GraphCache } from "../graphs.ts";
import { gatherPayloads, InstancePayloads } from "../payloads.ts";
import { assertInput, assertPriority } from "../start-check.ts";
import type { Operated, OperateParams } from "./operate.ts";
import { assertGoingOn, loadOne, operate } from "./operate.ts";

/** How to resume an instance. */
export interface ResumeParams extends OperateParams {
  /**
   * Another value for what comes next: in place of what the savepoint passes on, or of the instance's input when the
   * rollback went back to the beginning.
   */
  readonly input?: unknown;
  readonly payloadLimit?: number | undefined;
}

/**
 * Lets a failed instance go forward again from the savepoint at which its rollback stopped, or from the beginning. What
 * comes after is run anew, with idempotency keys of its own; the instance has no deadline any more.
 *
 * Throws `INSTANCE_NOT_FOUND`, `INSTANCE_NOT_FAILED`, `INPUT_INVALID` when the instance's input does not fit its schema.
 */
export const resumeInstance = (db: Database, graphs: GraphCache, params: ResumeParams): Promise<Operated> =>
  operate(db, graphs, "resume", params, async (found, tx) => {
    const { instanceId } = params;
    const { status, boundary } = found.state;
    if (status !== "failed") {
      const message = `instance ${instanceId} is ${quote(status)}; only a failed instance can be resumed`;
      throw new FloxyError("INSTANCE_NOT_FAILED", message, { data: { instanceId, status } });
    }
    const value = params.input === undefined ? null : encodePayload(params.input, "the input", params.payloadLimit);
    if (value !== null && boundary === null) assertInput(found.graph, JSON.parse(value) as Json);
    const before = await prepareResume(tx, { instanceId, savepoint: boundary, value });
    const { graph, state } = await loadOne(tx, graphs, instanceId);
    const needs = needsOfRestart(graph, state);
    const payloads = (await gatherPayloads(tx, [{ instanceId, needs }])).get(instanceId) ?? new InstancePayloads();
    const kept = value === null ? {} : { input: JSON.parse(value) as Json, before: JSON.parse(before) as Json };
    return { decision: resume(graph, state, payloads), data: { savepoint: boundary, ...kept } };
  });

/** Gives an instance another priority, 0 to 100, also for its steps that wait. Throws `OPTION_INVALID` and as cancelling. */
export const reprioritise = (
  db: Database,
  graphs: GraphCache,
  params: OperateParams & { readonly priority: number },
): Promise<Operated> =>
  operate(db, graphs, "reprioritise", params, async (loaded, tx) => {
    const priority = assertPriority(params.priority);
    assertGoingOn(loaded, "given another priority");
    await updatePriority(tx, { instanceId: params.instanceId, priority });
    const data = { priority };
    return { decision: {}, data, event: { type: "instance.reprioritised", data } };
  });
