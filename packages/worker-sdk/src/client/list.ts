/** Listing instances, page by page. */
import type { Executor, InstanceStatus, InstanceSummary } from "@floxy/shared";
import { assertName, FloxyError, instanceStatuses, isId, listInstances, summarise } from "@floxy/shared";

/** Which instances to list. */
export interface ListOptions {
  /** The name of a definition; by default of any. */
  readonly definition?: string | undefined;
  /** By default any. */
  readonly status?: InstanceStatus | readonly InstanceStatus[] | undefined;
  /** The most instances to answer, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** A page of instances, the newest first. */
export interface InstancePage {
  readonly instances: readonly InstanceSummary[];
  /** Leads to the next page; missing on the last. */
  readonly nextCursor?: string;
}

/** The most instances of one page. */
const listLimit = 500;

/** Lists instances. Throws `OPTION_INVALID` or `NAME_INVALID`. */
export const listPage = async (db: Executor, options: ListOptions = {}): Promise<InstancePage> => {
  const { definition, limit = 50, cursor } = options;
  if (definition !== undefined) assertName("definition", definition);
  if (!Number.isInteger(limit) || limit < 1 || limit > listLimit) {
    throw invalid(`limit must be an integer from 1 to ${listLimit}, not ${String(limit)}.`);
  }
  if (cursor !== undefined && !isId(cursor)) throw invalid("cursor must be the nextCursor of another page.");
  const statuses = statusesOf(options.status);
  // One more than asked for, to know whether there is another page.
  const rows = await listInstances(db, { definitionName: definition, statuses, before: cursor, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { instances: page.map(summarise), ...(more && { nextCursor: last.instanceId }) };
};

const statusesOf = (status: ListOptions["status"]): readonly InstanceStatus[] | undefined => {
  if (status === undefined) return undefined;
  const statuses = typeof status === "string" ? [status] : status;
  const unknown = [...statuses].filter((one) => !instanceStatuses.includes(one));
  if (unknown.length === 0) return statuses;
  throw invalid(
    `status has ${unknown.map(String).join(", ")}, and an instance's is one of ${instanceStatuses.join(", ")}.`,
  );
};

const invalid = (message: string): FloxyError => new FloxyError("OPTION_INVALID", message);
