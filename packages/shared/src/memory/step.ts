/** An instance with its steps as a person sees it, from memory. */
import type { InstanceSnapshot } from "../store/step.ts";
import { keptSignalLimit } from "../store/step.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { StoredDeadLetter, StoredQueued, StoredStep } from "./rows.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { dateOf, instanceOf, only, parse } from "./tables.ts";

/** See {@link import("../store/step.ts").readSnapshot}. */
export const readSnapshot = (tables: Tables, instanceId: string): InstanceSnapshot | undefined => {
  const instance = instanceOf(tables, instanceId);
  if (instance === undefined) return undefined;
  const { definitionName, definitionVersion, status, priority, run, pausedFrom, input } = instance;
  const { outputFrom, idempotencyKey, boundary } = instance;
  return {
    instance: {
      definitionName,
      definitionVersion,
      status,
      priority,
      run,
      pausedFrom,
      deadlineAt: dateOf(instance.deadlineAt),
      input,
      outputFrom,
      metadata: JSON.parse(instance.metadata) as JsonObject,
      idempotencyKey,
      cause: parse<StepError>(instance.cause),
      boundary,
      createdAt: new Date(instance.createdAt),
      finishedAt: dateOf(instance.finishedAt),
    },
    steps: tables.step.of(instanceId).map(stepOf),
    queue: tables.queue.of(instanceId).map(queuedOf),
    deadLetters: tables.deadLetter.of(instanceId).map(letterOf),
    votes: tables.vote
      .of(instanceId)
      .sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.position, b.position))
      .map(({ node, voter, kind, comment, form, createdAt }) => {
        return { node, by: voter, kind, comment, form, at: new Date(createdAt) };
      }),
    signals: tables.signal
      .of(instanceId)
      .filter(({ node }) => node === null)
      .sort((a, b) => compare(a.position, b.position))
      .slice(0, keptSignalLimit)
      .map(({ signalId, name, sentBy, createdAt }) => ({ signalId, name, sentBy, createdAt: new Date(createdAt) })),
    pause: pauseOf(tables, definitionName),
  };
};

const letterOf = ({
  node,
  kind,
  error,
  attempt,
  createdAt,
}: StoredDeadLetter): InstanceSnapshot["deadLetters"][number] => ({
  node,
  lane: kind,
  error: JSON.parse(error) as StepError,
  attempt,
  createdAt: new Date(createdAt),
});

const pauseOf = (tables: Tables, definitionName: string): InstanceSnapshot["pause"] => {
  const pause = tables.pause.get(definitionName, only);
  if (pause === undefined) return null;
  return { requestedBy: pause.requestedBy, reason: pause.reason, createdAt: new Date(pause.createdAt) };
};

const stepOf = (step: StoredStep): InstanceSnapshot["steps"][number] => {
  const { node, status, outcome, side, run, attempt, compensationAttempt, output, workerId } = step;
  return {
    node,
    status,
    outcome,
    side,
    winners: parse<string[]>(step.winners),
    run,
    dueAt: dateOf(step.dueAt),
    inputFrom: step.inputFrom,
    givenInput: step.input,
    attempt,
    compensationAttempt,
    output,
    error: parse<StepError>(step.error),
    compensationError: parse<StepError>(step.compensationError),
    workerId,
    startedAt: dateOf(step.startedAt),
    finishedAt: new Date(step.finishedAt),
  };
};

const queuedOf = (queued: StoredQueued): InstanceSnapshot["queue"][number] => {
  const { node, lane, state, run, attempt, readyAt, leasedAt, workerId } = queued;
  return { node, lane, state, run, attempt, readyAt: new Date(readyAt), leasedAt: dateOf(leasedAt), workerId };
};
