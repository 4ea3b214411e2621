/** Listing what waits for a person because it has failed for good. */
import type { Executor, InstanceStatus, Json, ListedDeadLetter, StepError } from "@floxy/shared";
import { assertName, isId, listDeadLetters } from "@floxy/shared";
import { assertLimit, invalid } from "./act-options.ts";

/** Which dead letters to list. */
export interface DeadLettersOptions {
  /** The name of a definition; by default of any. */
  readonly definition?: string | undefined;
  /** The name of the handler that failed; by default any. */
  readonly handler?: string | undefined;
  /** `forward`: steps that failed in DLQ mode; `compensation`: compensations. By default both. */
  readonly kind?: DeadLetter["kind"] | undefined;
  /** The most dead letters to answer, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** A step, or a compensation, that failed for good and waits for a person. */
export interface DeadLetter {
  readonly instanceId: string;
  readonly definition: { readonly name: string; readonly version: number };
  /** What its instance is: `dlq` once nothing else of it can go on. */
  readonly status: InstanceStatus;
  readonly step: string;
  /** What failed: the step itself, or its compensation. */
  readonly kind: "forward" | "compensation";
  /** The handler that failed; `null` of a node that calls none. */
  readonly handler: string | null;
  readonly error: StepError;
  /** How many calls there were. */
  readonly attempt: number;
  /** What a person gave the step as input before. */
  readonly givenInput: Json | undefined;
  readonly createdAt: Date;
}

/** A page of dead letters, the oldest first. */
export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  /** Leads to the next page; missing on the last. */
  readonly nextCursor?: string;
}

/** The most dead letters of one page. */
const letterLimit = 500;

/** Lists dead letters. Throws `OPTION_INVALID` or `NAME_INVALID`. */
export const deadLetterPage = async (db: Executor, options: DeadLettersOptions): Promise<DeadLetterPage> => {
  const { definition, handler, kind, limit = 50, cursor } = options;
  if (definition !== undefined) assertName("definition", definition);
  if (handler !== undefined) assertName("handler", handler);
  if (kind !== undefined && kind !== "forward" && kind !== "compensation") {
    throw invalid(`kind must be "forward" or "compensation", not ${String(kind)}.`);
  }
  assertLimit(limit, letterLimit);
  const rows = await listDeadLetters(db, {
    lane: kind ?? null,
    definitionName: definition ?? null,
    handler: handler ?? null,
    after: cursor === undefined ? null : placeOf(cursor),
    // One more than asked for, to know whether there is another page.
    limit: limit + 1,
  });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { deadLetters: page.map(toDeadLetter), ...(more && { nextCursor: cursorOf(last) }) };
};

const toDeadLetter = (row: ListedDeadLetter): DeadLetter => ({
  instanceId: row.instanceId,
  definition: { name: row.definitionName, version: row.definitionVersion },
  status: row.status,
  step: row.node,
  kind: row.lane,
  handler: row.handler,
  error: row.error,
  attempt: row.attempt,
  givenInput: row.input === null ? undefined : (JSON.parse(row.input) as Json),
  createdAt: row.createdAt,
});

const cursorOf = ({ position, instanceId, node }: ListedDeadLetter): string => `${position}/${instanceId}/${node}`;

const time = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

const placeOf = (cursor: string) => {
  const [position = "", instanceId, node, ...rest] = typeof cursor === "string" ? cursor.split("/") : [];
  if (isTime(position) && isId(instanceId) && node !== undefined && !node.includes("\0") && rest.length === 0) {
    return { position, instanceId, node };
  }
  throw invalid("cursor must be the nextCursor of another page.");
};

// A day that does not exist would be an error of the database.
const isTime = (text: string): boolean => {
  if (!time.test(text)) return false;
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === text.slice(0, 10);
};
