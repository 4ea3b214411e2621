/** The state of instances for those who decide about them, from memory. */
import type { AffairRow, LockedInstance, QueuedStateRow, StepStateRow } from "../store/state.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { instancesOf, parse } from "./tables.ts";

/** See {@link import("../store/state.ts").lockInstances}. There is nothing to lock: transactions run one at a time. */
export const lockInstances = (tables: Tables, instanceIds: readonly string[]): LockedInstance[] =>
  instancesOf(tables, instanceIds).map((instance) => {
    const { instanceId, definitionName, definitionVersion, status, boundary, pausedFrom, deadlineAt } = instance;
    const cause = parse<StepError>(instance.cause);
    const overdue = isOver(tables, deadlineAt);
    return { instanceId, definitionName, definitionVersion, status, cause, boundary, pausedFrom, overdue };
  });

const isOver = (tables: Tables, at: number | null): boolean => at !== null && at <= tables.clock.now;

/** See {@link import("../store/state.ts").loadSteps}. */
export const loadSteps = (tables: Tables, instanceIds: readonly string[]): StepStateRow[] =>
  idsOf(instanceIds).flatMap((id) =>
    tables.step
      .of(id)
      .sort(
        (a, b) => compare(a.finishedAt, b.finishedAt) || compare(a.finishedIn, b.finishedIn) || compare(a.node, b.node),
      )
      .map(({ instanceId, node, status, outcome, side, error, inputFrom, attempt, dueAt, winners, output }) => ({
        instanceId,
        node,
        status,
        outcome,
        side,
        error: parse<StepError>(error),
        inputFrom,
        attempt,
        due: isOver(tables, dueAt),
        winners: parse<string[]>(winners),
        replaced: output !== null,
      })),
  );

/** See {@link import("../store/state.ts").loadQueue}. */
export const loadQueue = (tables: Tables, instanceIds: readonly string[]): QueuedStateRow[] =>
  instancesOf(tables, instanceIds).flatMap((instance) =>
    tables.queue
      .of(instance.instanceId)
      .sort((a, b) => compare(a.node, b.node))
      .map(({ instanceId, node, lane, state, attempt, inputFrom, epoch, transactional, ...queued }) => {
        const current = epoch === instance.epoch;
        const uncertain = queued.uncertain || (attempt > 0 && !transactional);
        return { instanceId, node, lane, state, attempt, inputFrom, current, uncertain };
      }),
  );

/** See {@link import("../store/state.ts").loadAffairs}. */
export const loadAffairs = (tables: Tables, instanceIds: readonly string[]): AffairRow[] => {
  const ids = idsOf(instanceIds);
  const letters = ids
    .flatMap((id) => tables.deadLetter.of(id))
    .map(({ instanceId, node, kind }): AffairRow => ({ instanceId, kind: "dead_letter", node, data: { lane: kind } }));
  const signals = ids
    .flatMap((id) => tables.signal.of(id))
    .filter(({ node }) => node === null)
    .sort((a, b) => compare(a.position, b.position))
    .map(({ instanceId, signalId, name, payload }): AffairRow => {
      const data = { signalId, name, payload: JSON.parse(payload) as Json };
      return { instanceId, kind: "signal", node: null, data };
    });
  const votes = ids
    .flatMap((id) => tables.vote.of(id))
    .sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.position, b.position))
    .map(({ instanceId, node, voter, kind, comment, form, createdAt }): AffairRow => {
      const at = new Date(createdAt).toISOString();
      return { instanceId, kind: "vote", node, data: { by: voter, kind, comment, form: parse<Json>(form), at } };
    });
  return [...letters, ...signals, ...votes];
};

const idsOf = (instanceIds: readonly string[]): string[] => [...new Set(instanceIds)].sort();
