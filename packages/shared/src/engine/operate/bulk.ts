/**
 * Acts in bulk. Asking for one is one transaction: its items are chosen as they are at that moment and written down with
 * who wants what and why. Orchestrators then do them one by one, each in a transaction of its own that also says that it
 * was done. So a bulk act goes on wherever it was left, and no item is done twice.
 */
import type { BulkAct, BulkItemEnd, BulkSelection, PendingItem } from "../../store/bulk.ts";
import {
  countBulk,
  endBulkItem,
  findBulkItems,
  finishBulks,
  getBulk,
  insertBulk,
  takeBulkItem,
} from "../../store/bulk.ts";
import { isTransient } from "../../store/database-error.ts";
import type { Database, Executor } from "../../store/executor.ts";
import { insertAudit } from "../../store/operator.ts";
import type { ErrorCode } from "../../vocabulary/error.ts";
import { errorCodes, FloxyError, isFloxyError } from "../../vocabulary/error.ts";
import { isId } from "../../vocabulary/id.ts";
import type { JsonObject } from "../../vocabulary/json.ts";
import { encodePayload } from "../../vocabulary/json-check.ts";
import { assertName } from "../../vocabulary/name.ts";
import { quote } from "../../vocabulary/quote.ts";
import type { InstanceStatus, Lane } from "../../vocabulary/status.ts";
import { instanceStatuses } from "../../vocabulary/status.ts";
import type { GraphCache } from "../graphs.ts";
import { assertVersion } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import { assertReason, discardStep, requeueStep, retryCompensation } from "./dead-letter.ts";
import type { Operated, OperateParams, Within } from "./operate.ts";
import { assertPerson, assertText } from "./operate.ts";
import { cancelInstance } from "./stop.ts";

/** Which instances a bulk act is about; what is left out does not choose. Those that have ended never are. */
export interface BulkFilter {
  /** The name of their definition. */
  readonly definition?: string | undefined;
  readonly version?: number | undefined;
  readonly statuses?: readonly InstanceStatus[] | undefined;
  /** Created at this time or later. */
  readonly createdAfter?: Date | undefined;
  /** Created before this time. */
  readonly createdBefore?: Date | undefined;
  /** What their metadata must contain. */
  readonly metadata?: JsonObject | undefined;
}

/** Which dead letters a bulk act is about. */
export interface BulkDeadLetterFilter extends BulkFilter {
  /** The handler that failed. */
  readonly handler?: string | undefined;
  /** The code of the error that it failed with. */
  readonly errorCode?: ErrorCode | undefined;
}

/** A bulk act that is asked for. */
export interface BulkParams {
  /** Made by the caller: the same again is the same bulk act. */
  readonly bulkId: string;
  readonly act: BulkAct;
  readonly filter: BulkDeadLetterFilter;
  readonly requestedBy: string;
  readonly reason?: string | undefined;
  /** Only counts. */
  readonly dryRun?: boolean | undefined;
  readonly hints: Hints;
}

const lanes: Readonly<Record<BulkAct, Lane | null>> = {
  cancel: null,
  requeue: "forward",
  discard: "forward",
  retry_compensation: "compensation",
};

/**
 * Asks for a bulk act; answers how many items it has. Throws `OPTION_INVALID`, `NAME_INVALID`, and for metadata that
 * cannot be stored.
 */
export const startBulk = async (db: Database, params: BulkParams): Promise<number> => {
  const { bulkId, act, dryRun = false } = params;
  const selection = selectionOf(params);
  if (dryRun) return countBulk(db, selection);
  if (!isId(bulkId)) throw new FloxyError("OPTION_INVALID", "a bulk act's id must be a ULID");
  const requestedBy = assertPerson("requestedBy", params.requestedBy);
  const reason = assertText("reason", act === "discard" ? assertReason(params) : params.reason);
  const filter = JSON.stringify(params.filter);
  return db.transaction(async (tx) => {
    const count = await insertBulk(tx, { bulkId, act, filter, requestedBy, reason, selection });
    params.hints.bulk = true;
    // It was asked for before, and the answer was lost.
    if (count === undefined) return (await getBulk(tx, bulkId))?.count ?? 0;
    const nowhere = { instanceId: null, node: null, definitionVersion: selection.definitionVersion };
    const data = JSON.stringify({ bulkId, filter: params.filter, count });
    const { definitionName } = selection;
    await insertAudit(tx, [{ ...nowhere, actId: bulkId, act, definitionName, requestedBy, reason, data }]);
    return count;
  });
};

const criteria: readonly (keyof BulkDeadLetterFilter)[] = [
  "definition",
  "version",
  "statuses",
  "createdAfter",
  "createdBefore",
  "metadata",
  "handler",
  "errorCode",
];

// What is misspelt, or left out by mistake, would choose everything.
const assertCriteria = (filter: BulkDeadLetterFilter): void => {
  if (typeof filter !== "object" || filter === null)
    throw invalid(`the filter must be an object with ${criteria.join(", ")}`);
  const unknown = Object.keys(filter).filter((name) => !criteria.some((criterion) => criterion === name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => quote(name)).join(", ");
    throw invalid(`the filter has ${names}; it can have ${criteria.join(", ")}`);
  }
  if (Object.values(filter).some((value) => value !== undefined)) return;
  throw invalid("the filter would choose everything; if that is meant, say so by statuses");
};

