/** Settling in memory: the same as the one statement of `store/settle.ts`, one of its parts after the other. */
import type { Settlement, SettleParams, SettleResult } from "../store/settle.ts";
import type { EventType } from "../vocabulary/event.ts";
import type { Json } from "../vocabulary/json.ts";
import type { Outcome } from "../vocabulary/status.ts";
import { bury } from "./dead-letter.ts";
import { putQueued } from "./enqueue.ts";
import { tell } from "./event.ts";
import { note } from "./inbox.ts";
import type { StoredInstance, StoredQueued, StoredStep } from "./rows.ts";
import { finishedNow, putRecord, putStep, recordEvent } from "./step-row.ts";
import type { Tables } from "./tables.ts";
import { instanceOf, jsonText, parse, priorityKey } from "./tables.ts";
import { removeTimers } from "./timer.ts";

/** A settlement whose lease is held, with its instance and its row of the queue as they were before. */
export interface Held {
  readonly ordinal: number;
  readonly settlement: Settlement;
  readonly instance: StoredInstance;
  readonly queued: StoredQueued;
  /** Whether the instance still goes forward in the epoch that the step was queued in. */
  readonly live: boolean;
}

/** What fails an instance in this call. */
interface Failing {
  readonly ordinal: number;
  readonly cause: string | null;
}

/** What becomes of it. */
export interface Judged extends Held {
  /** Whether it goes back into the queue. */
  readonly again: boolean;
  /** Whether the graph goes on behind it. */
  readonly flows: boolean;
  readonly known: Outcome;
  readonly pauses: boolean;
  /** The token that is kept, so that a repeat of the call is recognised; a take-over leaves none. */
  readonly ownToken: number | null;
}

/** See {@link import("../store/settle.ts").settle}. */
export const settle = (tables: Tables, params: SettleParams): SettleResult[] => {
  const { settlements, workerId, onlyExpired = false } = params;
  const held = settlements.flatMap((settlement, ordinal) => hold(tables, settlement, ordinal, onlyExpired));
  const repeated = onlyExpired ? settlements.map(() => false) : settlements.map((one) => isRepeated(tables, one));
  const failing = failingOf(held);
  // It is nothing to compensations that their instance fails.
  const failingWith = ({ queued: { lane, instanceId } }: Held): Failing | undefined =>
    lane === "forward" ? failing.get(instanceId) : undefined;
  const judged = held.map((one) => judge(one, failingWith(one), onlyExpired));
  for (const one of judged) leaveQueue(tables, one);
  const passed = judged.flatMap((one) => follow(tables, one));
  const finished = judged.filter((one) => one.flows && one.settlement.advance?.finished != null);
  for (const one of finished) finish(tables, one);
  const takenBack = [...failing].flatMap(([instanceId, { cause }]) => freeze(tables, instanceId, cause));
  for (const instanceId of new Set(judged.filter(isNoted).map(({ instance }) => instance.instanceId)))
    note(tables, instanceId);

  for (const one of judged) tell(tables, eventOf(one, onlyExpired));
  for (const row of passed) tell(tables, recordEvent(row));
  for (const { instance } of finished) tell(tables, { instanceId: instance.instanceId, type: "instance.completed" });
  for (const [instanceId, { cause }] of failing) {
    tell(tables, { instanceId, type: "instance.rolling_back", data: { cause: parse<Json>(cause) } });
  }
  for (const { instanceId, node, status, attempt, outcome } of takenBack) {
    const type: EventType = status === "skipped" ? "step.skipped" : "step.failed";
    tell(tables, { instanceId, type, node, attempt: attempt === 0 ? null : attempt, data: { outcome } });
  }

  const results = repeated.map((isRepeat): SettleResult => (isRepeat ? "settled" : "lost"));
  for (const { ordinal, live } of judged) results[ordinal] = live ? "settled" : "adopted";
  for (const [ordinal, { instanceId, node, verdict, token }] of settlements.entries()) {
    if (results[ordinal] !== "lost" || onlyExpired || instanceOf(tables, instanceId) === undefined) continue;
    tell(tables, { instanceId, type: "step.refused", node, workerId, data: { verdict, token } });
  }
  return results;
};

