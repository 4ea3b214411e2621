/** History: the events of an instance, read with a cursor. Events are written by the statements they belong to. */
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
FROM ${schema}.event WHERE instance_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3`,
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
