/** Retention and history: who keeps what for how long, and seeing to it. */
import { hasDefinition } from "../store/definition.ts";
import type { Database, Executor } from "../store/executor.ts";
import type { HistoryObstacle, RetentionRow, RetentionScope } from "../store/history.ts";
import {
  deleteRetention,
  historyClock,
  listRetentions,
  pruneHistory,
  upkeepHistory,
  upsertRetention,
} from "../store/history.ts";
import { hasAct, insertAudit } from "../store/operator.ts";
import type { Act } from "../vocabulary/act.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { assertName } from "../vocabulary/name.ts";
import { quote } from "../vocabulary/quote.ts";
import type { TerminalStatus } from "../vocabulary/status.ts";
import { terminalStatuses } from "../vocabulary/status.ts";
import { assertPerson, assertText } from "./operate/operate.ts";

/** Which instances a retention is about; what is left out does not choose. */
export interface RetentionTarget {
  /** The name of their definition, all its versions. */
  readonly definition?: string | undefined;
  /** How they ended. */
  readonly status?: TerminalStatus | undefined;
}

/** A retention that is set. */
export interface Retention {
  /** `null` for all definitions. */
  readonly definition: string | null;
  /** `null` for all ends. */
  readonly status: TerminalStatus | null;
  /** How long instances stay after their end, in milliseconds; `null` is for ever. */
  readonly keepMs: number | null;
  readonly createdAt: Date;
}

/** What every act on retention says. */
export interface RetentionParams extends RetentionTarget {
  readonly requestedBy: string;
  readonly reason?: string | undefined;
  /** An id of this very act, so that a repeat of it answers as it did. */
  readonly actId?: string | undefined;
}

/** The shortest and the longest time that can be kept, in milliseconds: an hour, and a thousand years. */
export const keepLimits = { least: 3_600_000, most: 31_557_600_000_000 } as const;

/**
 * Sets how long instances stay after their end; `null` is for ever. The most specific retention counts: a definition for
 * more than a status. Answers whether it was another before. Throws `OPTION_INVALID`, `NAME_INVALID`,
 * `DEFINITION_NOT_FOUND`.
 */
export const setRetention = async (
  db: Database,
  params: RetentionParams & { readonly keepMs: number | null },
): Promise<boolean> => {
  const scope = scopeOf(params);
  const keepMs = assertKeep(params.keepMs);
  return record(db, "set_retention", params, { ...params, keepMs }, async (tx) => {
    if (scope.definitionName !== null && !(await hasDefinition(tx, scope.definitionName))) {
      const message = `no definition '${scope.definitionName}' is registered, so there is nothing to keep of it`;
      throw new FloxyError("DEFINITION_NOT_FOUND", message, { data: { name: scope.definitionName } });
    }
    return upsertRetention(tx, { ...scope, keepMs });
  });
};

/** Removes a retention, so that the next less specific one counts, or none. Answers whether there was one. */
export const removeRetention = async (db: Database, params: RetentionParams): Promise<boolean> => {
  const scope = scopeOf(params);
  return record(db, "remove_retention", params, params, (tx) => deleteRetention(tx, scope));
};

/** Lists what is set: of definitions by name, then what is for all. */
export const readRetention = async (db: Executor): Promise<readonly Retention[]> =>
  (await listRetentions(db)).map(({ definitionName, ...row }: RetentionRow) => ({
    definition: definitionName,
    ...row,
  }));

const scopeOf = ({ definition, status }: RetentionTarget): RetentionScope => {
  if (definition !== undefined) assertName("definition", definition);
  if (status === undefined || terminalStatuses.includes(status)) {
    return { definitionName: definition ?? null, status: status ?? null };
  }
  const allowed = terminalStatuses.join(", ");
  throw invalid(
    `status is ${quote(String(status))}; only instances that have ended are removed: it is one of ${allowed}`,
  );
};

const assertKeep = (keepMs: unknown): number | null => {
  if (keepMs === null) return null;
  const { least, most } = keepLimits;
  if (typeof keepMs === "number" && keepMs >= least && keepMs <= most) return Math.round(keepMs);
  throw invalid(`keepMs must be null for ever, or a number from ${least} to ${most}, not ${String(keepMs)}`);
};

const invalid = (message: string): FloxyError => new FloxyError("OPTION_INVALID", message);

