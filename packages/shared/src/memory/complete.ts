/** Completing in memory: the same as the function of the database behind `store/complete.ts`. */
import type { ChainLink } from "../core/model.ts";
import type { CompleteParams, CompleteResult, Completion, TakenStep } from "../store/complete.ts";
import type { SettleResult } from "../store/settle.ts";
import { putQueued } from "./enqueue.ts";
import { tell } from "./event.ts";
import { note } from "./inbox.ts";
import type { StoredQueued } from "./rows.ts";
import type { Judged } from "./settle.ts";
import { eventOf, finish, follow, hold, judge, leaveQueue } from "./settle.ts";
import { putStep, recordEvent } from "./step-row.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { parse, waitsFor } from "./tables.ts";

/** See {@link import("../store/complete.ts").complete}. */
export const complete = (tables: Tables, params: CompleteParams): CompleteResult => {
  const { completions } = params;
  const judged = inOrder(completions).flatMap(([ordinal, completion]) =>
    hold(tables, completion, ordinal, false).map((held) => judge(held, undefined, false)),
  );
  const results = completions.map((): SettleResult => "lost");
  for (const { ordinal, live } of judged) results[ordinal] = live ? "settled" : "adopted";
  for (const one of judged) leaveQueue(tables, one);
  for (const one of judged) tell(tables, eventOf(one, false));
  const best = bestOf(tables, params.handlers);
  for (const row of judged.flatMap((one) => follow(tables, one))) tell(tables, recordEvent(row));
  const taken = tables.pause.isEmpty ? judged.flatMap((one) => take(tables, one, params, best)) : [];
  const finished = judged.filter(({ flows, settlement }) => flows && settlement.advance?.finished != null);
  for (const one of finished) finish(tables, one);
  for (const { instance } of finished) tell(tables, { instanceId: instance.instanceId, type: "instance.completed" });
  const chained = new Map(judged.flatMap((one) => goBack(tables, one).map((handler) => [one, handler])));
  const loose = judged.filter((one) => !chained.has(one) && isNoted(tables, one));
  const noted = new Set(loose.map(({ instance }) => instance.instanceId));
  for (const instanceId of noted) note(tables, instanceId);
  return { results, taken, noted: noted.size > 0, ready: [...new Set(chained.values())] };
};

const inOrder = (completions: readonly Completion[]): [number, Completion][] =>
  [...completions.entries()].sort(([, a], [, b]) => compare(a.instanceId, b.instanceId));

/** The best key of what waits for one of these handlers. */
const bestOf = (tables: Tables, handlers: CompleteParams["handlers"]): number =>
  Math.min(...handlers.map(({ handler }) => tables.queue.bucket(waitsFor("ready", handler))[0]?.key ?? Infinity));

/** Leases what follows to the caller, if it would run it and nothing that waits comes before it. */
const take = (
  tables: Tables,
  { ordinal, settlement: { instanceId, advance }, flows }: Judged,
  { completions, workerId, leaseMs }: CompleteParams,
  best: number,
): TakenStep[] =>
  (advance?.enqueue ?? []).flatMap(({ node, delayMs }, place) => {
    const queued = tables.queue.get(instanceId, node);
    const wanted = flows && completions[ordinal]?.take[place] === true && delayMs === 0;
    if (!wanted || queued === undefined || queued.key > best) return [];
    const token = tables.next("token");
    const { now } = tables.clock;
    const leased = { state: "leased", attempt: 1, token, workerId, leasedAt: now, leaseUntil: now + leaseMs } as const;
    tables.queue.put({ ...queued, ...leased } satisfies StoredQueued);
    const { handler, lane, priority, run, key } = queued;
    tell(tables, { instanceId, type: "step.leased", node, attempt: 1, workerId, data: { handler, lane } });
    return [{ completion: ordinal, place, token, priority, run, key }];
  });

/** Queues the compensation that follows in the chain of the one that completed; answers its handler. */
const goBack = (tables: Tables, { instance, queued }: Judged): string[] => {
  const { instanceId } = instance;
  const [first, ...chain] = parse<ChainLink[]>(queued.chain) ?? [];
  // If the instance was frozen anew since, or goes forward again, what follows is to be decided anew.
  if (first === undefined || queued.epoch !== instance.epoch || instance.status === "running") return [];
  const { rolledBack, ...link } = first;
  for (const node of rolledBack) {
    putStep(tables, { instanceId, node, status: "rolled_back" });
    tell(tables, { instanceId, type: "step.rolled_back", node });
  }
  const { node, handler } = link;
  putStep(tables, { instanceId, node, status: "compensating" });
  const place = { lane: "compensation", delayMs: 0, fork: null } as const;
  putQueued(tables, instance, { ...link, ...place, ...(chain.length > 0 && { chain }) });
  tell(tables, { instanceId, type: "compensation.queued", node, data: { handler } });
  return [handler];
};

// Whether somebody must look at the instance. Where a branch has arrived at its join nobody need, as long as another step
// of that fork is in the queue.
const isNoted = (tables: Tables, { queued, live, settlement: { advance }, instance }: Judged): boolean => {
  if (queued.lane === "compensation" || !live || advance?.review === true) return true;
  const joins = advance?.joins ?? null;
  return joins !== null && !tables.queue.of(instance.instanceId).some(({ fork }) => fork === joins);
};
