/** The history of an instance: page by page, or followed to its end. */
import type { EventRow, Executor } from "@floxy/shared";
import { FloxyError, getEvents, instanceNotFound, isId, statesOf } from "@floxy/shared";
import { pause, retryTransient } from "../calls/retry.ts";
import type { EndWatcher } from "./end-watcher.ts";

/** Which events to read. */
export interface EventsOptions {
  /** Only events after this one: the `eventId` of the last that was read. */
  readonly after?: number | undefined;
  /** The most events to answer, 1 to 1,000. Default 100. */
  readonly limit?: number | undefined;
}

/** Which events to follow. */
export interface FollowOptions {
  /** Only events after this one. */
  readonly after?: number | undefined;
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The most events of one page. */
const eventsLimit = 1_000;

/** Reads events, the oldest first. Throws `INSTANCE_NOT_FOUND` or `OPTION_INVALID`. */
export const readEvents = async (
  db: Executor,
  instanceId: string,
  { after = 0, limit = 100 }: EventsOptions = {},
): Promise<EventRow[]> => {
  assertInteger("after", after, 0, Number.MAX_SAFE_INTEGER);
  assertInteger("limit", limit, 1, eventsLimit);
  if (!isId(instanceId)) throw instanceNotFound(instanceId);
  const events = await getEvents(db, { instanceId, after, limit });
  if (events.length === 0 && (await statesOf(db, [instanceId])).length === 0) throw instanceNotFound(instanceId);
  return events;
};

const assertInteger = (name: string, value: number, least: number, most: number): void => {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const message = `${name} must be an integer from ${least} to ${most}, not ${String(value)}.`;
  throw new FloxyError("OPTION_INVALID", message);
};

/** The shortest and the longest time between two reads, in milliseconds. */
const readIntervalMs = { first: 1_000, last: 5_000 } as const;

/** How long a transaction may take to show an event whose number was given out before that of another. */
const settlingMs = 10_000;

/** What {@link followEvents} needs. */
export interface Following {
  readonly db: Executor;
  readonly watcher: EndWatcher;
  readonly random: () => number;
}

/**
 * Follows the events of an instance, each once, until it has ended and all are told. Events are told in the order of
 * their ids, except that two that happened at the same moment may come the other way round.
 */
export async function* followEvents(
  { db, watcher, random }: Following,
  instanceId: string,
  { after = 0, signal }: FollowOptions = {},
): AsyncGenerator<EventRow, void, undefined> {
  assertInteger("after", after, 0, Number.MAX_SAFE_INTEGER);
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  let over = false;
  const ended = watcher.ended(instanceId, controller.signal).then(() => {
    over = true;
  });
  ended.catch(() => {}); // It is awaited below, if the consumer comes back.
  const cursor = createCursor(after, (from) =>
    retryTransient(() => getEvents(db, { instanceId, after: from, limit: eventsLimit }), {
      signal: controller.signal,
      random,
    }),
  );
  let intervalMs: number = readIntervalMs.first;
  try {
    for (;;) {
      // Asked before reading: what was written up to the end is then certainly read.
      const last = over;
      let read = 0;
      for await (const event of cursor.readNew()) {
        read += 1;
        yield event;
      }
      if (last) return;
      intervalMs = read > 0 ? readIntervalMs.first : Math.min(intervalMs * 1.5, readIntervalMs.last);
      await Promise.race([ended, pause(intervalMs, controller.signal)]);
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    controller.abort();
  }
}

/**
 * A place in a history. Ids are given out before their transaction commits, so an event can show after one with a
 * greater id: what was read lately is read again, and told only if it is new.
 */
const createCursor = (after: number, readPage: (after: number) => Promise<EventRow[]>) => {
  /** Everything up to here was told, and nothing can show up any more. */
  let settled = after;
  const told = new Map<number, number>();

  const forgetOld = (): void => {
    const before = performance.now() - settlingMs;
    for (const [eventId, at] of told) {
      if (at > before) break;
      told.delete(eventId);
      settled = Math.max(settled, eventId);
    }
  };

  return {
    async *readNew(): AsyncGenerator<EventRow, void, undefined> {
      forgetOld();
      for (let from = settled; ; ) {
        const page = await readPage(from);
        const now = performance.now();
        for (const event of page) {
          from = event.eventId;
          if (told.has(event.eventId)) continue;
          told.set(event.eventId, now);
          yield event;
        }
        if (page.length < eventsLimit) return;
      }
    },
  };
};
