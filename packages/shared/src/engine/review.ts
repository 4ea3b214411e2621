/**
 * Reviewing instances: an orchestrator takes notes from the inbox, locks the instances, loads their state, lets the
 * core decide, and writes the decisions, all in one transaction. Any number of orchestrators share the work.
 */
import { isTransient } from "../store/database-error.ts";
import type { Database, Executor } from "../store/executor.ts";
import type { InboxRow } from "../store/inbox.ts";
import { postponeInbox, takeInbox } from "../store/inbox.ts";
import { isTerminal } from "../vocabulary/status.ts";
import { reviewLoaded } from "./apply.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import { loadInstances } from "./state.ts";

/** The parameters of {@link reviewInbox}. */
export interface ReviewParams {
  /** The most notes to take. */
  readonly limit: number;
  readonly hints: Hints;
  /** Told of a note that could not be handled; it is put back and tried again later. */
  readonly onPostponed: (instanceId: string, error: unknown) => void;
}

/** Handles notes of the inbox, at most `limit`. Answers how many it took. */
export const reviewInbox = async (db: Database, graphs: GraphCache, params: ReviewParams): Promise<number> => {
  const taken: InboxRow[] = [];
  try {
    return await db.transaction((tx) => reviewNotes(tx, graphs, params.limit, params.hints, taken));
  } catch (error) {
    if (isTransient(error)) throw error;
    // One note that cannot be handled must not hold up the others: they are handled one by one, and it is put back.
    const [only] = taken;
    if (taken.length > 1) return reviewEach(db, graphs, params, taken.length);
    if (only === undefined) throw error;
    await postponeInbox(db, { inboxId: only.inboxId, delayMs: backoffMs(only.attempt), error: String(error) });
    params.onPostponed(only.instanceId, error);
    return 1;
  }
};

const reviewEach = async (db: Database, graphs: GraphCache, params: ReviewParams, count: number): Promise<number> => {
  for (let done = 0; done < count; done++) await reviewInbox(db, graphs, { ...params, limit: 1 });
  return count;
};

const backoffMs = (attempt: number): number => Math.min(1_000 * 2 ** attempt, 300_000);

const reviewNotes = async (
  tx: Executor,
  graphs: GraphCache,
  limit: number,
  hints: Hints,
  taken: InboxRow[],
): Promise<number> => {
  taken.push(...(await takeInbox(tx, limit)));
  if (taken.length === 0) return 0;
  const ids = [...new Set(taken.map(({ instanceId }) => instanceId))];
  const loaded = await loadInstances(tx, graphs, ids, { only: ({ status }) => !isTerminal(status) });
  await reviewLoaded(tx, graphs, loaded, hints);
  return taken.length;
};
