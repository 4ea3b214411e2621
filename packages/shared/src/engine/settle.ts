/** Settling attempts: the core says what follows from each result, the store writes it all in one statement. */
import { advance, isDlqMode } from "../core/advance.ts";
import { isContained } from "../core/flow.ts";
import type { Advance, Enqueue, Payloads } from "../core/model.ts";
import type { Needs } from "../core/needs.ts";
import { needsAfter } from "../core/needs.ts";
import { decideRetry, retryPolicyOf } from "../core/retry.ts";
import { toStepError } from "../core/step-error.ts";
import type { Graph, TaskNode } from "../definition/graph.ts";
import { taskOf } from "../definition/graph.ts";
import type { CompleteParams } from "../store/complete.ts";
import { complete, isPlain } from "../store/complete.ts";
import { isTransient } from "../store/database-error.ts";
import type { Database, Executor } from "../store/executor.ts";
import type { LeasedStep, LeaseRef } from "../store/queue.ts";
import type { OnFail, Settlement, SettleParams, SettleResult } from "../store/settle.ts";
import { lockLeases, mayFreeze, settle } from "../store/settle.ts";
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
  /** The step as it was leased; without it, nothing that follows can be taken. */
  readonly leased?: LeasedStep | undefined;
}

/** What a worker would run at once of the steps that follow, without their waiting in the queue. */
export interface Take {
  /** The handlers for which it has a free slot: a step is taken only if nothing that waits for one of these comes first. */
  readonly handlers: CompleteParams["handlers"];
  /** Asked for each step; says whether there is a slot for one more of this handler. */
  readonly wants: (handler: string) => boolean;
  readonly leaseMs: number;
  /** Gets the steps that were leased to the worker. */
  readonly taken: LeasedStep[];
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
  /** Set by a worker that would go on with what follows at once. */
  readonly take?: Take | undefined;
}

/**
 * Settles attempts, many at once. Answers one result per attempt, in order. The same call may be repeated when its answer
 * was lost. An attempt that the database refuses for what it holds is failed on its own and does not hold up the others.
 */
export const settleAttempts = async (db: Database, params: SettleAttemptsParams): Promise<SettleResult[]> => {
  const { attempts, onlyExpired = false, isRepeat = false } = params;
  const settlements = await decideAll(db, params);
  const results = settlements.map((): SettleResult => "lost");
  // Nearly all go the short way. Whether one was written before, and what fails an instance, only the long way can tell.
  const isShort = (settlement: Settlement): boolean => !onlyExpired && !isRepeat && isPlain(settlement);
  const ways: readonly [boolean, typeof settleAll][] = [
    [false, settleAll],
    [true, completeAll],
  ];
  for (const [short, write] of ways) {
    const places = [...settlements.keys()].filter((index) => isShort(settlements[index] as Settlement) === short);
    if (places.length === 0) continue;
    const decided = places.map((index) => ({ settlement: settlements[index], attempt: attempts[index] }) as Decided);
    for (const [index, result] of (await write(db, decided, params)).entries())
      results[places[index] as number] = result;
  }
  return results;
};

/** An attempt, and what becomes of it. */
interface Decided {
  readonly settlement: Settlement;
  readonly attempt: FinishedAttempt;
}

const settleAll = async (
  db: Database,
  decided: readonly Decided[],
  params: SettleAttemptsParams,
): Promise<SettleResult[]> => {
  const results = await settleIsolated(
    db,
    decided.map(({ settlement }) => settlement),
    params,
  );
  for (const [index, { settlement, attempt }] of decided.entries()) {
    if (results[index] !== "lost") hint(params.hints, settlement, attempt.lane, results[index]);
  }
  return results;
};

const completeAll = async (
  db: Database,
  decided: readonly Decided[],
  params: SettleAttemptsParams,
): Promise<SettleResult[]> => {
  const { workerId, hints, take } = params;
  const completions = decided.map(({ settlement, attempt }) =>
    Object.assign(settlement, { take: wishesOf(settlement, attempt, take) }),
  );
  const call = { completions, workerId, handlers: take?.handlers ?? [], leaseMs: take?.leaseMs ?? 0 };
  const written = await complete(db, call).catch((error: unknown) => {
    if (isTransient(error)) throw error;
  });
  // One of them cannot be written. The long way finds out which.
  if (written === undefined) return settleAll(db, decided, params);
  const { results, taken, noted, ready } = written;
  if (noted) hints.review = true;
  for (const handler of ready) hints.ready.add(handler);
  // By place: what follows a step can be one and the same object for all instances.
  const isTaken = new Set<string>();
  for (const { completion, place, ...lease } of taken) {
    const { settlement, attempt } = decided[completion] as Decided;
    const step = settlement.advance?.enqueue[place];
    if (step === undefined || attempt.leased === undefined) continue;
    isTaken.add(`${completion} ${place}`);
    take?.taken.push(successor(attempt.leased, settlement.output, step, lease));
  }
  for (const [index, { settlement }] of decided.entries()) {
    const { instanceId, advance } = settlement;
    if (results[index] !== "settled" || advance === null) continue;
    const enqueue = advance.enqueue.filter((_, place) => !isTaken.has(`${index} ${place}`));
    hintAdvance(hints, instanceId, { ...advance, enqueue });
  }
  return sayWhyLost(db, decided, results, params);
};

