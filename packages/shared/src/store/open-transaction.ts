/**
 * Transactions that stay open while code of users runs in them. Each has a connection to itself; what is ours and what is
 * theirs goes through the same one, and is committed together.
 */
import type pg from "pg";
import { FloxyError } from "../vocabulary/error.ts";
import { asConnectError } from "./database-error.ts";
import type { Executor, Statement } from "./executor.ts";
import type { Loan } from "./transaction.ts";
import { ask } from "./transaction.ts";

/** A statement as users give it to a client of the driver. */
export interface UserStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  readonly rowMode?: "array" | undefined;
  /** Type parsers, as the driver takes them. */
  readonly types?: unknown;
}

/** What the driver answers to a statement. */
export interface UserResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: unknown[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

/** A transaction that is open. It ends with {@link OpenTransaction.commit} or {@link OpenTransaction.rollback}. */
export interface OpenTransaction {
  /** For our own statements. */
  readonly executor: Executor;
  /** Runs one statement of a user, with the driver's own type parsers. Rejects with the driver's own errors. */
  ask(statement: UserStatement): Promise<UserResult>;
  /**
   * Makes the transaction ready for our own statements: constraints that were put off are checked, and what the user has set
   * in it does not bind us. Answers whether it still is the transaction that was begun. Rejects if a statement in it has
   * failed, or a constraint does not hold.
   */
  takeOver(): Promise<boolean>;
  /** Rejects when it is not known to have been committed. The connection is given back or dropped in any case. */
  commit(): Promise<void>;
  /** Rolls back, and ends the connection for that if a statement is still under way. Never rejects. */
  rollback(): Promise<void>;
  /** Drops the connection at once, whatever is under way. */
  drop(): void;
}

/** Connections for {@link OpenTransaction}s. */
export interface TransactionPool {
  /**
   * Begins a transaction (READ COMMITTED). The server ends it by itself when it stands still, or a statement of it runs, for
   * `longestMs`.
   */
  begin(longestMs: number): Promise<OpenTransaction>;
  /** Ends all connections once they are given back. */
  close(): Promise<void>;
}

/** What a {@link TransactionPool} is made of. */
export interface TransactionPoolParts {
  readonly pool: pg.Pool;
  /** The quoted name of the schema. */
  readonly schema: string;
  readonly prepare: boolean;
  /** The type parsers of our own statements. */
  readonly types: pg.CustomTypesConfig;
  /** Other connections to the same database, from which a backend is ended that does not answer. */
  readonly others: Executor;
  readonly close: () => Promise<void>;
}

/** Once a transaction is ours it has the lock of its instance, so it may not stand still for long, in milliseconds. */
const ourIdleMs = 10_000;
/** The longest time for one of our statements in it, in milliseconds. */
const ourStatementMs = 30_000;
/** How long to wait for the end of a transaction that is given up, in milliseconds. */
const farewellMs = 2_000;
/** How long to wait for it behind a statement that is still under way. */
const busyFarewellMs = 250;

/** Makes a pool of transactions. */
export const transactionPool = (parts: TransactionPoolParts): TransactionPool => {
  const { pool, close } = parts;
  return {
    close,
    async begin(longestMs) {
      const client = await pool.connect().catch((error: unknown) => {
        throw asConnectError(error);
      });
      const loan: Loan = { client, spoilt: false };
      const boundMs = Math.min(Math.ceil(longestMs), maxTimerMs);
      try {
        return openTransaction(parts, loan, boundMs, identityOf(await ask(loan, beginText(boundMs))));
      } catch (error) {
        loan.client.release(true);
        throw error;
      }
    },
  };
};

/** What tells a transaction from any other: the process that has it, and when it began, in microseconds. */
interface Identity {
  readonly pid: string;
  readonly began: string;
}

const openTransaction = (
  { schema, prepare, types, others }: TransactionPoolParts,
  loan: Loan,
  longestMs: number,
  identity: Identity,
): OpenTransaction => {
  let underway = 0;
  let isGivenBack = false;

  const tracked = async <T>(answer: Promise<T>): Promise<T> => {
    underway++;
    return answer.finally(() => {
      underway--;
    });
  };

  const giveBack = async (): Promise<void> => {
    if (isGivenBack) return;
    isGivenBack = true;
    // A pooler gives each transaction another session, so there is nothing of ours to tidy.
    if (!loan.spoilt && prepare) {
      await ask(loan, tidyText).catch(() => {
        loan.spoilt = true;
      });
    }
    loan.client.release(loan.spoilt);
  };

  const drop = (): void => {
    if (isGivenBack) return;
    loan.spoilt = true;
    loan.client.connection.stream.destroy();
    void giveBack();
  };

  return {
    executor: {
      schema,
      async query<Row extends object>(statement: Statement, values: readonly unknown[] = []) {
        const { name, text } = statement;
        const answer = ask(loan, { text: text(schema), values: [...values], types, ...(prepare && { name }) });
        return (await tracked(answer)).rows as Row[];
      },
    },
    ask: ({ values = [], ...rest }) => {
      // One statement at a time, by the protocol: no text can hold a COMMIT behind something harmless.
      const more = { queryMode: "extended", query_timeout: longestMs };
      const config = { ...rest, ...more, values: [...values] } as pg.QueryConfig<unknown[]>;
      return tracked(loan.client.query(config));
    },
    async takeOver() {
      const { began } = identityOf(await tracked(ask(loan, takeOverText)));
      return began === identity.began && loan.client.getTransactionStatus() === "T";
    },
    async commit() {
      try {
        const { command } = await ask(loan, "COMMIT");
        if (command !== "COMMIT") throw new FloxyError("INTERNAL", "PostgreSQL rolled the transaction back");
      } catch (error) {
        // Whatever was answered: only a connection that is gone lets nobody commit any more.
        drop();
        throw error;
      }
      void giveBack();
    },
    async rollback() {
      if (isGivenBack) return;
      const patienceMs = underway === 0 ? farewellMs : busyFarewellMs;
      if (!loan.spoilt && (await within(patienceMs, ask(loan, "ROLLBACK")))) return void giveBack();
      // The server does not look at a connection while a statement runs, or waits for a lock, on it.
      await within(farewellMs, others.query(endBackendStatement, [identity.pid, identity.began]));
      drop();
    },
    drop,
  };
};

/** Whether it came to a good end in time. */
const within = async (ms: number, work: Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
};

/** The longest time that a Node timer can hold. */
const maxTimerMs = 2_147_483_647;

const identityText = `SELECT pg_backend_pid()::text AS pid,
  (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint::text AS began`;

// The answers to a text of several statements; the last tells who we are.
const identityOf = (answers: unknown): Identity => {
  const last = Array.isArray(answers) ? (answers.at(-1) as { readonly rows: Identity[] } | undefined) : undefined;
  const [identity] = last?.rows ?? [];
  if (identity === undefined) throw new FloxyError("INTERNAL", "the server did not say which transaction was begun");
  return identity;
};

const beginText = (longestMs: number): string =>
  `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL idle_in_transaction_session_timeout = ${longestMs};
SET LOCAL statement_timeout = ${longestMs};
${identityText}`;

// Constraints are checked before we lock the instance: their locks on rows of users come before ours, like all of them.
const takeOverText = `SET LOCAL statement_timeout = ${ourStatementMs};
SET LOCAL idle_in_transaction_session_timeout = ${ourIdleMs};
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL lock_timeout = 0;
RESET ROLE;
${identityText}`;

// What users may have left in the session, for those who come next. Our own prepared statements stay.
const tidyText =
  "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

// Of this transaction only: its process may be somebody else's by now.
const endBackendStatement: Statement = {
  name: "end_backend",
  text: () => `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1::int AND (extract(epoch FROM xact_start) * 1000000)::bigint = $2::bigint`,
};
