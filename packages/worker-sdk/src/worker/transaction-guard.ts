/** What stands between a handler and its transaction: the handler may write in it, and must neither end nor outlive it. */
import type { UserResult, UserStatement } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import type {
  HandlerTransaction,
  TransactionCallback,
  TransactionResult,
  TransactionStatement,
} from "../handler/transaction.ts";

/** A transaction as its handler has it. */
export interface Guard {
  /** What the handler gets. */
  readonly client: HandlerTransaction;
  /** Refuses whatever the handler asks from now on, with this reason. */
  close(reason: unknown): void;
  /** What the handler tried that must not be, also if it went on as if nothing had been. */
  readonly violation: FloxyError | undefined;
  /** The last statement that failed, unless the handler went back to a savepoint since. */
  readonly failure: unknown;
}

/** Makes the guard of a transaction whose statements are run by `ask`. */
export const guard = (ask: (statement: UserStatement) => Promise<UserResult>): Guard => {
  let reason: unknown;
  let violation: FloxyError | undefined;
  let failure: unknown;

  const run = async (statement: UserStatement): Promise<UserResult> => {
    if (reason !== undefined) throw reason;
    const refused = refusalOf(statement);
    if (refused !== undefined) {
      violation ??= refused;
      throw refused;
    }
    try {
      const answer = await ask(statement);
      failure = undefined;
      return answer;
    } catch (error) {
      // That the transaction has failed before is no news.
      failure ??= error;
      throw error;
    }
  };

  const query = (
    statement: string | TransactionStatement,
    second?: readonly unknown[] | TransactionCallback,
    third?: TransactionCallback,
  ): Promise<UserResult> | undefined => {
    const answer = run(toStatement(statement, typeof second === "function" ? undefined : second));
    const callback = typeof second === "function" ? second : third;
    if (callback === undefined) {
      // One that nobody waits for fails the attempt, and not the process.
      answer.catch(() => {});
      return answer;
    }
    answer.then(
      (result) => callback(null, result as TransactionResult<never>),
      (error: unknown) => callback(error),
    );
    return undefined;
  };

  return {
    client: { query: query as HandlerTransaction["query"] },
    close: (because) => {
      reason ??= because;
    },
    get violation() {
      return violation;
    },
    get failure() {
      return failure;
    },
  };
};

// A name would make it a prepared statement, which outlives the transaction; so it is left out.
const toStatement = (statement: string | TransactionStatement, values?: readonly unknown[]): UserStatement => {
  if (typeof statement === "string") return { text: statement, values };
  const { text, rowMode, types } = statement;
  return {
    text,
    values: values ?? statement.values,
    ...(rowMode !== undefined && { rowMode }),
    ...(types !== undefined && { types }),
  };
};

const refusalOf = ({ text }: UserStatement): FloxyError | undefined => {
  if (typeof text !== "string") {
    return refusal("context.transaction takes SQL as text; cursors and streams of the driver are not supported.");
  }
  const [word] = /^[A-Z]+/.exec(startOf(text)) ?? [];
  if (word === undefined || !ending.has(word) || isBackToSavepoint(text)) return undefined;
  const why = ending.get(word) ?? "";
  return refusal(`context.transaction refuses ${word}: ${why}.`);
};

const refusal = (message: string): FloxyError => new FloxyError("HANDLER_NOT_RETRYABLE", message);

const floxys =
  "Floxy begins the transaction, and ends it together with the step; throw to roll back, or use savepoints";
const outlives = "it would act on the connection beyond this transaction";

/** The first words of statements that end a transaction, or that reach beyond it. */
const ending: ReadonlyMap<string, string> = new Map([
  ...["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"].map((word): [string, string] => [word, floxys]),
  ...["PREPARE", "DEALLOCATE", "DISCARD"].map((word): [string, string] => [word, outlives]),
]);

const isBackToSavepoint = (text: string): boolean => /^ROLLBACK\s+((WORK|TRANSACTION)\s+)?TO\s/.test(startOf(text));

/** How a statement starts, in capitals, after what stands before its first word. */
const startOf = (text: string): string => {
  let rest = text;
  for (;;) {
    rest = rest.replace(/^[\s;]+/, "");
    if (rest.startsWith("--")) rest = rest.replace(/^--[^\n\r]*/, "");
    else if (rest.startsWith("/*")) rest = afterComment(rest);
    else return rest.slice(0, 40).toUpperCase();
  }
};

// Comments can stand in comments.
const afterComment = (text: string): string => {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return text.slice(index + 2);
  }
  return "";
};
