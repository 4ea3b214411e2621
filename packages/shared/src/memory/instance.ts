/** Instances in memory. */
import type { InstanceRow, InstanceState, ListFilter } from "../store/instance.ts";
import type { ExistingInstance, NewInstance } from "../store/start.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import { bury } from "./dead-letter.ts";
import { putQueued } from "./enqueue.ts";
import { tell } from "./event.ts";
import { note } from "./inbox.ts";
import type { StoredInstance } from "./rows.ts";
import { putRecord, recordEvent } from "./step-row.ts";
import { compare, refusal } from "./table.ts";
import type { Tables } from "./tables.ts";
import { dateOf, instanceOf, instancesOf, jsonText, only, parse } from "./tables.ts";

/** See {@link import("../store/start.ts").insertInstances}. */
export const insertInstances = (tables: Tables, instances: readonly NewInstance[]): boolean[] => {
  const order = [...instances].sort(byKeyThenId);
  const inserted = new Map(order.flatMap((row) => insert(tables, row)).map((row) => [row.instanceId, row]));
  const fresh = instances.flatMap(({ instanceId, advance }) => {
    const row = inserted.get(instanceId);
    return row === undefined ? [] : [{ row, advance }];
  });
  const passed = fresh.flatMap(({ row, advance }) =>
    advance.records.map((record) => putRecord(tables, row.instanceId, 0, record)),
  );
  for (const { instanceId, node, status, error } of passed) {
    if (status === "paused") bury(tables, { instanceId, node, kind: "forward", error, attempt: 0, handler: null });
  }
  for (const { row, advance } of fresh) {
    for (const step of advance.enqueue) putQueued(tables, row, { ...step, lane: "forward" });
    if (advance.review || advance.joins !== null) note(tables, row.instanceId);
  }
  for (const { row } of fresh) tell(tables, { instanceId: row.instanceId, type: "instance.started" });
  for (const row of passed) tell(tables, recordEvent(row));
  for (const { row } of fresh) {
    if (row.status === "completed") tell(tables, { instanceId: row.instanceId, type: "instance.completed" });
  }
  return instances.map(({ instanceId }) => inserted.has(instanceId));
};

// As the statement inserts them; of two with the same key the first is inserted.
const byKeyThenId = (a: NewInstance, b: NewInstance): number =>
  compare(a.definitionName, b.definitionName) ||
  compare(a.idempotencyKey === null ? 1 : 0, b.idempotencyKey === null ? 1 : 0) ||
  compare(a.idempotencyKey ?? "", b.idempotencyKey ?? "") ||
  compare(a.instanceId, b.instanceId);

const insert = (tables: Tables, row: NewInstance): StoredInstance[] => {
  const { instanceId, definitionName, definitionVersion, priority, input, metadata, idempotencyKey, advance } = row;
  const key = keyOf(row);
  if (instanceOf(tables, instanceId) !== undefined) return [];
  if (key !== null && tables.idempotencyKey.get(key, only) !== undefined) return [];
  if (priority < 0 || priority > 100) throw refusal("23514", `priority ${priority}`);
  const finish = advance.finished !== null;
  const { now, transaction } = tables.clock;
  const deadlineAt = finish || row.deadlineMs === null ? null : now + row.deadlineMs;
  if (deadlineAt !== null) tables.timer.put({ instanceId, node: "", dueAt: deadlineAt });
  if (key !== null) tables.idempotencyKey.insert({ key, instanceId });
  const stored = tables.instance.insert({
    instanceId,
    definitionName,
    definitionVersion,
    status: finish ? "completed" : "running",
    epoch: 0,
    run: 0,
    priority,
    input: jsonText(input),
    outputFrom: advance.finished?.outputFrom ?? null,
    metadata: jsonText(metadata),
    idempotencyKey,
    cause: null,
    boundary: null,
    pausedFrom: null,
    createdAt: transaction.now,
    finishedAt: finish ? now : null,
    deadlineAt,
  });
  return [stored];
};

const keyOf = ({
  definitionName,
  idempotencyKey,
}: Pick<NewInstance, "definitionName" | "idempotencyKey">): string | null =>
  idempotencyKey === null ? null : `${definitionName} ${idempotencyKey}`;

/** See {@link import("../store/start.ts").findExisting}. */
export const findExisting = (
  tables: Tables,
  wanted: readonly Pick<NewInstance, "instanceId" | "definitionName" | "idempotencyKey">[],
): ExistingInstance[] => {
  const ids = wanted.flatMap((one) => {
    const key = keyOf(one);
    const byKey = key === null ? undefined : tables.idempotencyKey.get(key, only);
    return byKey === undefined ? [one.instanceId] : [one.instanceId, byKey.instanceId];
  });
  return instancesOf(tables, ids).map(({ instanceId, definitionName, definitionVersion, idempotencyKey, input }) => ({
    instanceId,
    definitionName,
    definitionVersion,
    idempotencyKey,
    input,
  }));
};

/** See {@link import("../store/instance.ts").getInstances}. */
export const getInstances = (tables: Tables, instanceIds: readonly string[]): InstanceRow[] =>
  instancesOf(tables, instanceIds).map((instance) => rowOf(tables, instance));

const rowOf = (tables: Tables, instance: StoredInstance): InstanceRow => {
  const { instanceId, definitionName, definitionVersion, status, priority, run, pausedFrom } = instance;
  const { input, idempotencyKey, boundary } = instance;
  return {
    instanceId,
    definitionName,
    definitionVersion,
    status,
    priority,
    run,
    pausedFrom,
    deadlineAt: dateOf(instance.deadlineAt),
    input,
    output: outputOf(tables, instance),
    metadata: JSON.parse(instance.metadata) as JsonObject,
    idempotencyKey,
    cause: parse<StepError>(instance.cause),
    boundary,
    createdAt: new Date(instance.createdAt),
    finishedAt: dateOf(instance.finishedAt),
  };
};

const outputOf = (tables: Tables, { instanceId, status, outputFrom, input }: StoredInstance): string | null => {
  if (status !== "completed") return null;
  return outputFrom === null ? input : (tables.step.get(instanceId, outputFrom)?.output ?? null);
};

/** See {@link import("../store/instance.ts").listInstances}. */
export const listInstances = (tables: Tables, { definitionName, statuses, before, limit }: ListFilter): InstanceRow[] =>
  tables.instance
    .all()
    .filter((instance) => definitionName === undefined || instance.definitionName === definitionName)
    .filter(({ status }) => statuses === undefined || statuses.includes(status))
    .filter(({ instanceId }) => before === undefined || instanceId < before)
    .sort((a, b) => compare(b.instanceId, a.instanceId))
    .slice(0, limit)
    .map((instance) => rowOf(tables, instance));

/** See {@link import("../store/instance.ts").statesOf}. */
export const statesOf = (tables: Tables, instanceIds: readonly string[]): InstanceState[] =>
  instancesOf(tables, instanceIds).map(({ instanceId, status, finishedAt }) => ({
    instanceId,
    status,
    finished: finishedAt !== null,
  }));
