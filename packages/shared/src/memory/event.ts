/** History in memory. */
import type { EventRow, NewEvent } from "../store/event.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { StoredEvent } from "./rows.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { jsonText, parse } from "./tables.ts";

/** Appends an event. */
export const tell = (
  tables: Tables,
  event: Pick<StoredEvent, "instanceId" | "type"> &
    Partial<Pick<StoredEvent, "node" | "attempt" | "workerId" | "data">>,
): void => {
  const { instanceId, type, node = null, attempt = null, workerId = null, data = null } = event;
  const createdAt = tables.clock.transaction.now;
  tables.event.insert({ eventId: tables.next("event"), instanceId, type, node, attempt, workerId, data, createdAt });
};

/** See {@link import("../store/event.ts").appendEvents}. */
export const appendEvents = (tables: Tables, events: readonly NewEvent[]): void => {
  for (const { data, ...event } of events) tell(tables, { ...event, data: parse<JsonObject>(jsonText(data)) });
};

/** See {@link import("../store/event.ts").getEvents}. */
export const getEvents = (
  tables: Tables,
  {
    instanceId,
    after = 0,
    limit,
  }: { readonly instanceId: string; readonly after?: number | undefined; readonly limit: number },
): EventRow[] =>
  tables.event
    .of(instanceId)
    .filter(({ eventId }) => eventId > after)
    .sort((a, b) => compare(a.eventId, b.eventId))
    .slice(0, limit)
    .map((event) => ({ ...event, createdAt: new Date(event.createdAt) }));
