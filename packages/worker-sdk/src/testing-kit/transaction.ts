/** Transactions of transactional handlers in tests: what the test gives in their place. */
import type { LeasedStep, OpenTransaction, TransactionPool, UserResult } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";

/** What stands in for the database of a transactional handler, for one attempt. A client of `pg` will do. */
export interface FakeTransaction {
  /** Answers a statement. What is left out of the answer is empty. */
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows?: readonly unknown[] } | undefined>;
  /** Called when the step has completed. */
  commit?(): Promise<void> | void;
  /** Called when the attempt has failed or was lost. */
  rollback?(): Promise<void> | void;
}

/** Makes a pool that gives one transaction, for one attempt. `executor` is where its step is settled. */
export const poolOf = (fake: FakeTransaction, executor: OpenTransaction["executor"]): TransactionPool => {
  let over = false;
  const end = async (how: "commit" | "rollback"): Promise<void> => {
    if (over) return;
    over = true;
    await fake[how]?.();
  };
  const open: OpenTransaction = {
    executor,
    async ask({ text, values = [] }): Promise<UserResult> {
      const { rows = [], ...more } = (await fake.query(text, values)) ?? {};
      return { command: "", rowCount: rows.length, fields: [], ...more, rows: [...rows] };
    },
    takeOver: async () => true,
    commit: () => end("commit"),
    rollback: () => end("rollback"),
    drop: () => {},
  };
  return { begin: async () => open, close: async () => {} };
};

/** The error for a transactional handler when the test gives no transactions. */
export const withoutTransaction = ({ node, handler }: LeasedStep): FloxyError => {
  const message =
    `handler '${handler}' of step '${node}' is transactional, and in memory there is no database: give one, ` +
    "testWorkflow(workflow, { transaction: () => ({ query: async (text, values) => ({ rows: [] }) }) }), or write a script for it";
  return new FloxyError("OPTION_INVALID", message, { data: { step: node, handler } });
};
