/** Cancelling and aborting. */
import { abort, cancel } from "../../core/operate.ts";
import type { Database } from "../../store/executor.ts";
import type { ErrorCode, StepError } from "../../vocabulary/error.ts";
import type { GraphCache } from "../graphs.ts";
import type { Operated, OperateParams } from "./operate.ts";
import { assertGoingOn, operate } from "./operate.ts";

/**
 * Cancels an instance: from now on nothing of it goes forward, all that it has done is undone, savepoints or not, and then
 * it is `cancelled`. Again is a no-op. Throws `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`.
 */
export const cancelInstance = (db: Database, graphs: GraphCache, params: OperateParams): Promise<Operated> =>
  operate(db, graphs, "cancel", params, (loaded) => {
    const { state } = loaded;
    assertGoingOn(loaded, "cancelled");
    if (state.status === "cancelling" || state.pausedFrom === "cancelling") return null;
    return { decision: cancel(state, causeOf("INSTANCE_CANCELLED", "cancelled", params)) };
  });

/**
 * Ends an instance where it stands, `aborted`: nothing is undone, handlers that run are told to stop, and nothing of it
 * runs afterwards. Throws `INSTANCE_NOT_FOUND`, `INSTANCE_TERMINAL`.
 */
export const abortInstance = (db: Database, graphs: GraphCache, params: OperateParams): Promise<Operated> =>
  operate(db, graphs, "abort", params, (loaded) => {
    assertGoingOn(loaded, "aborted");
    return { decision: abort(loaded.state, causeOf("INSTANCE_ABORTED", "aborted", params)) };
  });

const causeOf = (code: ErrorCode, what: string, { requestedBy, reason }: OperateParams): StepError => ({
  code,
  message: reason === undefined ? `${what} by ${requestedBy}` : `${what} by ${requestedBy}: ${reason}`,
});
