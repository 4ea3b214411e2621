/** Stopping a worker in good order, within a time that is bounded whatever handlers and the database do. */
import type { Database, Listener, Notifier } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import type { Claimer } from "./claimer.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { ResolvedWorkerOptions } from "./options.ts";
import type { Running } from "./running.ts";
import type { Settler } from "./settler.ts";
import type { Transactions } from "./transactions.ts";

/** The parts of a worker. */
export interface DrainParams {
  readonly options: Pick<ResolvedWorkerOptions, "drainMs" | "graceMs" | "logger">;
  readonly running: Running;
  readonly claimer: Claimer;
  readonly settler: Settler;
  readonly keeper: LeaseKeeper;
  readonly listener: Listener | undefined;
  readonly notifier: Notifier;
  readonly transactions: Transactions | undefined;
  readonly databases: readonly Pick<Database, "close">[];
}

/** The least time that the database gets for its last answers, in milliseconds. */
const farewellMs = 1_000;

/**
 * Claims nothing more, lets what runs finish, aborts it, gives it back, writes what is to be written, and closes all
 * connections. Leases are extended until the last result is written. Never rejects.
 */
export const drain = async (params: DrainParams): Promise<void> => {
  const { running, claimer, settler, keeper, listener, notifier, transactions, databases, options } = params;
  const { drainMs, graceMs, logger } = options;
  const patienceMs = Math.max(graceMs, farewellMs);
  // A claim that is under way may still lease something, which is then given back.
  const lookedLast = claimer.stop();
  // A handler that goes on after its result is known, because its time was up, was told to stop before.
  await within(drainMs, Promise.all([lookedLast, running.settled()]));
  const shutdown = new FloxyError("SHUTDOWN", "the worker is shutting down");
  for (const attempt of running.attempts) attempt.abort(shutdown);
  await within(graceMs, running.empty());
  for (const attempt of running.attempts) attempt.giveUp(shutdown);
  // What was just given up reaches the settler a moment later, so that it alone could not tell that all is written.
  const written = Promise.all([lookedLast, running.settled()]).then(() => settler.flushed());
  if (!(await within(patienceMs, written))) {
    settler.giveUp();
    transactions?.giveUp();
    // Not for the last look: a connection through which nothing comes back would keep it for as long as a query may take.
    await running.settled().then(() => settler.flushed());
  }
  const closed = Promise.allSettled([keeper.stop(), listener?.close(), notifier.close()]).then(() =>
    Promise.allSettled(databases.map((db) => db.close())),
  );
  // A connection through which nothing comes back could hold us up for a quarter of an hour.
  if (!(await within(patienceMs, closed)))
    logger.warn("connections could not be closed in time; the worker has stopped");
};

/** Waits for a promise, but not longer than `ms`; says whether it came in time. */
const within = async (ms: number, promise: Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
};