const selectionOf = ({ act, filter }: BulkParams): BulkSelection => {
  assertCriteria(filter);
  const { definition, version, statuses, createdAfter, createdBefore, metadata, handler, errorCode } = filter;
  const lane = lanes[act];
  if (definition !== undefined) assertName("definition", definition);
  if (version !== undefined) assertVersion(version);
  if (statuses !== undefined && !Array.isArray(statuses)) throw invalid("statuses must be a list");
  const unknown = (statuses ?? []).filter((status) => !instanceStatuses.includes(status));
  if (unknown.length > 0) {
    throw invalid(
      `statuses has ${unknown.map(String).join(", ")}; an instance's is one of ${instanceStatuses.join(", ")}`,
    );
  }
  if (lane === null && (handler !== undefined || errorCode !== undefined)) {
    throw invalid("handler and errorCode choose dead letters; this act is about whole instances");
  }
  if (handler !== undefined) assertName("handler", handler);
  if (errorCode !== undefined && !(errorCode in errorCodes)) {
    throw invalid(`errorCode is ${quote(String(errorCode))}, which is no code of an error`);
  }
  return {
    definitionName: definition ?? null,
    definitionVersion: version ?? null,
    statuses: statuses ?? null,
    createdAfter: assertTime("createdAfter", createdAfter),
    createdBefore: assertTime("createdBefore", createdBefore),
    metadata: metadata === undefined ? null : encodePayload(metadata, "the metadata of the filter", undefined),
    lane,
    handler: handler ?? null,
    errorCode: errorCode ?? null,
  };
};

const assertTime = (option: string, time: Date | undefined): Date | null => {
  if (time === undefined) return null;
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time;
  throw invalid(`${option} must be a Date, not ${String(time)}`);
};

const invalid = (message: string): FloxyError => new FloxyError("OPTION_INVALID", message);

/** The parameters of {@link runBulk}. */
export interface RunBulkParams {
  /** The most items to do. */
  readonly limit: number;
  readonly hints: Hints;
}

/** What one round of {@link runBulk} came to. */
export interface BulkRound {
  /** How many items were found; as many as were asked for if there may be more. */
  readonly found: number;
  /** How many were brought to an end here. */
  readonly handled: number;
}

/** Works on the items of bulk acts. Any number of orchestrators share them. */
export const runBulk = async (db: Database, graphs: GraphCache, params: RunBulkParams): Promise<BulkRound> => {
  const items = await findBulkItems(db, params.limit);
  let handled = 0;
  for (const item of items) {
    if (await handle(db, graphs, item, params.hints)) handled += 1;
  }
  // Also when nothing was found: whoever did the last item may have died before he could say so.
  await finishBulks(db);
  return { found: items.length, handled };
};

/** Thrown out of a transaction to end it without a trace. */
const taken = new Error("another orchestrator has the item");

const handle = async (db: Database, graphs: GraphCache, item: PendingItem, hints: Hints): Promise<boolean> => {
  const { bulkId, position } = item;
  const within: Within = {
    async begin(tx) {
      if (!(await takeBulkItem(tx, item))) throw taken;
    },
    end: (tx, { changed, status }) => end(tx, changed ? { state: "done" } : { state: "skipped", ...alreadySo(status) }),
  };
  const end = (executor: Executor, how: Partial<BulkItemEnd> & Pick<BulkItemEnd, "state">): Promise<void> =>
    endBulkItem(executor, { bulkId, position, code: null, message: null, ...how });
  try {
    await perform(db, graphs, item, { hints, within });
    return true;
  } catch (error) {
    if (error === taken) return false;
    if (isTransient(error)) throw error;
    await end(db, endOf(error));
    return true;
  }
};

const alreadySo = (status: InstanceStatus) => ({ message: `nothing was to be done: the instance is '${status}'` });

const perform = (
  db: Database,
  graphs: GraphCache,
  { act, instanceId, node, requestedBy, reason }: PendingItem,
  { hints, within }: Pick<OperateParams, "hints" | "within">,
): Promise<Operated> => {
  const params = { instanceId, requestedBy, reason: reason ?? undefined, hints, within };
  const step = node ?? "";
  switch (act) {
    case "cancel":
      return cancelInstance(db, graphs, params);
    case "requeue":
      return requeueStep(db, graphs, { ...params, step });
    case "discard":
      return discardStep(db, graphs, { ...params, step });
    case "retry_compensation":
      return retryCompensation(db, graphs, { ...params, step });
  }
};

/** What says that the act does not apply any more, because somebody else has dealt with the instance meanwhile. */
const overtaken: readonly ErrorCode[] = [
  "INSTANCE_NOT_FOUND",
  "INSTANCE_TERMINAL",
  "DEAD_LETTER_NOT_FOUND",
  "STEP_NOT_FOUND",
];

const endOf = (error: unknown): Pick<BulkItemEnd, "state" | "code" | "message"> => {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 4_000);
  if (!isFloxyError(error)) return { state: "failed", code: "INTERNAL", message };
  return { state: overtaken.includes(error.code) ? "skipped" : "failed", code: error.code, message };
};
