/**
 * History: the events of an instance, read with a cursor. Events are written by the statements they belong to, except for
 * `step.leased`: a lease's token is the id of that event, and stands with all that tells of it in the row of the queue, and
 * afterwards in the row of the event that ended the lease. So each attempt costs one row, and nothing is lost.
 */
import type { EventType } from "../vocabulary/event.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";

/** An event of an instance's history. */
export interface EventRow {
  /** Increases within an instance; the cursor for reading on. */
  readonly eventId: number;
  readonly instanceId: string;
  readonly type: EventType;
  readonly node: string | null;
  readonly attempt: number | null;
  readonly workerId: string | null;
  readonly data: JsonObject | null;
  readonly createdAt: Date;
}

/** All events as rows, those of leases among them; for `FROM`. `where` holds for instances, as a condition on `instance_id`. */
export const eventsText = (schema: string, where: string): string => `(
  SELECT event_id, instance_id, type, node, attempt, worker_id, data, created_at FROM ${schema}.event WHERE ${where}
  UNION ALL
  SELECT token, instance_id, 'step.leased', node, attempt, worker_id,
         json_build_object('handler', handler, 'lane', coalesce(lane, 'forward')), leased_at
  FROM ${schema}.event WHERE ${where} AND token IS NOT NULL
  UNION ALL
  SELECT token, instance_id, 'step.leased', node, attempt, worker_id,
         json_build_object('handler', handler, 'lane', lane), leased_at
  FROM ${schema}.queue WHERE ${where} AND state = 'leased'
)`;

/** Reads the events of an instance after a cursor, the oldest first. */
export const getEvents = verb(
  "getEvents",
  (
    db: Executor,
    params: { readonly instanceId: string; readonly after?: number | undefined; readonly limit: number },
  ): Promise<EventRow[]> => db.query<EventRow>(eventsStatement, [params.instanceId, params.after ?? 0, params.limit]),
);

const eventsStatement: Statement = statement(
  "get_events",
  (schema) => `
SELECT event_id AS "eventId", instance_id AS "instanceId", type, node, attempt, worker_id AS "workerId",
       data::jsonb AS data, created_at AS "createdAt"
FROM ${eventsText(schema, "instance_id = $1")} e WHERE event_id > $2 ORDER BY event_id LIMIT $3`,
);

/** An event to append. */
export interface NewEvent {
  readonly instanceId: string;
  readonly type: EventType;
  readonly node: string | null;
  /** JSON text. */
  readonly data: string | null;
}

/** Appends events, in order. */
export const appendEvents = verb("appendEvents", async (db: Executor, events: readonly NewEvent[]): Promise<void> => {
  if (events.length > 0) await db.query(appendStatement, columns(events, ["instanceId", "type", "node", "data"]));
});

const appendStatement: Statement = statement(
  "append_events",
  (schema) => `
INSERT INTO ${schema}.event (instance_id, type, node, data)
SELECT instance_id, type, node, data::json
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS e(instance_id, type, node, data, place)
ORDER BY place`,
);
