/** How the rows of nodes that the flow has reached are written; the same wherever they come from. */
import type { NodeRecord } from "../core/model.ts";

/** A record as columns. */
export const toRow = ({ error, due, ...record }: NodeRecord) => ({
  ...record,
  error: error === null ? null : JSON.stringify(error),
  dueInMs: due !== null && "inMs" in due ? Math.ceil(due.inMs) : null,
  dueAt: due !== null && "at" in due ? due.at : null,
});

/** What differs between those who write records, as SQL. The records to write are `r`, with `due_at` made of both dues. */
export interface RecordSource {
  readonly instanceId: string;
  readonly run: string;
  /** FROM, WHERE, and ORDER BY: events tell of records in the order in which they are written. */
  readonly from: string;
}

/** The INSERT of records, in place of those of an earlier way through the graph. */
export const recordText = (schema: string, { instanceId, run, from }: RecordSource): string => `
  INSERT INTO ${schema}.step AS t (instance_id, node, status, outcome, side, error, input_from, finished_at, due_at, run)
  SELECT ${instanceId}, r.node, r.status, CASE WHEN r.status IN ('failed', 'paused') THEN 'absent' ELSE 'happened' END,
         r.side, r.error::json, r.input_from, statement_timestamp(), r.due_at, ${run}
  ${from}
  ON CONFLICT (instance_id, node) DO UPDATE
  SET (status, outcome, side, error, input_from, output, finished_at, due_at, run, winners, attempt, input)
    = (excluded.status, excluded.outcome, excluded.side, excluded.error, excluded.input_from, NULL, excluded.finished_at,
       excluded.due_at, excluded.run, NULL, 0, NULL)`;

/** The type of the event that tells of a record. */
export const recordEventText = `
  CASE status WHEN 'waiting' THEN 'step.waiting' WHEN 'waiting_decision' THEN 'step.waiting'
              WHEN 'failed' THEN 'step.failed' WHEN 'paused' THEN 'step.dead_lettered' ELSE 'step.completed' END`;

/** The data of the event that tells of a record. */
export const recordDataText = `
  CASE WHEN side IS NOT NULL THEN json_build_object('side', side)
       WHEN error IS NOT NULL THEN json_build_object('error', error)
       WHEN due_at IS NOT NULL THEN json_build_object('dueAt', due_at) END`;
