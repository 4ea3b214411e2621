/** Figures of the queue in memory. */
import type { QueueSample } from "../store/sample.ts";
import type { StoredQueued } from "./rows.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { only, waitsFor } from "./tables.ts";

const countLimit = 10_000;
const handlerLimit = 100;

/** See {@link import("../store/sample.ts").sampleQueue}. */
export const sampleQueue = (tables: Tables): QueueSample => {
  const count = (rows: readonly unknown[]): number => Math.min(rows.length, countLimit);
  const prefix = waitsFor("ready", "");
  const handlers = tables.queue
    .buckets()
    .filter((bucket) => bucket.startsWith(prefix))
    .map((bucket) => bucket.slice(prefix.length))
    .sort(compare)
    .slice(0, handlerLimit);
  const inbox = tables.inbox.bucket(only);
  const letters = tables.deadLetter.all();
  return {
    handlers: handlers.map((handler) => {
      const ready = tables.queue.bucket(waitsFor("ready", handler));
      return { handler, ready: count(ready), oldestSeconds: oldest(tables, ready) };
    }),
    delayed: count(tables.queue.bucket("delayed")),
    leased: count(tables.queue.bucket("leased")),
    inbox: count(inbox),
    postponed: count(inbox.filter(({ attempt }) => attempt > 0)),
    deadLetters: {
      forward: count(letters.filter(({ kind }) => kind === "forward")),
      compensation: count(letters.filter(({ kind }) => kind === "compensation")),
    },
  };
};

const oldest = (tables: Tables, ready: readonly StoredQueued[]): number => {
  const at = ready.slice(0, countLimit).reduce((least, { readyAt }) => Math.min(least, readyAt), Infinity);
  return Math.max(0, (tables.clock.now - at) / 1_000);
};
