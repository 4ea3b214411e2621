/** Sending starts: many in one statement, each with its own result, again and again while the database is away. */
import type { Executor, Hints, PreparedStart, Started } from "@floxy/shared";
import { FloxyError, insertStarts, isFloxyError, isTransient, noHints } from "@floxy/shared";
import type { Batcher } from "../calls/batcher.ts";
import { createBatcher, fulfilled, rejected } from "../calls/batcher.ts";
import type { TimedCall } from "../calls/deadline.ts";
import { createDeadlines } from "../calls/deadline.ts";
import { backoffMs, pause, retryTransient } from "../calls/retry.ts";

/** The most starts that go out in one statement. */
export const startBatchLimit = 500;

/** The most payload that goes out in one statement, in characters. */
export const startBatchWeight = 8 * 1_048_576;

/** The parameters of {@link createStarter}. */
export interface StarterParams {
  readonly db: Executor;
  readonly timeoutMs: number;
  readonly random: () => number;
  /** Gets what the starts of a batch have made possible. */
  readonly onHints: (hints: Hints) => void;
  /** Told of each failure that is followed by another try. */
  readonly onRetry: (error: unknown) => void;
}

/** Starts instances on the client's own connections. */
export interface Starter {
  /** Prepares a start and sends it. Throws `DATABASE_UNAVAILABLE` when the database stays away for too long. */
  start(prepare: () => Promise<PreparedStart>): Promise<Started>;
  /**
   * Sends many in one statement of their own. Answers for each, in order, what became of it or why it was refused. Throws
   * `DATABASE_UNAVAILABLE` when the database stays away for too long; then it is not known which of them exist.
   */
  startMany(starts: readonly PreparedStart[]): Promise<readonly (Started | FloxyError)[]>;
  /** Repeats what only reads while the database cannot be reached. Throws `DATABASE_UNAVAILABLE` as well. */
  reach<T>(call: () => Promise<T>): Promise<T>;
  /** Rejects what has not gone out with the error; resolves when what has gone out is back. */
  close(error: FloxyError): Promise<void>;
}

