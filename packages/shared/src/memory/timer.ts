/** Timers in memory. */
import { note } from "./inbox.ts";
import { upTo } from "./queue.ts";
import type { Tables } from "./tables.ts";
import { only } from "./tables.ts";

/** Removes the timers of an instance. */
export const removeTimers = (tables: Tables, instanceId: string): void => {
  for (const { node } of tables.timer.of(instanceId)) tables.timer.delete(instanceId, node);
};

/** See {@link import("../store/inbox.ts").ringTimers}. */
export const ringTimers = (tables: Tables, limit: number): number => {
  const due = upTo(tables.timer.bucket(only), limit, ({ dueAt }) => dueAt <= tables.clock.now);
  for (const { instanceId, node } of due) tables.timer.delete(instanceId, node);
  for (const instanceId of new Set(due.map((timer) => timer.instanceId))) note(tables, instanceId);
  return due.length;
};
