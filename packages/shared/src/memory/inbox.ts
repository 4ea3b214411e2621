/** The inbox in memory. */
import type { InboxRow } from "../store/inbox.ts";
import type { Tables } from "./tables.ts";
import { only } from "./tables.ts";

/** Writes a note: have a look at this instance. */
export const note = (tables: Tables, instanceId: string): void => {
  const visibleAt = tables.clock.transaction.now;
  tables.inbox.insert({ inboxId: tables.next("inbox"), instanceId, visibleAt, attempt: 0, error: null });
};

/** See {@link import("../store/inbox.ts").takeInbox}. */
export const takeInbox = (tables: Tables, limit: number): InboxRow[] => {
  const due = tables.inbox.bucket(only).filter(({ visibleAt }) => visibleAt <= tables.clock.now);
  return due.slice(0, limit).map(({ inboxId, instanceId, attempt }) => {
    tables.inbox.delete(only, inboxId);
    return { inboxId, instanceId, attempt };
  });
};

/** See {@link import("../store/inbox.ts").putInbox}. */
export const putInbox = (tables: Tables, notes: readonly { readonly instanceId: string }[]): void => {
  for (const { instanceId } of notes) note(tables, instanceId);
};

/** See {@link import("../store/inbox.ts").postponeInbox}. */
export const postponeInbox = (
  tables: Tables,
  { inboxId, delayMs, error }: { readonly inboxId: number; readonly delayMs: number; readonly error: string },
): void => {
  const before = tables.inbox.get(only, inboxId);
  if (before === undefined) return;
  const visibleAt = tables.clock.now + delayMs;
  tables.inbox.put({ ...before, attempt: before.attempt + 1, visibleAt, error });
};
