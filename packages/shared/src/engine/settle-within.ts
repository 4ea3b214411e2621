/** Settling one attempt in a transaction that somebody else ends: with the writes of its handler, or not at all. */
import type { Executor } from "../store/executor.ts";
import type { SettleResult } from "../store/settle.ts";
import { FloxyError } from "../vocabulary/error.ts";
import type { FinishedAttempt, SettleAttemptsParams } from "./settle.ts";
import { decideAll, hint, lockAndSettle } from "./settle.ts";

/** The parameters of {@link settleWithin}. */
export type SettleWithinParams = Pick<SettleAttemptsParams, "workerId" | "random" | "hints">;

/**
 * Settles an attempt within the caller's transaction, which has locked no instance so far. Commit it when the answer is
 * `settled` or `adopted`, and only then use the hints. Roll it back when the answer is `lost`, and when this throws: a step
 * that completed is written as completed, or `INTERNAL` says that what follows from it could not be decided.
 *
 * The instance and the lease are locked by statements of their own. So a freeze sees what was queued meanwhile, and a repeat
 * sees what the transaction wrote that it had to wait for.
 */
export const settleWithin = async (
  tx: Executor,
  attempt: FinishedAttempt,
  params: SettleWithinParams,
): Promise<SettleResult> => {
  const [settlement] = await decideAll(tx, { ...params, attempts: [attempt] });
  if (settlement === undefined) throw new FloxyError("INTERNAL", "nothing was decided about the attempt");
  if (attempt.result.kind === "completed" && settlement.verdict !== "completed") {
    throw new FloxyError("INTERNAL", `what follows step '${attempt.node}' cannot be decided: ${settlement.error}`);
  }
  const [result = "lost"] = await lockAndSettle(tx, { settlements: [settlement], workerId: params.workerId });
  if (result !== "lost") hint(params.hints, settlement, attempt.lane, result);
  return result;
};