// What is not in the queue any more was either written before, by a call whose answer was lost, or is refused.
const sayWhyLost = async (
  db: Database,
  decided: readonly Decided[],
  results: readonly SettleResult[],
  params: SettleAttemptsParams,
): Promise<SettleResult[]> => {
  const lost = [...results.keys()].filter((index) => results[index] === "lost");
  if (lost.length === 0) return [...results];
  const some = lost.map((index) => decided[index] as Decided);
  const said = await settleAll(db, some, { ...params, isRepeat: true });
  return results.map((result, index) => (result === "lost" ? (said[lost.indexOf(index)] ?? "lost") : result));
};

// Only what gets this step's output as it is: the value of another row would have to be read.
const wishesOf = ({ node, advance }: Settlement, { leased }: FinishedAttempt, take: Take | undefined): boolean[] =>
  advance === null || take === undefined || leased === undefined
    ? []
    : advance.enqueue.map(
        ({ handler, delayMs, inputFrom }) => inputFrom === node && delayMs === 0 && take.wants(handler),
      );

/** The step that comes after one that this worker ran, leased to it too. */
const successor = (
  { instanceId, definitionName, definitionVersion, metadata }: LeasedStep,
  output: string | null,
  { node, lane, handler, inputFrom }: Enqueue,
  lease: Pick<LeasedStep, "token" | "priority" | "run" | "key">,
): LeasedStep => ({
  ...lease,
  ...{ instanceId, node, lane, handler, attempt: 1, definitionName, definitionVersion, metadata, inputFrom },
  ...{ value: output ?? "null", input: null, stepInput: null, output: null, outcome: null, cause: null },
});
/** What becomes of each attempt, and what follows from it. */
export const decideAll = async (db: Executor, params: SettleAttemptsParams): Promise<Settlement[]> => {
  const wanted: { instanceId: string; needs: Needs }[] = [];
  for (const { lane, result, graph, node, instanceId } of params.attempts) {
    if (lane !== "forward" || result.kind !== "completed") continue;
    const task = taskOf(graph, node);
    if (!fixedAdvances.has(task)) wanted.push({ instanceId, needs: needsAfter(graph, task) });
  }
  const payloads = await gatherPayloads(db, wanted);
  return params.attempts.map((attempt) => decide(attempt, payloads.get(attempt.instanceId), params.random));
};

const decide = (attempt: FinishedAttempt, payloads: InstancePayloads | undefined, random: () => number): Settlement => {
  const { instanceId, node, token, result } = attempt;
  const onFail = onFailOf(attempt);
  const base = { instanceId, node, token, onFail, error: null, outcome: null, delayMs: 0 };
  switch (result.kind) {
    case "released":
      return { ...base, ...nothing, verdict: "released" };
    case "failed":
      return { ...base, ...nothing, ...judgeFailure(attempt, result, random) };
    case "completed":
      try {
        const { output } = result;
        const advance = follow(attempt, output, payloads);
        return {
          instanceId,
          node,
          token,
          onFail,
          verdict: "completed",
          output,
          error: null,
          outcome: null,
          delayMs: 0,
          advance,
        };
      } catch (error) {
        return { ...base, ...nothing, ...defect(error) };
      }
  }
};

const nothing = { output: null, advance: null } as const;

const onFailOf = ({ graph, node }: FinishedAttempt): OnFail => {
  if (isDlqMode(graph)) return "pause";
  return isContained(taskOf(graph, node)) ? "contain" : "freeze";
};

const follow = (
  { lane, graph, node }: FinishedAttempt,
  output: string,
  loaded: InstancePayloads | undefined,
): Advance | null => {
  if (lane === "compensation") return null;
  const task = taskOf(graph, node);
  const fixed = fixedAdvances.get(task);
  if (fixed !== undefined) return fixed;
  const payloads = loaded ?? new InstancePayloads();
  payloads.add(node, output, null);
  let hasLooked = false;
  const watched: Payloads = {
    get input() {
      hasLooked = true;
      return payloads.input;
    },
    get rows() {
      hasLooked = true;
      return payloads.rows;
    },
  };
  const found = advance(graph, task, node, watched);
  if (!hasLooked) fixedAdvances.set(task, found);
  return found;
};

/** What follows from tasks where no payload was looked at to find out: it is the same in every instance. */
const fixedAdvances = new WeakMap<TaskNode, Advance>();

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

const write = (db: Database, params: SettleParams): Promise<SettleResult[]> =>
  db.transaction((tx) => lockAndSettle(tx, params));

/** Settles what the transaction has not locked yet, each lock by a statement of its own. */
export const lockAndSettle = async (tx: Executor, params: SettleParams): Promise<SettleResult[]> => {
  const { settlements } = params;
  await lockInstances(tx, [...new Set(settlements.map(({ instanceId }) => instanceId))]);
  await lockLeases(tx, settlements);
  return settle(tx, params);
};

// One attempt that cannot be written must not keep the others from being: the batch is halved until it stands alone.
const settleIsolated = async (
  db: Database,
  settlements: readonly Settlement[],
  params: SettleAttemptsParams,
): Promise<SettleResult[]> => {
  const { workerId, onlyExpired = false } = params;
  try {
    return await write(db, { settlements, workerId, onlyExpired });
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
