/** Transactions on a connection that is lent from the pool. */
import type pg from "pg";
import { FloxyError } from "../vocabulary/error.ts";
import { asStoreError, codeOf, spoilsConnection } from "./database-error.ts";

/** A connection while it is lent. */
export interface Loan {
  readonly client: pg.PoolClient;
  /** Whether it must be dropped when it is given back. */
  spoilt: boolean;
}

/** Asks the server, and notes on the loan what an error means for the connection. */
export const ask = async (loan: Loan, query: string | pg.QueryConfig<unknown[]>): Promise<pg.QueryResult> => {
  try {
    return await loan.client.query(query);
  } catch (error) {
    loan.spoilt ||= spoilsConnection(error);
    throw asStoreError(error);
  }
};

/** Runs a statement as part of the transaction. */
export type Track = <T>(query: () => Promise<T>) => Promise<T>;

/**
 * Runs `work` between BEGIN and COMMIT. The answer to BEGIN is awaited: were it cancelled while statements follow behind
 * it, those would take effect one by one. A statement that failed fails the transaction, also when `work` caught its error
 * or did not wait for it: PostgreSQL would answer the COMMIT with a quiet ROLLBACK.
 *
 * @param idleMs after this long the server ends the transaction of a client that is silent.
 */
export const inTransaction = async <T>(loan: Loan, idleMs: number, work: (track: Track) => Promise<T>): Promise<T> => {
  const failures: unknown[] = [];
  const answers: Promise<unknown>[] = [];
  let over = false;
  const track: Track = (query) => {
    if (over) return Promise.reject(new FloxyError("INTERNAL", "the transaction is over; await all its statements"));
    const answer = query();
    // Also of one that nobody awaits any more because another has failed; it must not count as unhandled.
    answers.push(answer.catch((error: unknown) => failures.push(error)));
    return answer;
  };
  /** The first statement that failed, once all have been answered. */
  const firstFailure = async (): Promise<unknown> => {
    await Promise.all(answers);
    return failures[0];
  };
  try {
    await ask(loan, beginText(idleMs));
    const result = await work(track).finally(() => {
      over = true;
    });
    const failure = await firstFailure();
    if (failure !== undefined) throw failure;
    const { command } = await ask(loan, "COMMIT");
    if (command === "COMMIT") return result;
    throw new FloxyError("INTERNAL", "PostgreSQL rolled the transaction back and did not say why");
  } catch (error) {
    // A spoilt connection is closed, which rolls back as well; so is one that cannot even do this.
    if (!loan.spoilt) {
      await ask(loan, "ROLLBACK").catch(() => {
        loan.spoilt = true;
      });
    }
    // Whoever awaited a later statement first learned only that the transaction had failed before.
    throw codeOf(error) === "25P02" ? ((await firstFailure()) ?? error) : error;
  }
};

// `SET LOCAL` in the same message as BEGIN costs no round trip, and unlike a startup parameter or a session's setting it
// passes through pgbouncer. It ends the transaction of a host that vanished, which would keep its row locks for hours.
// The level is said because the statements count on it, and a role may have another default.
const beginText = (idleMs: number): string =>
  `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${Math.round(idleMs)}`;