/** The settlement with what it is about, if its lease is held. */
export const hold = (tables: Tables, settlement: Settlement, ordinal: number, onlyExpired: boolean): Held[] => {
  jsonText(settlement.output);
  jsonText(settlement.error);
  const { instanceId, node, token } = settlement;
  const instance = instanceOf(tables, instanceId);
  const queued = tables.queue.get(instanceId, node);
  if (instance === undefined || queued?.token !== token) return [];
  if (onlyExpired && (queued.leaseUntil ?? 0) >= tables.clock.now) return [];
  const live = queued.lane === "compensation" || (instance.status === "running" && instance.epoch === queued.epoch);
  return [{ ordinal, settlement, instance, queued, live }];
};

const isRepeated = (tables: Tables, { instanceId, node, token }: Settlement): boolean =>
  tables.step.get(instanceId, node)?.token === token || tables.queue.get(instanceId, node)?.lastToken === token;

/** The instances that fail in this call, by the first settlement that makes them. */
const failingOf = (held: readonly Held[]): Map<string, Failing> => {
  const failing = new Map<string, Failing>();
  for (const { ordinal, settlement, instance, queued, live } of held) {
    if (!live || failing.has(instance.instanceId)) continue;
    const { verdict, onFail, error, advance } = settlement;
    const record = advance?.records.find(({ status, contained }) => status === "failed" && !contained);
    if (queued.lane === "forward" && verdict === "failed" && onFail === "freeze") {
      failing.set(instance.instanceId, { ordinal, cause: error });
    } else if (verdict === "completed" && record !== undefined) {
      failing.set(instance.instanceId, { ordinal, cause: record.error && JSON.stringify(record.error) });
    }
  }
  return failing;
};

/** Decides what becomes of a settlement, if something fails its instance in the same call or not. */
export const judge = (held: Held, failing: Failing | undefined, onlyExpired: boolean): Judged => {
  const { verdict, token, onFail } = held.settlement;
  const goesOn = held.live && failing === undefined;
  const live = held.live && (failing === undefined || failing.ordinal === held.ordinal);
  return {
    ...held,
    live,
    again: (verdict === "retry" || verdict === "released") && goesOn,
    flows: verdict === "completed" && goesOn,
    known: outcomeOf(held),
    pauses: live && held.queued.lane === "forward" && verdict === "failed" && onFail === "pause",
    ownToken: onlyExpired ? null : token,
  };
};

const outcomeOf = ({ settlement: { verdict, outcome }, queued }: Held): Outcome => {
  if (verdict === "completed") return "happened";
  if (queued.uncertain) return "unknown";
  if (verdict === "released" && queued.attempt <= 1) return "absent";
  return queued.transactional ? "absent" : (outcome ?? "unknown");
};

/** Puts the step back into the queue, or takes it out and writes what became of it. */
export const leaveQueue = (tables: Tables, judged: Judged): void => {
  const { queued, settlement, again, pauses, ownToken } = judged;
  const { instanceId, node, lane, attempt, handler } = queued;
  if (again) {
    requeue(tables, judged);
    return;
  }
  tables.queue.delete(instanceId, node);
  if (lane === "forward") putStep(tables, forwardStep(tables, judged));
  else if (tables.step.get(instanceId, node) !== undefined) {
    const status = settlement.verdict === "completed" ? "rolled_back" : "paused";
    const error = { compensationAttempt: attempt, compensationError: settlement.error };
    putStep(tables, { instanceId, node, status, ...error, token: ownToken });
  }
  if (pauses || (lane === "compensation" && settlement.verdict !== "completed")) {
    bury(tables, { instanceId, node, kind: lane, error: settlement.error, attempt, handler });
  }
};

const requeue = (tables: Tables, { queued, settlement: { verdict, delayMs }, ownToken }: Judged): void => {
  const readyAt = tables.clock.now + delayMs;
  tables.queue.put({
    ...queued,
    state: delayMs > 0 ? "delayed" : "ready",
    readyAt,
    key: priorityKey(readyAt, queued.priority, queued.lane),
    attempt: verdict === "released" ? queued.attempt - 1 : queued.attempt,
    token: null,
    lastToken: ownToken,
    leasedAt: null,
    leaseUntil: null,
    workerId: null,
  });
};

