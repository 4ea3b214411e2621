/**
 * Reviewing instances: an orchestrator takes notes from the inbox, locks the instances, loads their state, lets the
 * core decide, and writes the decisions, all in one transaction. Any number of orchestrators share the work.
 */
import type { Decision, InstanceState, StepState } from "../core/model.ts";
import type { Needs } from "../core/needs.ts";
import { needsOfReview, review } from "../core/review.ts";
import type { Graph } from "../definition/graph.ts";
import { isTransient } from "../store/database-error.ts";
import type { NewEvent } from "../store/event.ts";
import { appendEvents } from "../store/event.ts";
import type { Database, Executor } from "../store/executor.ts";
import type { InboxRow, InstanceUpdate, LockedInstance, QueuedStateRow } from "../store/review.ts";
import {
  changeSteps,
  enqueueSteps,
  insertRecords,
  loadQueue,
  loadSteps,
  lockInstances,
  lockQueue,
  postponeInbox,
  putInbox,
  removeQueued,
  takeInbox,
  updateInstances,
} from "../store/review.ts";
import { isTerminal } from "../vocabulary/status.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import { hintAdvance } from "./hints.ts";
import { gatherPayloads, InstancePayloads } from "./payloads.ts";
import { eventsOf } from "./review-events.ts";

/** An instance that was looked at, and what was decided. */
interface Reviewed {
  readonly instanceId: string;
  readonly state: InstanceState;
  readonly decision: Decision;
}

/** The parameters of {@link reviewInbox}. */
export interface ReviewParams {
  /** The most notes to take. */
  readonly limit: number;
  readonly hints: Hints;
  /** Told of a note that could not be handled; it is put back and tried again later. */
  readonly onPostponed: (instanceId: string, error: unknown) => void;
}

/** Handles notes of the inbox, at most `limit`. Answers how many it took. */
export const reviewInbox = async (db: Database, graphs: GraphCache, params: ReviewParams): Promise<number> => {
  const taken: InboxRow[] = [];
  try {
    return await db.transaction((tx) => reviewNotes(tx, graphs, params.limit, params.hints, taken));
  } catch (error) {
    if (isTransient(error)) throw error;
    // One note that cannot be handled must not hold up the others: they are handled one by one, and it is put back.
    const [only] = taken;
    if (taken.length > 1) return reviewEach(db, graphs, params, taken.length);
    if (only === undefined) throw error;
    await postponeInbox(db, { inboxId: only.inboxId, delayMs: backoffMs(only.attempt), error: String(error) });
    params.onPostponed(only.instanceId, error);
    return 1;
  }
};

const reviewEach = async (db: Database, graphs: GraphCache, params: ReviewParams, count: number): Promise<number> => {
  for (let done = 0; done < count; done++) await reviewInbox(db, graphs, { ...params, limit: 1 });
  return count;
};

const backoffMs = (attempt: number): number => Math.min(1_000 * 2 ** attempt, 300_000);

const reviewNotes = async (
  tx: Executor,
  graphs: GraphCache,
  limit: number,
  hints: Hints,
  taken: InboxRow[],
): Promise<number> => {
  taken.push(...(await takeInbox(tx, limit)));
  if (taken.length === 0) return 0;
  const ids = [...new Set(taken.map(({ instanceId }) => instanceId))];
  const instances = (await lockInstances(tx, ids)).filter(({ status }) => !isTerminal(status));
  await apply(tx, await decideAll(tx, graphs, instances), hints);
  return taken.length;
};

const decideAll = async (
  tx: Executor,
  graphs: GraphCache,
  instances: readonly LockedInstance[],
): Promise<Reviewed[]> => {
  const states = await loadStates(tx, instances);
  const asked: { instanceId: string; graph: Graph; state: InstanceState; needs: Needs }[] = [];
  for (const { instanceId, definitionName, definitionVersion } of instances) {
    const graph = await graphs.get(tx, definitionName, definitionVersion);
    const state = states.get(instanceId) as InstanceState;
    asked.push({ instanceId, graph, state, needs: needsOfReview(graph, state) });
  }
  const payloads = await gatherPayloads(tx, asked);
  return asked.map(({ instanceId, graph, state }) => ({
    instanceId,
    state,
    decision: review(graph, state, payloads.get(instanceId) ?? new InstancePayloads()),
  }));
};

