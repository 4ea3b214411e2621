/** Taking over: steps whose worker died, hung or was cut off. A lost attempt counts as an attempt. */

import { isTransient } from "../store/database-error.ts";
import type { Database } from "../store/executor.ts";
import type { ExpiredLease } from "../store/queue.ts";
import { findExpired } from "../store/queue.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import type { FinishedAttempt } from "./settle.ts";
import { settleAttempts } from "./settle.ts";

/** The parameters of {@link takeOverExpired}. */
export interface TakeOverParams {
  /** The most leases to take over. */
  readonly limit: number;
  readonly workerId: string;
  readonly hints: Hints;
  /** Told of an instance whose lease could not be taken over; it stays expired and is tried again next time. */
  readonly onNotTakenOver: (instanceId: string, error: unknown) => void;
}

/**
 * Takes over expired leases: the step goes back into the queue at once, or has failed with an unknown outcome if it has
 * no attempt left. Answers how many were taken over.
 */
export const takeOverExpired = async (db: Database, graphs: GraphCache, params: TakeOverParams): Promise<number> => {
  const { limit, workerId, hints, onNotTakenOver } = params;
  const attempts: Awaited<ReturnType<typeof lostAttempt>>[] = [];
  for (const lease of await findExpired(db, limit)) {
    try {
      attempts.push(await lostAttempt(db, graphs, lease));
    } catch (error) {
      // One instance whose definition cannot be loaded must not keep the others from being taken over.
      if (isTransient(error)) throw error;
      onNotTakenOver(lease.instanceId, error);
    }
  }
  if (attempts.length === 0) return 0;
  const results = await settleAttempts(db, { attempts, workerId, hints, onlyExpired: true, random: () => 0 });
  for (const { handler } of attempts) hints.ready.add(handler);
  return results.filter((result) => result !== "lost").length;
};

const lostAttempt = async (
  db: Database,
  graphs: GraphCache,
  lease: ExpiredLease,
): Promise<FinishedAttempt & { readonly handler: string }> => {
  const graph = await graphs.get(db, lease.definitionName, lease.definitionVersion);
  const error: StepError = {
    code: "LEASE_LOST",
    message: `attempt ${lease.attempt} was lost: worker ${lease.workerId} neither settled it nor extended its lease`,
  };
  // The next worker takes over at once: the wait of the retry policy is for handlers that answered with an error.
  return { ...lease, graph, result: { kind: "failed", error, retryable: true, retryAfterMs: 0, called: true } };
};
