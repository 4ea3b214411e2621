/** Settling attempts: the core says what follows from each result, the store writes it all in one statement. */
import { advance, isDlqMode } from "../core/advance.ts";
import { isContained } from "../core/flow.ts";
import type { Advance } from "../core/model.ts";
import { needsAfter } from "../core/needs.ts";
import { decideRetry, retryPolicyOf } from "../core/retry.ts";
import { toStepError } from "../core/step-error.ts";
import type { Graph } from "../definition/graph.ts";
import { taskOf } from "../definition/graph.ts";
import { isTransient } from "../store/database-error.ts";
import type { Database, Executor } from "../store/executor.ts";
import type { LeaseRef } from "../store/queue.ts";
import type { OnFail, Settlement, SettleParams, SettleResult } from "../store/settle.ts";
import { mayFreeze, settle } from "../store/settle.ts";
import { lockInstances } from "../store/state.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Lane } from "../vocabulary/status.ts";
import type { Hints } from "./hints.ts";
import { hintAdvance } from "./hints.ts";
import { gatherPayloads, InstancePayloads } from "./payloads.ts";

/** What a handler call came to. */
export type AttemptResult =
  | { readonly kind: "completed"; readonly output: string }
  | {
      readonly kind: "failed";
      readonly error: StepError;
      /** Whether another attempt could help. */
      readonly retryable: boolean;
      readonly retryAfterMs?: number | undefined;
      /** Whether the handler was called in this attempt. */
      readonly called: boolean;
    }
  | { readonly kind: "released" };

/** A leased step with the result of its attempt. */
export interface FinishedAttempt extends LeaseRef {
  readonly lane: Lane;
  readonly attempt: number;
  readonly graph: Graph;
  readonly result: AttemptResult;
}

/** The parameters of {@link settleAttempts}. */
export interface SettleAttemptsParams {
  readonly attempts: readonly FinishedAttempt[];
  readonly workerId: string;
  /** Gives numbers from 0 to below 1, for jitter. */
  readonly random: () => number;
  readonly onlyExpired?: boolean;
  /** Whether these were sent before and the answer was lost: that statement may still be waiting for an instance. */
  readonly isRepeat?: boolean;
  /** Collects what is worth telling others. */
  readonly hints: Hints;
}

/**
 * Settles attempts, many in one statement. Answers one result per attempt, in order. The same call may be repeated when
 * its answer was lost. An attempt that the database refuses for what it holds is failed on its own and does not hold up
 * the others.
 */
export const settleAttempts = async (db: Database, params: SettleAttemptsParams): Promise<SettleResult[]> => {
  const settlements = await decideAll(db, params);
  const results = await settleIsolated(db, settlements, params);
  for (const [index, settlement] of settlements.entries()) {
    if (results[index] !== "lost") hint(params.hints, settlement, params.attempts[index]?.lane, results[index]);
  }
  return results;
};

/** What becomes of each attempt, and what follows from it. */
export const decideAll = async (db: Executor, params: SettleAttemptsParams): Promise<Settlement[]> => {
  const flowing = params.attempts.filter(({ lane, result }) => lane === "forward" && result.kind === "completed");
  const wanted = flowing.map(({ instanceId, graph, node }) => ({
    instanceId,
    needs: needsAfter(graph, taskOf(graph, node)),
  }));
  const payloads = await gatherPayloads(db, wanted);
  return params.attempts.map((attempt) => decide(attempt, payloads.get(attempt.instanceId), params.random));
};

const decide = (attempt: FinishedAttempt, payloads: InstancePayloads | undefined, random: () => number): Settlement => {
  const { instanceId, node, token, result } = attempt;
  const onFail = onFailOf(attempt);
  const base = { instanceId, node, token, onFail, output: null, error: null, outcome: null, delayMs: 0, advance: null };
  switch (result.kind) {
    case "released":
      return { ...base, verdict: "released" };
    case "failed":
      return { ...base, ...judgeFailure(attempt, result, random) };
    case "completed":
      try {
        return {
          ...base,
          verdict: "completed",
          output: result.output,
          advance: follow(attempt, result.output, payloads),
        };
      } catch (error) {
        return { ...base, ...defect(error) };
      }
  }
};