const forwardStep = (tables: Tables, { queued, settlement, known, pauses, ownToken }: Judged) => {
  const { instanceId, node, attempt, inputFrom, workerId, leasedAt: startedAt, run, input } = queued;
  const { verdict, output, error } = settlement;
  const absent = known === "absent" && verdict === "released" ? "skipped" : "failed";
  const status: StoredStep["status"] = known === "happened" ? "completed" : pauses ? "paused" : absent;
  const result = { status, outcome: known, attempt, inputFrom, output, error, token: ownToken, workerId, startedAt };
  return { instanceId, node, ...result, ...finishedNow(tables), run, input };
};

/** Writes the nodes that the flow has passed and queues those that it leads to; answers the rows of the former. */
export const follow = (tables: Tables, { instance, settlement, live, flows }: Judged): StoredStep[] => {
  const { verdict, advance } = settlement;
  if (advance === null || !live || verdict !== "completed") return [];
  const passed = advance.records.map((record) => putRecord(tables, instance.instanceId, instance.run, record));
  for (const { instanceId, node, status, error } of passed) {
    if (status === "paused") bury(tables, { instanceId, node, kind: "forward", error, attempt: 0, handler: null });
  }
  if (flows) for (const step of advance.enqueue) putQueued(tables, instance, { ...step, lane: "forward" });
  return passed;
};

/** Ends an instance whose flow has come to its end. */
export const finish = (tables: Tables, { instance, settlement: { advance } }: Judged): void => {
  const { instanceId } = instance;
  const outputFrom = advance?.finished?.outputFrom ?? null;
  tables.instance.put({ ...instance, status: "completed", outputFrom, finishedAt: tables.clock.now });
  removeTimers(tables, instanceId);
};

/** Freezes an instance; answers the rows of the steps that were taken back from the queue. */
const freeze = (tables: Tables, instanceId: string, cause: string | null): StoredStep[] => {
  const instance = instanceOf(tables, instanceId) as StoredInstance;
  tables.instance.put({ ...instance, status: "rolling_back", epoch: instance.epoch + 1, cause });
  return tables.queue
    .of(instanceId)
    .filter(({ lane, state }) => lane === "forward" && state !== "leased")
    .map(({ node, attempt, inputFrom, input, run, transactional, uncertain }) => {
      tables.queue.delete(instanceId, node);
      const status = attempt === 0 && !uncertain ? "skipped" : "failed";
      const outcome = !uncertain && (attempt === 0 || transactional) ? "absent" : "unknown";
      return putStep(tables, { instanceId, node, status, outcome, attempt, inputFrom, input, run });
    });
};

const isNoted = ({ again, live, queued, settlement: { verdict, advance } }: Judged): boolean =>
  !again &&
  (queued.lane === "compensation" ||
    !live ||
    verdict !== "completed" ||
    (advance !== null && (advance.review || advance.joins !== null)));

/** The event that tells of a settlement. */
export const eventOf = (judged: Judged, onlyExpired: boolean) => {
  const { queued, settlement, again, known } = judged;
  const { instanceId, node, lane, attempt, workerId } = queued;
  const type = onlyExpired ? "lease.expired" : eventTypeOf(judged);
  if (settlement.verdict === "completed") return { instanceId, type, node, attempt, workerId };
  const data: Record<string, Json> = {
    ...(settlement.error !== null && { error: parse<Json>(settlement.error) }),
    ...(again && { delayMs: settlement.delayMs }),
    ...(!again && lane === "forward" && { outcome: known }),
  };
  return { instanceId, type, node, attempt, workerId, data };
};

const eventTypeOf = ({ queued: { lane }, settlement: { verdict }, again, live, pauses }: Judged): EventType => {
  if (verdict === "released") return "step.released";
  if (lane === "compensation") {
    if (verdict === "completed") return "step.rolled_back";
    return again ? "compensation.retried" : "compensation.failed";
  }
  if (verdict === "completed") return live ? "step.completed" : "step.adopted";
  if (again) return "step.retried";
  return pauses ? "step.dead_lettered" : "step.failed";
};
