/** Writing decisions about whole instances, many in one transaction, and going on until nothing is left to decide. */
import type { Decision, InstanceState } from "../core/model.ts";
import { needsOfReview } from "../core/needs.ts";
import { review } from "../core/review.ts";
import type { InstanceUpdate } from "../store/decision.ts";
import {
  buryDead,
  changeSteps,
  disownQueued,
  enqueueSteps,
  exhumeDead,
  forgetSteps,
  insertRecords,
  removeQueued,
  takeSignals,
  updateInstances,
} from "../store/decision.ts";
import { appendEvents } from "../store/event.ts";
import type { Executor } from "../store/executor.ts";
import { putInbox } from "../store/inbox.ts";
import type { Lane } from "../vocabulary/status.ts";
import { isTerminal } from "../vocabulary/status.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import { hintAdvance } from "./hints.ts";
import { gatherPayloads, InstancePayloads } from "./payloads.ts";
import { eventsOf } from "./review-events.ts";
import type { Loaded } from "./state.ts";
import { loadInstances } from "./state.ts";

/** What was decided about an instance, and in which state. */
export interface Decided {
  readonly instanceId: string;
  readonly state: InstanceState;
  readonly decision: Decision;
  /** What a person gave a step that is queued as input, as JSON text, by node. */
  readonly inputs?: ReadonlyMap<string, string>;
}

/** How many looks in one transaction; what is still to be decided then is noted in the inbox. */
const lookLimit = 20;

/** Looks at loaded instances, writes what the core decides, and looks again where that gives reason to. */
export const reviewLoaded = async (
  tx: Executor,
  graphs: GraphCache,
  loaded: readonly Loaded[],
  hints: Hints,
): Promise<void> => {
  let left = loaded;
  for (let looks = 1; left.length > 0; looks++) {
    const decided = await decideAll(tx, left);
    await applyDecisions(tx, decided, hints);
    const again = decided.filter(({ decision }) => decision.review === true).map(({ instanceId }) => ({ instanceId }));
    if (looks === lookLimit) {
      await putInbox(tx, again);
      hints.review ||= again.length > 0;
      return;
    }
    left =
      again.length === 0
        ? []
        : await reload(
            tx,
            graphs,
            again.map(({ instanceId }) => instanceId),
          );
  }
};

/** Writes a decision of an operator, and what follows from it. */
export const applyAndReview = async (
  tx: Executor,
  graphs: GraphCache,
  decided: Decided,
  hints: Hints,
): Promise<void> => {
  await applyDecisions(tx, [decided], hints);
  if (decided.decision.review !== true) return;
  await reviewLoaded(tx, graphs, await reload(tx, graphs, [decided.instanceId]), hints);
};

const reload = (tx: Executor, graphs: GraphCache, instanceIds: readonly string[]): Promise<Loaded[]> =>
  loadInstances(tx, graphs, instanceIds, { only: ({ status }) => !isTerminal(status) });

const decideAll = async (tx: Executor, loaded: readonly Loaded[]): Promise<Decided[]> => {
  const wanted = loaded.map(({ instanceId, graph, state }) => ({ instanceId, needs: needsOfReview(graph, state) }));
  const payloads = await gatherPayloads(tx, wanted);
  return loaded.map(({ instanceId, graph, state }) => ({
    instanceId,
    state,
    decision: review(graph, state, payloads.get(instanceId) ?? new InstancePayloads()),
  }));
};

// In lock order: instances, steps, queue. Steps are changed before their rows in the queue go, from which they take over
// their run; what is forgotten, and a dead letter that is done with, goes before it can
// be written again.
const applyDecisions = async (tx: Executor, all: readonly Decided[], hints: Hints): Promise<void> => {
  const of = <T extends object>(
    pick: (decision: Decision) => readonly T[] | undefined,
  ): (T & { readonly instanceId: string })[] =>
    all.flatMap(({ instanceId, decision }) => (pick(decision) ?? []).map((item) => ({ ...item, instanceId })));
  const nodes = (pick: (decision: Decision) => readonly string[] | undefined) =>
    of((decision) => pick(decision)?.map((node) => ({ node })));
  const enqueue = all.flatMap(({ instanceId, decision, inputs }) =>
    (decision.enqueue ?? []).map((step) => ({ ...step, instanceId, input: inputs?.get(step.node) ?? null })),
  );
  // Sent one behind the other without waiting for answers; they are carried out in this order all the same.
  await Promise.all([
    updateInstances(tx, all.flatMap(toUpdate)),
    changeSteps(
      tx,
      of(({ steps }) => steps),
    ),
    forgetSteps(
      tx,
      nodes(({ forget }) => forget),
    ),
    exhumeDead(
      tx,
      nodes(({ exhume }) => exhume),
    ),
    insertRecords(
      tx,
      of(({ records }) => records),
    ),
    buryDead(
      tx,
      of(({ bury }) => bury),
    ),
    takeSignals(
      tx,
      of(({ take }) => take),
      nodes(({ untake }) => untake),
    ),
    removeQueued(
      tx,
      nodes(({ unqueue }) => unqueue),
    ),
    disownQueued(
      tx,
      nodes(({ disown }) => disown),
    ),
    enqueueSteps(tx, enqueue),
    appendEvents(
      tx,
      all.flatMap(({ instanceId, state, decision }) => eventsOf(instanceId, decision, state)),
    ),
  ]);
  for (const decided of all) hint(hints, decided);
};

const toUpdate = ({ instanceId, decision: { instance } }: Decided): InstanceUpdate[] =>
  instance === undefined
    ? []
    : [
        {
          instanceId,
          status: instance.status,
          freeze: instance.freeze ?? false,
          finish: isTerminal(instance.status),
          restart: instance.restart ?? false,
          cause: instance.cause == null ? null : JSON.stringify(instance.cause),
          bounds: instance.boundary !== undefined,
          boundary: instance.boundary ?? null,
          outputFrom: instance.outputFrom ?? null,
          pausedFrom: instance.pausedFrom ?? null,
        },
      ];

const hint = (hints: Hints, { instanceId, state, decision }: Decided): void => {
  const { instance, records = [], steps = [], enqueue = [], disown = [] } = decision;
  const ended = instance !== undefined && isTerminal(instance.status);
  hintAdvance(hints, instanceId, { records, enqueue, review: false, finished: ended ? instance : null });
  if (steps.some(({ due }) => due !== undefined)) hints.delayed = true;
  // Compensations go on in an instance that is frozen, but not in one that is aborted.
  const stops = (lane: Lane): boolean => lane === "forward" || instance?.status === "aborted";
  const running = [...state.queue.values()].some((row) => stops(row.lane) && row.state === "leased");
  if (running && (instance?.freeze === true || disown.length > 0)) hints.abort.add(instanceId);
};
