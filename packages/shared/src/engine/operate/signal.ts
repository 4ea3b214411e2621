/** Sending signals to instances. */
import type { Database } from "../../store/executor.ts";
import { insertSignal } from "../../store/operator.ts";
import { newId } from "../../vocabulary/id.ts";
import { encodePayload } from "../../vocabulary/json-check.ts";
import { assertName } from "../../vocabulary/name.ts";
import type { GraphCache } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import type { Operated } from "./operate.ts";
import { assertGoingOn, assertPerson, operate } from "./operate.ts";

/** A signal. */
export interface SignalParams {
  readonly instanceId: string;
  readonly name: string;
  /** Any JSON; by default `null`. */
  readonly payload?: unknown;
  /** The same id again is the same signal: it arrives once. By default every call is a signal of its own. */
  readonly signalId?: string | undefined;
  /** Who sends it; kept for the audit. */
  readonly sentBy: string;
  readonly payloadLimit?: number | undefined;
  readonly actId?: string | undefined;
  readonly hints: Hints;
}

/**
 * Sends a signal. A node that waits for it takes it at once; else it is kept until one does. Signals of one name are taken
 * in the order in which they arrived. Throws `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`, `NAME_INVALID`, and for payloads
 * that cannot be stored.
 */
export const sendSignal = (db: Database, graphs: GraphCache, params: SignalParams): Promise<Operated> => {
  const { instanceId, name, actId, hints } = params;
  assertName("signal", name);
  const sentBy = assertPerson("sentBy", params.sentBy);
  const signalId = assertPerson("signalId", params.signalId ?? newId());
  const payload = encodePayload(params.payload ?? null, "the payload", params.payloadLimit);
  return operate(db, graphs, "signal", { instanceId, requestedBy: sentBy, actId, hints }, async (loaded, tx) => {
    // First, because a repeat is a no-op also when the signal has led the instance to its end.
    if (!(await insertSignal(tx, { instanceId, signalId, name, payload, sentBy }))) return null;
    assertGoingOn(loaded, "sent a signal");
    const data = { name, signalId };
    return { decision: { review: true }, data, event: { type: "signal.received", data } };
  });
};
