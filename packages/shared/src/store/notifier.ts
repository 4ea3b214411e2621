/**
 * Telling other processes that there is something to look at. A NOTIFY takes a lock of the whole database when its
 * transaction commits, so there is none for each change: what is to be told is collected, and a process sends at most
 * one statement in twenty milliseconds. It is a hint only; whoever misses it finds the same by polling.
 */
import type { Channel } from "./channel.ts";
import { channelName, encodeItems, everything } from "./channel.ts";
import type { Executor } from "./executor.ts";
import { columns, statement, unquoteIdentifier, verb } from "./executor.ts";

/** How to make a {@link Notifier}. */
export interface NotifierOptions {
  /** Where to send; its schema names the channels. */
  readonly db: Executor;
  /** The least time between two statements, in milliseconds; 20 unless told. */
  readonly minIntervalMs?: number | undefined;
  /** Called when hints could not be sent. They are dropped. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Sends hints to other processes. */
export interface Notifier {
  /** Tells of items soon: at once after a silence, else with the next statement. Never throws and never waits. */
  notify(channel: Channel, items: Iterable<string>): void;
  /** Sends what was collected, and nothing from then on. */
  close(): Promise<void>;
}

/** How many times as long it rests at most, when there is always something to tell. */
const busyFactor = 20;

/** The most items kept for a channel; beyond it, everybody is told to look at everything. */
const itemLimit = 1_000;

/** Makes a notifier. */
export const createNotifier = ({ db, minIntervalMs = 2, onError }: NotifierOptions): Notifier => {
  const schema = unquoteIdentifier(db.schema);
  const collected = new Map<Channel, Set<string>>();
  let running: Promise<void> | undefined;
  let endRest: (() => void) | undefined;
  let closed = false;

  const send = async (): Promise<void> => {
    const notes = [...collected].flatMap(([channel, items]) =>
      encodeItems(items).map((payload) => ({ channel: channelName(schema, channel), payload })),
    );
    collected.clear();
    try {
      await notify(db, notes);
    } catch (error) {
      report(error);
    }
  };

  const report = (error: unknown): void => {
    try {
      onError?.(error);
    } catch {
      // A hint that was lost and could not even be reported is still no more than a hint.
    }
  };

  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  // One statement at a time, so a slow database collects more hints and not more statements.
  const run = async (): Promise<void> => {
    await Promise.resolve(); // What the same tick still has to tell goes along.
    let intervalMs = minIntervalMs;
    while (collected.size > 0) {
      const sentAt = performance.now();
      await send();
      if (!closed) await rest(Math.max(0, intervalMs - (performance.now() - sentAt)));
      // Each wakes all who listen. While there is always something to tell, nobody who works needs to hear it at once.
      intervalMs = Math.min(2 * intervalMs, busyFactor * minIntervalMs);
    }
    running = undefined;
  };

  return {
    notify(channel, items) {
      if (closed) return;
      const set = collected.get(channel) ?? new Set();
      for (const item of items) add(set, item);
      if (set.size === 0) return;
      collected.set(channel, set);
      running ??= run();
    },
    async close() {
      closed = true;
      endRest?.();
      await running;
    },
  };
};

const add = (set: Set<string>, item: string): void => {
  if (set.has(everything)) return;
  const tooMany = set.size >= itemLimit && !set.has(item);
  if (tooMany || item === everything) set.clear();
  set.add(tooMany ? everything : item);
};

/** Sends notifications, each on its channel. */
export const notify = verb(
  "notify",
  async (db: Executor, notes: readonly { readonly channel: string; readonly payload: string }[]): Promise<void> => {
    await db.query(notifyStatement, columns(notes, ["channel", "payload"]));
  },
);

const notifyStatement = statement(
  "notify",
  () => `SELECT pg_notify(channel, payload)::text FROM unnest($1::text[], $2::text[]) AS note(channel, payload)`,
);
