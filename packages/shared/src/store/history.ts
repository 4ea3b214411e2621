/**
 * History: the partitions of `step` and `event`, retention, and removing what may go. The work is done by functions of the
 * database, so that whoever looks after it without Floxy's programs does the same.
 */
import type { TerminalStatus } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement } from "./executor.ts";

/** Why a call could not do all of its work now; it is to be made again. */
export type HistoryObstacle =
  /** Another session does the work. */
  | "busy"
  /** Somebody has held the tables for longer than is waited for; whoever waits long would block all others. */
  | "locked"
  /** The default partitions hold too much to be moved, and it is not of one span. */
  | "scattered";

/** What one call of {@link upkeepHistory} came to. */
export interface HistoryUpkeep {
  /** How many spans have got their partitions. */
  readonly created: number;
  /** Whether another call has more to do. */
  readonly more: boolean;
  readonly blocked: HistoryObstacle | null;
}

/** Makes the partitions of this span and those to come, and empties the default partitions; a step of it in each call. */
export const upkeepHistory = async (db: Executor): Promise<HistoryUpkeep> => only(await db.query(upkeepStatement));

const upkeepStatement: Statement = statement(
  "upkeep_history",
  (schema) => `SELECT created, more, blocked FROM ${schema}.upkeep_history()`,
);

/** How to remove what may go. */
export interface PruneStep {
  /** The most instances to remove in this call. */
  readonly limit: number;
  /** Removes instances one by one also where their partition could soon be dropped. */
  readonly byRow: boolean;
  /** Looks at all that was not looked at since this time, whether something may be due or not. */
  readonly since: Date | null;
}

/** What one call of {@link pruneHistory} came to. */
export interface PrunedStep {
  /** Instances that are gone. */
  readonly instances: number;
  /** Spans whose partitions were dropped. */
  readonly partitions: number;
  /** Audit rows that are gone. */
  readonly acts: number;
  /** Whether another call has more to do. */
  readonly more: boolean;
  readonly blocked: HistoryObstacle | null;
}

/** Removes what retention lets go: one short transaction. */
export const pruneHistory = async (db: Executor, { limit, byRow, since }: PruneStep): Promise<PrunedStep> =>
  only(await db.query<PrunedStep>(pruneStatement, [limit, byRow, since]));

const pruneStatement: Statement = statement(
  "prune",
  (schema) => `SELECT instances, partitions, acts, more, blocked FROM ${schema}.prune($1, $2, $3)`,
);

/** The database's clock, which the times in the book are by. */
export const historyClock = async (db: Executor): Promise<Date> =>
  only(await db.query<{ now: Date }>(clockStatement)).now;

const clockStatement: Statement = statement("history_clock", () => "SELECT clock_timestamp() AS now");

/** How history stands. */
export interface HistoryState {
  /** How many spans have partitions. */
  readonly partitions: number;
  /** Rows in the default partitions, counted up to 10,000 in each. */
  readonly defaultRows: number;
  /** Where the first partition begins; `null` when there is nothing. */
  readonly oldestAt: Date | null;
  /** Where the last partition ends. */
  readonly aheadUntil: Date | null;
  /** How long that is from now, in milliseconds, by the database's clock; negative when it is over. */
  readonly aheadMs: number;
  /** How old the first partition is, in milliseconds. */
  readonly oldestMs: number;
  /** How long a span is, in milliseconds; about, of a month. */
  readonly spanMs: number;
  /** Whether it is time to {@link analyzeHistory}, and we may: once a day. */
  readonly isStale: boolean;
}

/** Reads how history stands. */
export const historyState = async (db: Executor): Promise<HistoryState> => only(await db.query(stateStatement));

const stateStatement: Statement = statement(
  "history_state",
  (schema) => `
SELECT partitions, default_rows AS "defaultRows", oldest_at AS "oldestAt", ahead_until AS "aheadUntil", span_ms AS "spanMs",
       coalesce(extract(epoch FROM ahead_until - statement_timestamp()) * 1000, 0)::float8 AS "aheadMs",
       coalesce(extract(epoch FROM statement_timestamp() - oldest_at) * 1000, 0)::float8 AS "oldestMs",
       EXISTS (
         SELECT FROM pg_stat_user_tables t JOIN pg_class c ON c.oid = t.relid
         WHERE t.relid IN ('${schema}.step'::regclass, '${schema}.event'::regclass)
           AND coalesce(t.last_analyze < statement_timestamp() - interval '1 day', true) AND pg_has_role(c.relowner, 'USAGE')
       ) AS "isStale"
FROM ${schema}.history_state()`,
);

/** Has the planner know what the partitioned tables hold: autovacuum looks only at their partitions. */
export const analyzeHistory = async (db: Executor): Promise<void> => {
  await db.query(analyzeStatement);
};

const analyzeStatement: Statement = statement(
  "analyze_history",
  (schema) => `ANALYZE (SKIP_LOCKED) ${schema}.step, ${schema}.event`,
);

/** For which instances a retention holds; `null` is any. */
export interface RetentionScope {
  readonly definitionName: string | null;
  readonly status: TerminalStatus | null;
}

/** How long instances stay after their end. */
export interface RetentionRow extends RetentionScope {
  /** In milliseconds; `null` is for ever. */
  readonly keepMs: number | null;
  readonly createdAt: Date;
}

/** Sets a retention; answers whether it was another before. Concurrent changes of one scope wait for each other. */
export const upsertRetention = async (
  db: Executor,
  { definitionName, status, keepMs }: RetentionScope & { readonly keepMs: number | null },
): Promise<boolean> => {
  const rows = await db.query(upsertStatement, [definitionName, status, keepMs]);
  return rows.length > 0;
};

const upsertStatement: Statement = statement(
  "upsert_retention",
  (schema) => `
INSERT INTO ${schema}.retention AS r (definition_name, status, keep)
VALUES (coalesce($1, '*'), coalesce($2, '*'), $3::float8 * interval '1 ms')
ON CONFLICT (definition_name, status) DO UPDATE SET keep = excluded.keep, created_at = excluded.created_at
WHERE r.keep IS DISTINCT FROM excluded.keep
RETURNING status`,
);

/** Removes a retention; answers whether there was one. */
export const deleteRetention = async (db: Executor, { definitionName, status }: RetentionScope): Promise<boolean> => {
  const rows = await db.query(deleteStatement, [definitionName, status]);
  return rows.length > 0;
};

const deleteStatement: Statement = statement(
  "delete_retention",
  (schema) => `
DELETE FROM ${schema}.retention WHERE definition_name = coalesce($1, '*') AND status = coalesce($2, '*') RETURNING status`,
);

/** Lists retentions: of definitions by name, then those of any. */
export const listRetentions = (db: Executor): Promise<RetentionRow[]> => db.query<RetentionRow>(listStatement);

const listStatement: Statement = statement(
  "list_retentions",
  (schema) => `
SELECT nullif(definition_name, '*') AS "definitionName", nullif(status, '*') AS status,
       round(extract(epoch FROM keep) * 1000)::float8 AS "keepMs", created_at AS "createdAt"
FROM ${schema}.retention ORDER BY definition_name = '*', definition_name, status = '*', status`,
);

const only = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new Error("a function that always answers one row answered none");
  return row;
};