const loadStates = async (tx: Executor, instances: readonly LockedInstance[]): Promise<Map<string, InstanceState>> => {
  const ids = instances.map(({ instanceId }) => instanceId);
  if (ids.length === 0) return new Map();
  const stepsOf = groupByNode(await loadSteps(tx, ids));
  const queueOf = groupByNode(await loadQueues(tx, instances, stepsOf));
  return new Map(
    instances.map(({ instanceId, status, cause, boundary }) => [
      instanceId,
      {
        status,
        cause,
        boundary,
        steps: stepsOf.get(instanceId) ?? new Map(),
        queue: queueOf.get(instanceId) ?? new Map(),
      },
    ]),
  );
};

// Workers pass over rows that are locked, and would find them only at their next poll. So only a freeze locks them, which
// takes back what could be leased meanwhile; a rollback reads what is there, and a join does not look at the queue.
const loadQueues = async (
  tx: Executor,
  instances: readonly LockedInstance[],
  stepsOf: ReadonlyMap<string, ReadonlyMap<string, StepState>>,
): Promise<QueuedStateRow[]> => {
  const hasFailed = (instanceId: string): boolean =>
    [...(stepsOf.get(instanceId)?.values() ?? [])].some(({ status }) => status === "failed");
  const idsOf = (some: readonly LockedInstance[]): string[] => some.map(({ instanceId }) => instanceId);
  const running = instances.filter(({ status }) => status === "running");
  const [freezing, undoing] = await Promise.all([
    lockQueue(tx, idsOf(running.filter(({ instanceId }) => hasFailed(instanceId)))),
    loadQueue(tx, idsOf(instances.filter(({ status }) => status !== "running"))),
  ]);
  return [...freezing, ...undoing];
};

const groupByNode = <R extends { readonly instanceId: string; readonly node: string }>(
  rows: readonly R[],
): Map<string, Map<string, R>> => {
  const groups = new Map<string, Map<string, R>>();
  for (const row of rows) {
    const group = groups.get(row.instanceId) ?? new Map<string, R>();
    groups.set(row.instanceId, group.set(row.node, row));
  }
  return groups;
};

// In lock order: instances, steps, queue.
const apply = async (tx: Executor, reviewed: readonly Reviewed[], hints: Hints): Promise<void> => {
  const of = <T>(pick: (decision: Decision) => readonly T[]): (T & { readonly instanceId: string })[] =>
    reviewed.flatMap(({ instanceId, decision }) => pick(decision).map((item) => ({ ...item, instanceId })));
  const changes = of(({ steps }) => steps).map((change) => ({
    ...change,
    output: change.output === undefined ? null : JSON.stringify(change.output),
  }));
  const again = reviewed.filter(({ decision }) => decision.review);
  await updateInstances(tx, reviewed.flatMap(toUpdate));
  await changeSteps(tx, changes);
  await insertRecords(
    tx,
    of(({ records }) => records),
  );
  await removeQueued(
    tx,
    of(({ unqueue }) => unqueue.map((node) => ({ node }))),
  );
  await enqueueSteps(
    tx,
    of(({ enqueue }) => enqueue),
  );
  await putInbox(
    tx,
    again.map(({ instanceId }) => ({ instanceId })),
  );
  await appendEvents(
    tx,
    reviewed.flatMap(({ instanceId, decision }): NewEvent[] => eventsOf(instanceId, decision)),
  );
  for (const item of reviewed) hint(hints, item);
};

const toUpdate = ({ instanceId, decision: { instance } }: Reviewed): InstanceUpdate[] =>
  instance === null
    ? []
    : [
        {
          instanceId,
          status: instance.status,
          freeze: instance.freeze ?? false,
          finish: isTerminal(instance.status),
          cause: instance.cause === undefined ? null : JSON.stringify(instance.cause),
          boundary: instance.boundary ?? null,
          outputFrom: instance.outputFrom ?? null,
        },
      ];

const hint = (hints: Hints, { instanceId, state, decision }: Reviewed): void => {
  const { instance, enqueue, review } = decision;
  const ended = instance !== null && isTerminal(instance.status);
  hintAdvance(hints, instanceId, { enqueue, review, finished: ended ? instance : null });
  const running = [...state.queue.values()].some((row) => row.lane === "forward" && row.state === "leased");
  if (instance?.freeze === true && running) hints.abort.add(instanceId);
};
