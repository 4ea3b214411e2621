/** Rows of steps in memory: what a new one holds, and the rows of nodes that the flow has reached. */
import type { Due, NodeRecord } from "../core/model.ts";
import type { EventType } from "../vocabulary/event.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { StoredStep } from "./rows.ts";
import { refusal } from "./table.ts";
import type { Tables } from "./tables.ts";
import { parse } from "./tables.ts";

/** When a column gets the time by default, which is that of the transaction. */
export const finishedByDefault = ({
  clock: { transaction },
}: Tables): Pick<StoredStep, "finishedAt" | "finishedIn"> => ({
  finishedAt: transaction.now,
  finishedIn: transaction.verb,
});

/** When a column is given the time of the statement. */
export const finishedNow = ({ clock }: Tables): Pick<StoredStep, "finishedAt" | "finishedIn"> => ({
  finishedAt: clock.now,
  finishedIn: clock.verb,
});

/** Writes these columns of a step's row; the others stay as they are, or are empty in a row that is new. */
export const putStep = (
  tables: Tables,
  columns: Pick<StoredStep, "instanceId" | "node" | "status"> & Partial<StoredStep>,
): StoredStep => {
  const before = tables.step.get(columns.instanceId, columns.node) ?? { ...emptyStep, ...finishedByDefault(tables) };
  return tables.step.put({ ...before, ...columns });
};

const emptyStep = {
  outcome: null,
  side: null,
  attempt: 0,
  compensationAttempt: 0,
  inputFrom: null,
  output: null,
  error: null,
  compensationError: null,
  token: null,
  workerId: null,
  startedAt: null,
  run: 0,
  dueAt: null,
  winners: null,
  input: null,
} as const;

/** Writes the row of a node that the flow has reached, in place of one of an earlier way, and the timer of its wait. */
export const putRecord = (tables: Tables, instanceId: string, run: number, record: NodeRecord): StoredStep => {
  const { node, status, side, error, inputFrom, due } = record;
  const dueAt = timeOf(tables, due);
  if (dueAt !== null) tables.timer.put({ instanceId, node, dueAt });
  return putStep(tables, {
    instanceId,
    node,
    status,
    outcome: status === "failed" || status === "paused" ? "absent" : "happened",
    side,
    error: error === null ? null : JSON.stringify(error),
    inputFrom,
    output: null,
    ...finishedNow(tables),
    dueAt,
    run,
    winners: null,
    attempt: 0,
    input: null,
  });
};

/** The event that tells of a record. */
export const recordEvent = ({ instanceId, node, status, side, error, dueAt }: StoredStep) => {
  const type: EventType = recordEvents[status] ?? "step.completed";
  let data: JsonObject | null = null;
  if (side !== null) data = { side };
  else if (error !== null) data = { error: parse(error) };
  else if (dueAt !== null) data = { dueAt: new Date(dueAt).toISOString() };
  return { instanceId, type, node, data };
};

const recordEvents: Partial<Record<StoredStep["status"], EventType>> = {
  waiting: "step.waiting",
  waiting_decision: "step.waiting",
  failed: "step.failed",
  paused: "step.dead_lettered",
};

/** The time of the clock that a wait lasts until. */
export const timeOf = (tables: Tables, due: Due | null | undefined): number | null => {
  if (due == null) return null;
  if ("inMs" in due) return tables.clock.now + Math.ceil(due.inMs);
  const time = Date.parse(due.at);
  if (Number.isNaN(time)) throw refusal("22007", `invalid input syntax for type timestamp: ${due.at}`);
  return time;
};