/** Makes a change and records it; answers whether it did, now or when this very act was asked for before. */
const record = (
  db: Database,
  act: Act,
  {
    requestedBy,
    reason,
    actId = null,
  }: Omit<RetentionParams, "actId"> & { readonly actId?: string | null | undefined },
  { definition, status, keepMs }: RetentionTarget & { readonly keepMs?: number | null },
  change: (tx: Executor) => Promise<boolean>,
): Promise<boolean> => {
  const who = assertPerson("requestedBy", requestedBy);
  const why = assertText("reason", reason);
  const wasDone = async (tx: Executor): Promise<boolean> => actId !== null && (await hasAct(tx, actId));
  return db.transaction(async (tx) => {
    if (await wasDone(tx)) return true;
    // An earlier try may just be committing; the change has waited for it.
    if (!(await change(tx))) return wasDone(tx);
    const nowhere = { instanceId: null, node: null, definitionVersion: null };
    const data = JSON.stringify({ status, keepMs });
    const said = { actId, act, requestedBy: who, reason: why, data };
    await insertAudit(tx, [{ ...nowhere, ...said, definitionName: definition ?? null }]);
    return true;
  });
};

/** The parameters of {@link prune}. */
export interface PruneParams {
  /** The most instances to remove; all that may go unless told. */
  readonly limit?: number | undefined;
  /** The most instances in one transaction; 1,000 unless told. */
  readonly batchSize?: number | undefined;
  /** Removes instances one by one also where their partition could soon be dropped. */
  readonly byRow?: boolean | undefined;
  /** Ends it after the transaction that runs. */
  readonly signal?: AbortSignal | undefined;
  /** Looks only where something may be due, as far as is known; everywhere unless told. */
  readonly onlyDue?: boolean | undefined;
}

/** What {@link prune} came to. */
export interface Pruned {
  /** Instances that are gone. */
  readonly instances: number;
  /** Spans of time whose partitions were dropped. */
  readonly partitions: number;
  /** Rows of the audit that are gone. */
  readonly acts: number;
  /** Whether all that may go is gone. If not, it was enough, or something was in the way; the next call goes on. */
  readonly done: boolean;
  /** What was in the way. */
  readonly blocked: HistoryObstacle | null;
}

/**
 * Removes what retention lets go, in short transactions. It can be stopped between any two, by whatever means; the next
 * call goes on. Throws `OPTION_INVALID`, and the signal's reason.
 */
export const prune = async (db: Database, params: PruneParams = {}): Promise<Pruned> => {
  const { limit = Number.MAX_SAFE_INTEGER, batchSize = 1_000, byRow = false, onlyDue = false, signal } = params;
  assertInteger("limit", limit, Number.MAX_SAFE_INTEGER);
  assertInteger("batchSize", batchSize, 10_000);
  if (typeof byRow !== "boolean") throw invalid(`byRow must be true or false, not ${String(byRow)}`);
  // By the database's clock, because its own times are compared with it.
  const since = onlyDue ? null : await historyClock(db);
  const sum = { instances: 0, partitions: 0, acts: 0 };
  for (;;) {
    signal?.throwIfAborted();
    const step = await pruneHistory(db, { limit: Math.min(batchSize, limit - sum.instances), byRow, since });
    sum.instances += step.instances;
    sum.partitions += step.partitions;
    sum.acts += step.acts;
    if (!step.more || sum.instances >= limit)
      return { ...sum, done: !step.more && step.blocked === null, blocked: step.blocked };
  }
};

const assertInteger = (name: string, value: unknown, most: number): void => {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  throw invalid(`${name} must be an integer from 1 to ${most}, not ${String(value)}`);
};

/** What {@link lookAfterHistory} came to. */
export interface HistoryKept {
  /** Spans of time that have got their partitions. */
  readonly created: number;
  readonly blocked: HistoryObstacle | null;
}

/** Makes partitions ahead and empties the default partitions. A few short transactions; safe at any time, from anywhere. */
export const lookAfterHistory = async (db: Database): Promise<HistoryKept> => {
  let created = 0;
  for (;;) {
    const step = await upkeepHistory(db);
    created += step.created;
    if (step.blocked !== null || !step.more) return { created, blocked: step.blocked };
  }
};
