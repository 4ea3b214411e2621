/** Taking over: steps whose worker died, hung or was cut off. A lost attempt counts as an attempt. */

import type { Database } from "../store/executor.ts";
import type { ExpiredLease } from "../store/queue.ts";
import { findExpired } from "../store/queue.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import type { FinishedAttempt } from "./settle.ts";
import { settleAttempts } from "./settle.ts";

/**
 * Takes over expired leases, at most `limit`: the step goes back into the queue at once, or has failed with an unknown
 * outcome if it has no attempt left. Answers how many were taken over.
 */
export const takeOverExpired = async (
  db: Database,
  graphs: GraphCache,
  params: { readonly limit: number; readonly workerId: string; readonly hints: Hints },
): Promise<{ readonly found: number; readonly taken: number }> => {
  const expired = await findExpired(db, params.limit);
  if (expired.length === 0) return { found: 0, taken: 0 };
  const loaded = await Promise.allSettled(expired.map((lease) => lostAttempt(db, graphs, lease)));
  const attempts = loaded.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
  const failure = loaded.find((attempt) => attempt.status === "rejected");
  // One instance whose definition cannot be loaded must not keep the others from being taken over.
  if (attempts.length === 0 && failure !== undefined) throw failure.reason;
  const { workerId, hints } = params;
  const results = await settleAttempts(db, { attempts, workerId, hints, onlyExpired: true, random: () => 0 });
  for (const { handler } of attempts) hints.ready.add(handler);
  return { found: expired.length, taken: results.filter((result) => result !== "lost").length };
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
