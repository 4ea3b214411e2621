/** Performing acts: each in a transaction of its own, again and again while the database is away, and done once. */
import type { Database, GraphCache, Hints } from "@floxy/shared";
import { FloxyError, isTransient, newId, noHints } from "@floxy/shared";
import { retryTransient } from "../calls/retry.ts";

/** The parameters of {@link createActing}. */
export interface ActingParams {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly payloadLimit: number | undefined;
  readonly timeoutMs: number;
  readonly random: () => number;
  /** Gets what an act has made possible. */
  readonly onHints: (hints: Hints) => void;
  /** Told of each failure that is followed by another try. */
  readonly onRetry: (error: unknown) => void;
}

/** What an act of the engine takes from the client. */
export interface ActCall {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly payloadLimit: number | undefined;
  /** The same in each try, so that the database knows an act that was done and whose answer was lost. */
  readonly actId: string;
  readonly hints: Hints;
}

/** Performs acts on the client's own connections. */
export interface Acting {
  /** Performs an act. Throws `SHUTDOWN` once closed, and `DATABASE_UNAVAILABLE` when the database stays away for too long. */
  act<Result>(perform: (call: ActCall) => Promise<Result>): Promise<Result>;
  /** Reads with what the client has. Throws `SHUTDOWN` once closed. */
  read<Result>(look: (db: Database) => Promise<Result>): Promise<Result>;
  /** Rejects acts that wait for another try with the error; resolves when what has gone out is back. */
  close(error: FloxyError): Promise<void>;
}

interface Ongoing {
  readonly stop: AbortController;
  sending: boolean;
}

/** Makes the acting of a client. */
export const createActing = (params: ActingParams): Acting => {
  const { db, graphs, payloadLimit, timeoutMs, random, onHints, onRetry } = params;
  const acts = new Map<Ongoing, Promise<unknown>>();
  let closed: FloxyError | undefined;

  const repeat = async <Result>(ongoing: Ongoing, perform: (call: ActCall) => Promise<Result>): Promise<Result> => {
    const { stop } = ongoing;
    const actId = newId();
    let last: unknown;
    const timer = setTimeout(() => stop.abort(unanswered(actId, timeoutMs, last)), timeoutMs);
    const send = async (): Promise<Result> => {
      ongoing.sending = true;
      const hints = noHints();
      try {
        const result = await perform({ db, graphs, payloadLimit, actId, hints });
        onHints(hints);
        return result;
      } finally {
        ongoing.sending = false;
      }
    };
    const noteRetry = (error: unknown): void => {
      last = error;
      onRetry(error);
    };
    const mayPass = (error: unknown): boolean => closed === undefined && isTransient(error);
    try {
      return await retryTransient(send, { signal: stop.signal, random, mayPass, onRetry: noteRetry });
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    async act(perform) {
      if (closed !== undefined) throw closed;
      const ongoing: Ongoing = { stop: new AbortController(), sending: false };
      const over = repeat(ongoing, perform);
      acts.set(ongoing, over);
      return over.finally(() => acts.delete(ongoing));
    },
    async read(look) {
      if (closed !== undefined) throw closed;
      return look(db);
    },
    async close(error) {
      closed = error;
      for (const { stop, sending } of acts.keys()) if (!sending) stop.abort(error);
      await Promise.allSettled(acts.values());
    },
  };
};

const unanswered = (actId: string, timeoutMs: number, cause: unknown): FloxyError => {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  const message = `The database did not answer within ${timeoutMs} ms${why}; the act may have been done or not: look with client.audit(), or ask again.`;
  return new FloxyError("DATABASE_UNAVAILABLE", message, { cause, data: { actId } });
};