const onFailOf = ({ graph, node }: FinishedAttempt): OnFail => {
  if (isDlqMode(graph)) return "pause";
  return isContained(taskOf(graph, node)) ? "contain" : "freeze";
};

const follow = (
  { lane, graph, node }: FinishedAttempt,
  output: string,
  payloads = new InstancePayloads(),
): Advance | null => {
  if (lane === "compensation") return null;
  payloads.add(node, output, null);
  return advance(graph, taskOf(graph, node), node, payloads);
};

const judgeFailure = (
  { graph, node, lane, attempt }: FinishedAttempt,
  failure: Extract<AttemptResult, { kind: "failed" }>,
  random: () => number,
): Pick<Settlement, "verdict" | "error" | "outcome" | "delayMs"> => {
  const policy = retryPolicyOf(taskOf(graph, node).json, lane);
  const { retryable, retryAfterMs, called } = failure;
  const delayMs = decideRetry({ policy, attempt, retryable, retryAfterMs, random: random() });
  const error = JSON.stringify(failure.error);
  if (delayMs !== null) return { verdict: "retry", error, outcome: null, delayMs };
  // A first attempt that never reached its handler has had no effect for certain.
  return { verdict: "failed", error, outcome: called || attempt > 1 ? "unknown" : "absent", delayMs: 0 };
};

const defect = (error: unknown): Pick<Settlement, "verdict" | "error" | "outcome"> => ({
  verdict: "failed",
  error: JSON.stringify(toStepError(error, "the result could not be written: ", "INTERNAL")),
  outcome: "unknown",
});

// A repeat locks the instances by a statement before, as a freeze does: in one statement it would wait for the first one to
// end and then not see what that has written.
const write = (db: Database, params: SettleParams, isRepeat = false): Promise<SettleResult[]> => {
  const { settlements } = params;
  if (!isRepeat && !settlements.some(mayFreeze)) return settle(db, params);
  return db.transaction(async (tx) => {
    await lockInstances(tx, [...new Set(settlements.map(({ instanceId }) => instanceId))]);
    return settle(tx, params);
  });
};

// One attempt that cannot be written must not keep the others from being: the batch is halved until it stands alone.
const settleIsolated = async (
  db: Database,
  settlements: readonly Settlement[],
  params: SettleAttemptsParams,
): Promise<SettleResult[]> => {
  const { workerId, onlyExpired = false, isRepeat } = params;
  try {
    return await write(db, { settlements, workerId, onlyExpired }, isRepeat);
  } catch (error) {
    if (isTransient(error)) throw error;
    const [only] = settlements;
    if (settlements.length === 1 && only !== undefined) {
      if (only.verdict !== "completed") throw error;
      const failed: Settlement = { ...only, output: null, advance: null, ...defect(error) };
      return write(db, { settlements: [failed], workerId, onlyExpired });
    }
    const middle = settlements.length >> 1;
    return [
      ...(await settleIsolated(db, settlements.slice(0, middle), params)),
      ...(await settleIsolated(db, settlements.slice(middle), params)),
    ];
  }
};

/** Adds what a settlement that was written has made possible. */
export const hint = (
  hints: Hints,
  settlement: Settlement,
  lane: Lane | undefined,
  result: SettleResult | undefined,
): void => {
  const { verdict, delayMs, instanceId } = settlement;
  const again = verdict === "retry" || verdict === "released";
  if (result === "adopted" || lane === "compensation" || verdict === "failed") hints.review = true;
  else if (settlement.advance !== null) hintAdvance(hints, instanceId, settlement.advance);
  if (again && delayMs > 0) hints.delayed = true;
  // The instance is frozen with it, so that handlers of its other branches should stop.
  if (lane === "forward" && result === "settled" && mayFreeze(settlement)) hints.abort.add(instanceId);
};
