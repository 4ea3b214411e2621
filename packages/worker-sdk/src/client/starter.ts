/** Sending starts: many in one statement, each with its own result, again and again while the database is away. */
import type { Executor, Hints, PreparedStart, Started } from "@floxy/shared";
import { FloxyError, insertStarts, isTransient, noHints } from "@floxy/shared";
import type { Batcher } from "../calls/batcher.ts";
import { createBatcher, fulfilled, rejected } from "../calls/batcher.ts";
import { retryTransient } from "../calls/retry.ts";

/** The most starts that go out in one statement. */
export const startBatchLimit = 500;

/** The most payload that goes out in one statement, in characters. */
const startBatchWeight = 8 * 1_048_576;

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
  const newLane = () => createBatcher({ run, maxItems: startBatchLimit, maxWeight: startBatchWeight, weigh });
  // A start whose key another transaction is just using waits for that transaction's end. Those without a key do not
  // wait with it.
  const keyed = newLane();
  const keyless = newLane();

  return {
    async start(prepare) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), timeoutMs);
      let prepared: PreparedStart | undefined;
      let last: unknown;
      const send = async (): Promise<Started> => {
        // Prepared once: its id tells the database that a repeat is one.
        prepared ??= await prepare();
        const lane: Batcher<PreparedStart, Started> = prepared.row.idempotencyKey === null ? keyless : keyed;
        return lane.add(prepared, deadline.signal);
      };
      const noteRetry = (error: unknown) => {
        last = error;
        onRetry(error);
      };
      try {
        return await retryTransient(send, { signal: deadline.signal, random, onRetry: noteRetry });
      } catch (error) {
        throw deadline.signal.aborted ? unanswered(prepared, timeoutMs, last) : error;
      } finally {
        clearTimeout(timer);
      }
    },
    async close(error) {
      await Promise.all([keyed.close(error), keyless.close(error)]);
    },
  };
};

const weigh = ({ row }: PreparedStart): number => row.input.length + row.metadata.length;

const unanswered = (prepared: PreparedStart | undefined, timeoutMs: number, cause: unknown): FloxyError => {
  const instanceId = prepared?.row.instanceId;
  const known =
    instanceId === undefined
      ? "nothing was written"
      : `instance ${instanceId} may exist or not: look with client.get(), or use idempotency keys and start again`;
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  const message = `The database did not answer the start within ${timeoutMs} ms${why}; ${known}.`;
  return new FloxyError("DATABASE_UNAVAILABLE", message, {
    cause,
    data: instanceId === undefined ? {} : { instanceId },
  });
};

type Outcome = PromiseSettledResult<Started>;

/**
 * Inserts starts in one statement. When the database refuses it for what one of them holds, it is halved until that one
 * stands alone, so that nobody fails for another's sake.
 */
const insertIsolated = async (db: Executor, starts: readonly PreparedStart[], hints: Hints): Promise<Outcome[]> => {
  try {
    const results = await insertStarts(db, starts, hints);
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
