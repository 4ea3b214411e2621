/**
 * The transactions of transactional handlers: opened before the call, and ended with the step. What a handler wrote, that
 * its step completed, and what follows from it are committed together or not at all.
 */
import type { AttemptResult, FinishedAttempt, Hints, OpenTransaction, TransactionPool } from "@floxy/shared";
import { FloxyError, isFloxyError, noHints, settleWithin } from "@floxy/shared";
import { retryTransient } from "../calls/retry.ts";
import type { Logger } from "../handler/context.ts";
import type { HandlerTransaction } from "../handler/transaction.ts";
import { failureOf, interrupted } from "./failure.ts";
import type { SettledAttempt } from "./settler.ts";
import type { Guard } from "./transaction-guard.ts";
import { guard } from "./transaction-guard.ts";

/** The transaction of one attempt. */
export interface AttemptTransaction {
  /** What the handler gets. */
  readonly client: HandlerTransaction;
  /** What watches over what the handler does with it. */
  readonly guard: Guard;
  readonly open: OpenTransaction;
}

/** What transactions need of their worker. */
export interface TransactionsOptions {
  readonly pool: TransactionPool;
  readonly workerId: string;
  readonly logger: Logger;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
  /** Told after each commit what it has made possible. */
  readonly onHints: (hints: Hints) => void;
}

/** How much longer than the attempt the server waits before it ends a transaction by itself, in milliseconds. */
const marginMs = 5_000;

/** Opens and ends the transactions of a worker. */
export class Transactions {
  readonly #options: TransactionsOptions;
  readonly #open = new Set<OpenTransaction>();
  #isGivenUp = false;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /**
   * Begins a transaction for an attempt that may take `timeoutMs`. Tries again until it has one or the signal fires; then it
   * rejects with the signal's reason.
   */
  async begin(timeoutMs: number, signal: AbortSignal): Promise<AttemptTransaction> {
    const { pool, random, logger } = this.#options;
    let begun: AttemptTransaction | undefined;
    const begin = async (): Promise<AttemptTransaction> => {
      const open = await pool.begin(timeoutMs + marginMs);
      if (signal.aborted) {
        // Nobody waits for it any more.
        await open.rollback();
        throw signal.reason;
      }
      const watched = guard((statement) => open.ask(statement));
      this.#open.add(open);
      if (this.#isGivenUp) open.drop();
      begun = { client: watched.client, guard: watched, open };
      return begun;
    };
    const onRetry = (error: unknown) => logger.warn({ error }, "a transaction could not be begun; trying again");
    // Whatever it is: the handler has no part in it, so no attempt is spent as long as there is time.
    try {
      return await retryTransient(begin, { signal, random, mayPass: () => true, onRetry });
    } catch (error) {
      if (begun !== undefined) await this.discard(begun);
      throw error;
    }
  }

  /** Rolls back. Never rejects. */
  async discard({ open }: AttemptTransaction): Promise<void> {
    this.#open.delete(open);
    await open.rollback();
  }

  /**
   * Ends the transaction of an attempt whose result is known. Answers what is left to be settled without it: nothing when it
   * was committed with the step in it. Never rejects.
   */
  async end(transaction: AttemptTransaction, attempt: SettledAttempt): Promise<SettledAttempt | undefined> {
    const { guard, open } = transaction;
    const { result } = attempt;
    guard.close(result.kind === "failed" ? reasonOf(result) : isOver(attempt));
    try {
      const failed = result.kind === "completed" ? await this.#commit(guard, open, attempt) : failureIn(guard, result);
      if (failed === "committed") return undefined;
      return failed === "in doubt" ? inDoubt(attempt) : { ...attempt, result: failed };
    } finally {
      await this.discard(transaction);
    }
  }

  /** Drops all connections, so that nothing waits for the database any longer. What was not told to commit never will. */
  giveUp(): void {
    this.#isGivenUp = true;
    for (const open of this.#open) open.drop();
  }

  async #commit(
    guard: Guard,
    open: OpenTransaction,
    attempt: SettledAttempt,
  ): Promise<"committed" | "in doubt" | AttemptResult> {
    const { workerId, random, logger, onHints } = this.#options;
    const hints = noHints();
    let stands = false;
    try {
      await stillStands(guard, open, attempt);
      stands = true;
      const result = await settleWithin(open.executor, attempt, { workerId, random, hints });
      if (result === "lost") return interrupted(leaseLost(attempt), true);
    } catch (error) {
      // Of what the database then refuses the handler is not guilty, and it may pass: it is worth another attempt.
      if (stands && !isFloxyError(error, "INTERNAL")) return interrupted(error, true);
      return failureOf({ error, abortReason: undefined, called: true });
    }
    try {
      await open.commit();
      return "committed";
    } catch (error) {
      const { instanceId, node: step } = attempt;
      logger.warn({ error, instanceId, step }, "nobody said whether the transaction was committed; asking again");
      return "in doubt";
    } finally {
      onHints(hints);
    }
  }
}

// Libraries wrap what was thrown at them, and the handler may throw anything because of it.
const failureIn = ({ violation }: Guard, result: AttemptResult): AttemptResult =>
  violation === undefined ? result : failureOf({ error: violation, abortReason: undefined, called: true });

// In this order: what the handler did wrong explains what the server then said.
const stillStands = async (guard: Guard, open: OpenTransaction, { node }: FinishedAttempt): Promise<void> => {
  const isSame = await open.takeOver().catch((error: unknown) => {
    throw guard.violation ?? guard.failure ?? error;
  });
  if (guard.violation !== undefined) throw guard.violation;
  if (isSame) return;
  const message = `the handler of step '${node}' ended the transaction that Floxy had begun for it; throw to roll back`;
  throw new FloxyError("HANDLER_NOT_RETRYABLE", message);
};

// Under the same token: if the transaction was committed all the same, nothing is written for it.
const inDoubt = (attempt: SettledAttempt): SettledAttempt => {
  const message = `the connection was lost when the transaction of step '${attempt.node}' was to be committed`;
  const error = new FloxyError("DATABASE_UNAVAILABLE", message);
  return { ...attempt, isInDoubt: true, result: interrupted(error, true) };
};

const leaseLost = ({ node, attempt }: FinishedAttempt): FloxyError =>
  new FloxyError(
    "LEASE_LOST",
    `the lease of attempt ${attempt} of step '${node}' was lost; its writes were rolled back`,
  );

const reasonOf = ({ error }: Extract<AttemptResult, { kind: "failed" }>): FloxyError =>
  new FloxyError(error.code, error.message);

const isOver = ({ node }: FinishedAttempt): FloxyError =>
  new FloxyError(
    "HANDLER_NOT_RETRYABLE",
    `the handler of step '${node}' has returned, and its transaction with it; await all its statements`,
  );
