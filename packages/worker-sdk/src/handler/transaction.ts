/** What a transactional handler gets: an open transaction on Floxy's own database. */

/** What a statement answered, as the driver `pg` says it. */
export interface TransactionResult<Row> {
  readonly command: string;
  /** How many rows were answered or changed; `null` where that says nothing. */
  readonly rowCount: number | null;
  readonly rows: Row[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

/** A statement as an object, as query builders hand it to a client of `pg`. */
export interface TransactionStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** `array` for rows as lists. */
  readonly rowMode?: "array" | undefined;
  /** Type parsers as `pg` takes them. */
  readonly types?: unknown;
}

/** Told of an answer, by libraries that wait for no promise. */
export type TransactionCallback = (error: unknown, result?: TransactionResult<never>) => void;

/**
 * A transaction that Floxy has opened, and that it commits together with the completion of the step. It can be used
 * wherever a client of `pg` is asked for, as far as that runs statements; it is no transaction of your own, so `BEGIN`,
 * `COMMIT` and `ROLLBACK` are refused. Savepoints are yours.
 *
 * It rejects with the driver's errors; with `HANDLER_NOT_RETRYABLE` for a statement that would end the transaction; and, once
 * the attempt is over, with the reason for that.
 */
export interface HandlerTransaction {
  /** Runs one statement, with `$1`, `$2`, … for values. */
  query<Row extends object = Record<string, unknown>>(
    statement: string | TransactionStatement,
    values?: readonly unknown[],
  ): Promise<TransactionResult<Row>>;
  /** As above, for libraries that wait for no promise. */
  query(statement: string | TransactionStatement, callback: TransactionCallback): void;
  /** As above. */
  query(statement: string | TransactionStatement, values: readonly unknown[], callback: TransactionCallback): void;
}

/** What the context of a transactional handler has besides. */
export interface InTransaction {
  /**
   * What is written here is committed together with the completion of the step, or not at all: exactly once if the step
   * completes, and never if it fails.
   */
  readonly transaction: HandlerTransaction;
}
