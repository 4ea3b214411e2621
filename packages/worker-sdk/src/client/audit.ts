/** Reading who did what, and why. */
import type { AuditRow, Executor } from "@floxy/shared";
import { instanceNotFound, isId, listAudit } from "@floxy/shared";
import { assertLimit, invalid } from "./act-options.ts";

/** Which acts to read. */
export interface AuditOptions {
  /** Only acts on this instance; by default of all instances and definitions. */
  readonly instanceId?: string | undefined;
  /** The most acts to answer, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** A page of acts, the newest first. */
export interface AuditPage {
  readonly acts: readonly AuditRow[];
  /** Leads to the next page; missing on the last. */
  readonly nextCursor?: string;
}

/** The most acts of one page. */
const auditLimit = 500;

/** Reads acts. Throws `INSTANCE_NOT_FOUND` for what is no id, and `OPTION_INVALID`. */
export const auditPage = async (db: Executor, { instanceId, limit = 50, cursor }: AuditOptions): Promise<AuditPage> => {
  if (instanceId !== undefined && !isId(instanceId)) throw instanceNotFound(instanceId);
  assertLimit(limit, auditLimit);
  const before = cursor === undefined ? null : positionOf(cursor);
  // One more than asked for, to know whether there is another page.
  const rows = await listAudit(db, { instanceId: instanceId ?? null, before, limit: limit + 1 });
  const acts = rows.slice(0, limit);
  const last = acts.at(-1);
  return { acts, ...(rows.length > limit && last !== undefined && { nextCursor: String(last.auditId) }) };
};

const positionOf = (cursor: string): number => {
  const position = Number(cursor);
  if (typeof cursor === "string" && /^\d+$/.test(cursor) && Number.isSafeInteger(position)) return position;
  throw invalid("cursor must be the nextCursor of another page.");
};