/** Makes a starter. */
export const createStarter = (params: StarterParams): Starter => {
  const { db, timeoutMs, random, onHints, onRetry } = params;
  const run = async (starts: readonly PreparedStart[]) => {
    const hints = noHints();
    const outcomes = await insertIsolated(db, starts, hints);
    onHints(hints);
    return outcomes;
  };
  const newLane = () =>
    createBatcher({ run, maxItems: startBatchLimit, maxWeight: startBatchWeight, weigh, returns: true });
  // A start whose key another transaction is just using waits for that transaction's end. Those without a key do not
  // wait with it.
  const keyed = newLane();
  const keyless = newLane();
  const deadlines = createDeadlines(timeoutMs);
  const underway = new Set<Promise<unknown>>();
  let closed: FloxyError | undefined;

  const startWithin = async (call: TimedCall, prepare: () => Promise<PreparedStart>): Promise<Started> => {
    let prepared: PreparedStart | undefined;
    let lane: Batcher<PreparedStart, Started> | undefined;
    let last: unknown;
    for (let tries = 0; ; tries += 1) {
      try {
        // Prepared once: its id tells the database that a repeat is one.
        prepared ??= await call.await(prepare());
        lane = prepared.row.idempotencyKey === null ? keyless : keyed;
        return await call.await(lane.add(prepared));
      } catch (error) {
        if (!call.isLate && isTransient(error)) {
          last = error;
          onRetry(error);
          await waitWithin(call, backoffMs(tries, random));
        } else if (!call.isLate) throw error;
      }
      if (!call.isLate) continue;
      const error = unanswered(prepared, timeoutMs, last);
      if (prepared !== undefined) lane?.drop(prepared, error);
      throw error;
    }
  };

  /** Sends some; answers those that the database has answered, by their place, and keeps the others in `open`. */
  const sendSome = async (starts: readonly PreparedStart[], open: Set<number>, answers: (Started | FloxyError)[]) => {
    if (closed !== undefined) throw closed;
    const places = [...open];
    const sending = run(places.map((place) => starts[place] as PreparedStart));
    underway.add(sending);
    const outcomes = await sending.finally(() => underway.delete(sending));
    let passing: unknown;
    for (const [index, outcome] of outcomes.entries()) {
      const place = places[index] as number;
      if (outcome.status === "fulfilled") answers[place] = outcome.value;
      else if (isRefusal(outcome.reason)) answers[place] = outcome.reason;
      else {
        passing = outcome.reason;
        continue;
      }
      open.delete(place);
    }
    if (open.size > 0) throw passing;
  };

  const reach = async <T>(call: () => Promise<T>): Promise<T> => {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    let last: unknown;
    const noteRetry = (error: unknown) => {
      last = error;
      onRetry(error);
    };
    try {
      return await retryTransient(call, { signal: deadline.signal, random, onRetry: noteRetry });
    } catch (error) {
      if (!deadline.signal.aborted) throw error;
      const message = `The database did not answer within ${timeoutMs} ms${reasonOf(last)}.`;
      throw new FloxyError("DATABASE_UNAVAILABLE", message, { cause: last });
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    async start(prepare) {
      const call = deadlines.begin();
      try {
        return await startWithin(call, prepare);
      } finally {
        call.end();
      }
    },
    async startMany(starts) {
      const open = new Set(starts.keys());
      const answers: (Started | FloxyError)[] = [];
      await reach(() => sendSome(starts, open, answers));
      return answers;
    },
    reach,
    async close(error) {
      closed = error;
      await Promise.all([keyed.close(error), keyless.close(error), ...[...underway].map((one) => one.catch(() => {}))]);
    },
  };
};

/** Whether it concerns this one start, and not the way to the database. */
const isRefusal = (error: unknown): error is FloxyError =>
  isFloxyError(error, "IDEMPOTENCY_CONFLICT") || isFloxyError(error, "INTERNAL");

const waitWithin = async (call: TimedCall, ms: number): Promise<void> => {
  const over = new AbortController();
  // That its time is over is seen by whoever looks next.
  await call.await(pause(ms, over.signal)).catch(() => {});
  over.abort();
};

const weigh = ({ row }: PreparedStart): number => row.input.length + row.metadata.length;

const unanswered = (prepared: PreparedStart | undefined, timeoutMs: number, cause: unknown): FloxyError => {
  const instanceId = prepared?.row.instanceId;
  const known =
    instanceId === undefined
      ? "nothing was written"
      : `instance ${instanceId} may exist or not: look with client.get(), or use idempotency keys and start again`;
  const message = `The database did not answer the start within ${timeoutMs} ms${reasonOf(cause)}; ${known}.`;
  return new FloxyError("DATABASE_UNAVAILABLE", message, {
    cause,
    data: instanceId === undefined ? {} : { instanceId },
  });
};

const reasonOf = (cause: unknown): string => (cause instanceof Error ? ` (${cause.message})` : "");

type Outcome = PromiseSettledResult<Started>;

/**
 * Inserts starts in one statement. When the database refuses it for what one of them holds, it is halved until that one
 * stands alone, so that nobody fails for another's sake.
 */
const insertIsolated = async (db: Executor, starts: readonly PreparedStart[], hints: Hints): Promise<Outcome[]> => {
  try {
    const results = await insertStarts(db, starts, hints, { alone: true });
    return results.map((result) => (result instanceof FloxyError ? rejected(result) : fulfilled(result)));
  } catch (error) {
    // What passes is sent again, and what is typed does not come from one of them.
    if (isTransient(error) || error instanceof FloxyError) throw error;
    if (starts.length === 1) return [rejected(refused(error))];
    const middle = starts.length >> 1;
    const first = await insertIsolated(db, starts.slice(0, middle), hints);
    try {
      return [...first, ...(await insertIsolated(db, starts.slice(middle), hints))];
    } catch (later) {
      return [...first, ...starts.slice(middle).map(() => rejected(later))];
    }
  }
};

const refused = (error: unknown): FloxyError => {
  const said = error instanceof Error ? error.message : String(error);
  return new FloxyError("INTERNAL", `The database refused the start, and nothing was written: ${said}.`, {
    cause: error,
  });
};
