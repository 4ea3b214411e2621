/** What operators and other programs write, in memory. */
import type { AuditRow, NewAudit, NewSignal, NewVote } from "../store/operator.ts";
import { isPaused } from "./queue.ts";
import type { StoredQueued } from "./rows.ts";
import { refusal } from "./table.ts";
import type { Tables } from "./tables.ts";
import { instanceOf, jsonText, only, parse, priorityKey } from "./tables.ts";

/** See {@link import("../store/operator.ts").insertAudit}. */
export const insertAudit = (tables: Tables, rows: readonly NewAudit[]): void => {
  for (const row of rows) {
    if (row.actId !== null && hasAct(tables, row.actId)) throw refusal("23505", `the act ${row.actId} was recorded`);
    const createdAt = tables.clock.transaction.now;
    tables.audit.insert({ ...row, data: jsonText(row.data), auditId: tables.next("audit"), createdAt });
  }
};

/** See {@link import("../store/operator.ts").hasAct}. */
export const hasAct = (tables: Tables, actId: string): boolean => tables.audit.all().some((row) => row.actId === actId);

/** See {@link import("../store/operator.ts").listAudit}. */
export const listAudit = (
  tables: Tables,
  params: { readonly instanceId: string | null; readonly before: number | null; readonly limit: number },
): AuditRow[] =>
  tables.audit
    .all()
    .filter(({ instanceId }) => params.instanceId === null || instanceId === params.instanceId)
    .filter(({ auditId }) => params.before === null || auditId < params.before)
    .sort((a, b) => b.auditId - a.auditId)
    .slice(0, params.limit)
    .map((row) => ({ ...row, data: parse<unknown>(row.data), createdAt: new Date(row.createdAt) }));

/** See {@link import("../store/operator.ts").insertVote}. */
export const insertVote = (tables: Tables, vote: NewVote): NewVote["kind"] | undefined => {
  const row = { ...vote, form: jsonText(vote.form), createdAt: tables.clock.now, position: tables.next("vote") };
  const before = tables.vote.get(vote.instanceId, tables.vote.key.id(row));
  if (before === undefined) tables.vote.insert(row);
  return before?.kind;
};

/** See {@link import("../store/operator.ts").insertSignal}. */
export const insertSignal = (tables: Tables, signal: NewSignal): boolean => {
  if (tables.signal.get(signal.instanceId, signal.signalId) !== undefined) return false;
  const payload = jsonText(signal.payload);
  const createdAt = tables.clock.transaction.now;
  tables.signal.insert({ ...signal, payload, node: null, position: tables.next("signal"), createdAt });
  return true;
};

/** See {@link import("../store/operator.ts").prepareResume}. */
export const prepareResume = (
  tables: Tables,
  params: { readonly instanceId: string; readonly savepoint: string | null; readonly value: string | null },
): string => {
  const { instanceId, savepoint } = params;
  const value = jsonText(params.value);
  const instance = instanceOf(tables, instanceId);
  if (instance === undefined) return "null";
  const input = savepoint === null && value !== null ? value : instance.input;
  tables.instance.put({ ...instance, deadlineAt: null, input });
  const step = savepoint === null ? undefined : tables.step.get(instanceId, savepoint);
  if (step !== undefined && value !== null) tables.step.put({ ...step, output: value });
  return instance.input;
};

/** See {@link import("../store/operator.ts").updatePriority}. */
export const updatePriority = (
  tables: Tables,
  { instanceId, priority }: { readonly instanceId: string; readonly priority: number },
): void => {
  const instance = instanceOf(tables, instanceId);
  if (instance !== undefined) tables.instance.put({ ...instance, priority });
  for (const queued of tables.queue.of(instanceId)) {
    tables.queue.put({ ...queued, priority, key: priorityKey(queued.readyAt, priority, queued.lane) });
  }
};

/** See {@link import("../store/operator.ts").insertPause}. */
export const insertPause = (
  tables: Tables,
  {
    name,
    requestedBy,
    reason,
  }: { readonly name: string; readonly requestedBy: string; readonly reason: string | null },
): boolean => {
  if (tables.pause.get(name, only) !== undefined) return false;
  tables.pause.insert({ definitionName: name, requestedBy, reason, createdAt: tables.clock.transaction.now });
  return true;
};

/** See {@link import("../store/operator.ts").deletePause}. */
export const deletePause = (tables: Tables, name: string): boolean => {
  const paused = tables.pause.get(name, only) !== undefined;
  tables.pause.delete(name, only);
  return paused;
};

/** See {@link import("../store/operator.ts").holdPaused}. */
export const holdPaused = (tables: Tables, limit: number): number => {
  if (tables.pause.isEmpty) return 0;
  const ready = tables.queue
    .all()
    .filter((queued) => queued.state === "ready" && queued.lane === "forward" && isPaused(tables, queued))
    .filter(({ instanceId }) => instanceOf(tables, instanceId)?.finishedAt === null)
    .slice(0, limit);
  for (const queued of ready) tables.queue.put({ ...queued, state: "held" });
  return ready.length;
};

/** See {@link import("../store/operator.ts").releaseHeld}. */
export const releaseHeld = (tables: Tables, limit: number): { released: number; handlers: string[] } => {
  const held: StoredQueued[] = tables.queue
    .bucket("held")
    .filter((queued) => !isPaused(tables, queued))
    .slice(0, limit);
  for (const queued of held) tables.queue.put({ ...queued, state: "ready" });
  return { released: held.length, handlers: [...new Set(held.map(({ handler }) => handler))] };
};
