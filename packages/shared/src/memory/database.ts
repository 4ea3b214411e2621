/** A database in memory: the store's verbs without PostgreSQL, on a clock that the caller moves. */
import type { Database, Executor } from "../store/executor.ts";
import { FloxyError } from "../vocabulary/error.ts";
import type { Tables } from "./tables.ts";
import { createTables } from "./tables.ts";
import { memoryVerbs } from "./verbs.ts";

/** How to make a database in memory. */
export interface MemoryOptions {
  /** The time of the database, in milliseconds; it never goes back. */
  readonly now: () => number;
  /** Where it keeps its rows, for tests that look at them; empty tables of its own unless told. */
  readonly tables?: Tables | undefined;
}

/**
 * Makes a database in memory. It carries out the verbs of the store as PostgreSQL does, seen by one who makes one
 * call after the other: transactions and verbs run one at a time, and what throws has changed nothing. It runs no SQL.
 */
export const createMemoryDatabase = ({ now, tables = createTables() }: MemoryOptions): Database => {
  const turns = createTurns();
  let closed = false;

  const assertOpen = (): void => {
    if (closed) throw new FloxyError("SHUTDOWN", "the database was closed; make no calls after close()");
  };

  /** Notes the time for a verb that is no part of a transaction, or for the transaction that begins. */
  const begin = (): void => {
    assertOpen();
    const { clock } = tables;
    clock.transaction = { now: now(), verb: ++clock.verb };
  };

  const perform = (name: string, params: readonly unknown[]): unknown => {
    tables.clock.now = now();
    tables.clock.verb++;
    return performVerb(tables, name, params);
  };

  /** Runs `work`, and takes back what it has changed if it throws. */
  const atomically = async <T>(work: () => Promise<T>): Promise<T> => {
    begin();
    try {
      return await work();
    } catch (error) {
      undo(tables, 0);
      throw error;
    } finally {
      tables.journal.length = 0;
    }
  };

  const look = async (name: string, params: readonly unknown[]): Promise<unknown> => {
    assertOpen();
    return performVerb(tables, name, params);
  };

  return {
    ...noSql,
    perform(name, params) {
      const run = async (): Promise<unknown> => {
        begin();
        try {
          return perform(name, params);
        } finally {
          tables.journal.length = 0;
        }
      };
      return shared.has(name) ? look(name, params) : turns.take(run);
    },
    transaction: (work) => turns.take(() => atomically(() => transact(perform, work))),
    close: () =>
      turns.take(async () => {
        closed = true;
      }),
  };
};

/**
 * Reading these needs no turn. A cache shares what one caller is loading with others, who may wait for it inside a
 * transaction, and the one who loads would wait for that transaction to end.
 */
const shared: ReadonlySet<string> = new Set(["getDefinition", "findVersion"]);

const noSql: Executor = {
  schema: '"memory"',
  query: ({ name }) =>
    Promise.reject(new FloxyError("INTERNAL", `the statement ${name} needs PostgreSQL, and this is memory`)),
};

const performVerb = (tables: Tables, name: string, params: readonly unknown[]): unknown => {
  const verb = memoryVerbs.get(name);
  if (verb === undefined) throw new FloxyError("INTERNAL", `the verb ${name} needs PostgreSQL, and this is memory`);
  const mark = tables.journal.length;
  try {
    return verb(tables, ...(params as never[]));
  } catch (error) {
    undo(tables, mark);
    throw error;
  }
};

/** Undoes the changes after a mark of the journal, the last one first. */
const undo = ({ journal }: Tables, mark: number): void => {
  while (journal.length > mark) journal.pop()?.();
};

// As in PostgreSQL a verb that failed fails the transaction, also when `work` has caught its error.
const transact = async <T>(
  perform: (name: string, params: readonly unknown[]) => unknown,
  work: (tx: Executor) => Promise<T>,
): Promise<T> => {
  const failures: unknown[] = [];
  let over = false;
  const tx: Executor = {
    ...noSql,
    async perform(name, params) {
      if (over) throw new FloxyError("INTERNAL", "the transaction is over; await all its statements");
      if (failures.length > 0) throw failures[0];
      try {
        return perform(name, params);
      } catch (error) {
        failures.push(error);
        throw error;
      }
    },
  };
  const result = await work(tx).finally(() => {
    over = true;
  });
  if (failures.length > 0) throw failures[0];
  return result;
};

/** Lets callers in one at a time, in the order in which they came. */
const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return {
    take<T>(work: () => Promise<T>): Promise<T> {
      const turn = last.then(work, work);
      last = turn.catch(() => {});
      return turn;
    },
  };
};
