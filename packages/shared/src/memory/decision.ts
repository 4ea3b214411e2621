/** Writing decisions about whole instances in memory. */
import type { Enqueue, NewDeadLetter, NodeRecord, StepChange } from "../core/model.ts";
import type { InstanceUpdate } from "../store/decision.ts";
import { bury } from "./dead-letter.ts";
import { putQueued } from "./enqueue.ts";
import { finishedByDefault, putRecord, putStep, timeOf } from "./step-row.ts";
import type { Tables } from "./tables.ts";
import { instanceOf, jsonText } from "./tables.ts";
import { removeTimers } from "./timer.ts";

type Of<Item> = Item & { readonly instanceId: string };
type NodeRef = Of<{ readonly node: string }>;

/** See {@link import("../store/decision.ts").updateInstances}. */
export const updateInstances = (tables: Tables, updates: readonly InstanceUpdate[]): void => {
  for (const {
    instanceId,
    status,
    freeze,
    finish,
    restart,
    cause,
    bounds,
    boundary,
    outputFrom,
    pausedFrom,
  } of updates) {
    if (finish) removeTimers(tables, instanceId);
    const before = instanceOf(tables, instanceId);
    if (before === undefined) continue;
    tables.instance.put({
      ...before,
      status,
      epoch: before.epoch + (freeze ? 1 : 0),
      run: before.run + (restart ? 1 : 0),
      cause: restart ? null : (jsonText(cause) ?? before.cause),
      boundary: bounds ? boundary : before.boundary,
      outputFrom: outputFrom ?? before.outputFrom,
      pausedFrom,
      finishedAt: finish ? tables.clock.now : null,
    });
  }
};

/** See {@link import("../store/decision.ts").removeQueued}. */
export const removeQueued = (tables: Tables, rows: readonly NodeRef[]): void => {
  for (const { instanceId, node } of rows) tables.queue.delete(instanceId, node);
};

/** See {@link import("../store/decision.ts").disownQueued}. */
export const disownQueued = (tables: Tables, rows: readonly NodeRef[]): void => {
  for (const { instanceId, node } of rows) {
    const queued = tables.queue.get(instanceId, node);
    if (queued !== undefined) tables.queue.put({ ...queued, epoch: -1 });
  }
};

/** See {@link import("../store/decision.ts").changeSteps}. */
export const changeSteps = (tables: Tables, changes: readonly Of<StepChange>[]): void => {
  for (const change of changes) changeStep(tables, change);
};

const changeStep = (tables: Tables, { instanceId, node, status, ...change }: Of<StepChange>): void => {
  const dueAt = timeOf(tables, change.due);
  if (dueAt === null) tables.timer.delete(instanceId, node);
  else tables.timer.put({ instanceId, node, dueAt });
  const before = tables.step.get(instanceId, node);
  const queued = tables.queue.get(instanceId, node);
  const forward = queued?.lane === "forward" ? queued : undefined;
  const waited = before?.status === "waiting" || before?.status === "waiting_decision";
  putStep(tables, {
    instanceId,
    node,
    status,
    outcome: change.outcome ?? before?.outcome ?? null,
    attempt: Math.max(change.attempt ?? 0, before?.attempt ?? 0),
    output: change.output === undefined ? (before?.output ?? null) : JSON.stringify(change.output),
    error: change.error === undefined ? (before?.error ?? null) : JSON.stringify(change.error),
    side: change.side ?? before?.side ?? null,
    winners: change.winners === undefined ? (before?.winners ?? null) : JSON.stringify(change.winners),
    dueAt,
    ...(waited && finishedByDefault(tables)),
    ...(before === undefined && {
      inputFrom: change.inputFrom ?? null,
      input: forward?.input ?? null,
      run: forward?.run ?? 0,
    }),
  });
};

/** See {@link import("../store/decision.ts").forgetSteps}. */
export const forgetSteps = (tables: Tables, rows: readonly NodeRef[]): void => {
  for (const { instanceId, node } of rows) {
    tables.step.delete(instanceId, node);
    for (const vote of tables.vote.of(instanceId)) {
      if (vote.node === node) tables.vote.delete(instanceId, tables.vote.key.id(vote));
    }
  }
};

/** See {@link import("../store/decision.ts").buryDead}. */
export const buryDead = (tables: Tables, letters: readonly Of<NewDeadLetter>[]): void => {
  for (const { instanceId, node, lane, error, attempt } of letters) {
    bury(tables, { instanceId, node, kind: lane, error: JSON.stringify(error), attempt });
  }
};

/** See {@link import("../store/decision.ts").exhumeDead}. */
export const exhumeDead = (tables: Tables, rows: readonly NodeRef[]): void => {
  for (const { instanceId, node } of rows) tables.deadLetter.delete(instanceId, node);
};

/** See {@link import("../store/decision.ts").takeSignals}. */
export const takeSignals = (
  tables: Tables,
  taken: readonly Of<{ readonly signalId: string; readonly node: string }>[],
  untaken: readonly NodeRef[],
): void => {
  for (const { instanceId, node } of untaken) {
    for (const signal of tables.signal.of(instanceId)) {
      if (signal.node === node) tables.signal.put({ ...signal, node: null });
    }
  }
  for (const { instanceId, signalId, node } of taken) {
    const signal = tables.signal.get(instanceId, signalId);
    if (signal !== undefined) tables.signal.put({ ...signal, node });
  }
};

/** See {@link import("../store/decision.ts").insertRecords}. */
export const insertRecords = (tables: Tables, records: readonly Of<NodeRecord>[]): void => {
  for (const record of records) {
    const instance = instanceOf(tables, record.instanceId);
    if (instance === undefined) continue;
    const { instanceId, node, status, error } = putRecord(tables, record.instanceId, instance.run, record);
    if (status === "paused" && error !== null) bury(tables, { instanceId, node, kind: "forward", error, attempt: 0 });
  }
};

/** See {@link import("../store/decision.ts").enqueueSteps}. */
export const enqueueSteps = (
  tables: Tables,
  steps: readonly Of<Enqueue & { readonly input?: string | null }>[],
): void => {
  for (const step of steps) {
    const instance = instanceOf(tables, step.instanceId);
    if (instance !== undefined) putQueued(tables, instance, step);
  }
};
