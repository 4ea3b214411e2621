/** Bulk acts: choosing their items in one statement, taking them one by one, and what became of each. */
import type { Lane } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** An act that can be asked for in bulk. */
export type BulkAct = "cancel" | "requeue" | "discard" | "retry_compensation";

/** What became of an item. `skipped`: the act did not apply any more when its turn came. */
export type BulkItemState = "pending" | "done" | "failed" | "skipped";

/** Which items; what is `null` does not choose. Dead letters only: `handler`, `errorCode`. */
export interface BulkSelection {
  readonly definitionName: string | null;
  readonly definitionVersion: number | null;
  readonly statuses: readonly string[] | null;
  readonly createdAfter: Date | null;
  readonly createdBefore: Date | null;
  /** JSON text of an object that the metadata of the instance must contain. */
  readonly metadata: string | null;
  /** Dead letters of this lane; `null` for whole instances. */
  readonly lane: Lane | null;
  readonly handler: string | null;
  readonly errorCode: string | null;
}

const selectionValues = (selection: BulkSelection): unknown[] => [
  selection.definitionName,
  selection.definitionVersion,
  selection.statuses,
  selection.createdAfter,
  selection.createdBefore,
  selection.metadata,
  selection.lane,
  selection.handler,
  selection.errorCode,
];

// Instances that have ended are never items: the partial index leads to the others. Without a lane there is one row for
// an instance, with one a row for each of its dead letters.
const itemsText = (schema: string): string => `
  SELECT i.instance_id, l.node
  FROM ${schema}.instance i
  LEFT JOIN ${schema}.dead_letter l ON $7::text IS NOT NULL AND l.instance_id = i.instance_id AND l.kind = $7
  WHERE i.finished_at IS NULL
    AND ($1::text IS NULL OR i.definition_name = $1) AND ($2::int IS NULL OR i.definition_version = $2)
    AND ($3::text[] IS NULL OR i.status = ANY ($3))
    AND ($4::timestamptz IS NULL OR i.created_at >= $4) AND ($5::timestamptz IS NULL OR i.created_at < $5)
    AND ($6::jsonb IS NULL OR i.metadata @> $6)
    AND ($7::text IS NULL OR l.node IS NOT NULL)
    AND ($8::text IS NULL OR l.handler = $8) AND ($9::text IS NULL OR l.error ->> 'code' = $9)`;

/** Counts what a bulk act would be about now. */
export const countBulk = verb("countBulk", async (db: Executor, selection: BulkSelection): Promise<number> => {
  const [row] = await db.query<{ count: number }>(countStatement, selectionValues(selection));
  return row?.count ?? 0;
});

const countStatement: Statement = statement(
  "count_bulk",
  (schema) => `SELECT count(*)::int AS count FROM (${itemsText(schema)}) AS item`,
);

/** A bulk act to write. */
export interface NewBulk {
  /** Made by the caller, so that a repeat of a call whose answer was lost is recognised. */
  readonly bulkId: string;
  readonly act: BulkAct;
  /** JSON text. */
  readonly filter: string;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly selection: BulkSelection;
}

/** Writes a bulk act with its items, as they are at this moment; answers how many, or `undefined` if it was there before. */
export const insertBulk = verb("insertBulk", async (db: Executor, bulk: NewBulk): Promise<number | undefined> => {
  const { bulkId, act, filter, requestedBy, reason, selection } = bulk;
  const values = [...selectionValues(selection), bulkId, act, filter, requestedBy, reason];
  const [row] = await db.query<{ count: number }>(insertStatement, values);
  return row?.count;
});

const insertStatement: Statement = statement(
  "insert_bulk",
  (schema) => `
WITH item AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY instance_id, node)::int AS position, instance_id, node
  FROM (${itemsText(schema)}) AS item
),
counted AS (SELECT count(*)::int AS count FROM item),
inserted AS (
  INSERT INTO ${schema}.bulk (bulk_id, act, filter, requested_by, reason, item_count, finished_at)
  SELECT $10, $11, $12::json, $13, $14, count, CASE count WHEN 0 THEN statement_timestamp() END FROM counted
  ON CONFLICT DO NOTHING
  RETURNING bulk_id, item_count
),
listed AS (
  INSERT INTO ${schema}.bulk_item (bulk_id, position, instance_id, node)
  SELECT b.bulk_id, item.position, item.instance_id, item.node FROM inserted b CROSS JOIN item
)
SELECT item_count AS count FROM inserted`,
);

/** A bulk act with its progress. */
export interface BulkRow {
  readonly bulkId: string;
  readonly act: BulkAct;
  /** JSON text. */
  readonly filter: string;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly count: number;
  readonly pending: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** Reads a bulk act and counts what became of its items. */
export const getBulk = verb("getBulk", async (db: Executor, bulkId: string): Promise<BulkRow | undefined> => {
  const [row] = await db.query<BulkRow>(getStatement, [bulkId]);
  return row;
});

const getStatement: Statement = statement(
  "get_bulk",
  (schema) => `
SELECT b.bulk_id AS "bulkId", b.act, b.filter::text AS filter, b.requested_by AS "requestedBy", b.reason,
       b.item_count AS count, n.pending, n.done, n.failed, n.skipped, b.created_at AS "createdAt",
       b.finished_at AS "finishedAt"
FROM ${schema}.bulk b
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE state = 'pending')::int AS pending, count(*) FILTER (WHERE state = 'done')::int AS done,
         count(*) FILTER (WHERE state = 'failed')::int AS failed,
         count(*) FILTER (WHERE state = 'skipped')::int AS skipped
  FROM ${schema}.bulk_item WHERE bulk_id = b.bulk_id
) n
WHERE b.bulk_id = $1`,
);

/** An item of a bulk act. */
export interface BulkItemRow {
  readonly position: number;
  readonly instanceId: string;
  /** The step of the dead letter; `null` when the act is about the whole instance. */
  readonly node: string | null;
  readonly state: BulkItemState;
  /** Why it failed or was skipped; `null` when all was already as the act wants it. */
  readonly code: string | null;
  readonly message: string | null;
  readonly finishedAt: Date | null;
}

/** Reads items of a bulk act in their order, from behind position `after` on. */
export const listBulkItems = verb(
  "listBulkItems",
  (
    db: Executor,
    params: {
      readonly bulkId: string;
      readonly after: number;
      readonly states: readonly BulkItemState[] | null;
      readonly limit: number;
    },
  ): Promise<BulkItemRow[]> =>
    db.query<BulkItemRow>(itemsStatement, [params.bulkId, params.after, params.states, params.limit]),
);

const itemsStatement: Statement = statement(
  "list_bulk_items",
  (schema) => `
SELECT position, instance_id AS "instanceId", node, state, code, message, finished_at AS "finishedAt"
FROM ${schema}.bulk_item
WHERE bulk_id = $1 AND position > $2::int AND ($3::text[] IS NULL OR state = ANY ($3))
ORDER BY position LIMIT $4`,
);

/** An item whose turn has come, with what its act needs. */
export interface PendingItem {
  readonly bulkId: string;
  readonly position: number;
  readonly act: BulkAct;
  readonly instanceId: string;
  readonly node: string | null;
  readonly requestedBy: string;
  readonly reason: string | null;
}

/** Whether there is a bulk act that is not finished. */
export const hasOpenBulk = verb("hasOpenBulk", async (db: Executor): Promise<boolean> => {
  const rows = await db.query(openStatement);
  return rows.length > 0;
});

const openStatement: Statement = statement(
  "has_open_bulk",
  (schema) => `SELECT bulk_id FROM ${schema}.bulk WHERE finished_at IS NULL LIMIT 1`,
);

/** Finds items to work on, the oldest act first; items that another orchestrator is working on are passed over. */
export const findBulkItems = verb(
  "findBulkItems",
  (db: Executor, limit: number): Promise<PendingItem[]> => db.query<PendingItem>(findStatement, [limit]),
);

// The locks end with the statement: they only spare looking at what another has at this moment.
const findStatement: Statement = statement(
  "find_bulk_items",
  (schema) => `
SELECT i.bulk_id AS "bulkId", i.position, b.act, i.instance_id AS "instanceId", i.node, b.requested_by AS "requestedBy",
       b.reason
FROM ${schema}.bulk b JOIN ${schema}.bulk_item i USING (bulk_id)
WHERE b.finished_at IS NULL AND i.state = 'pending'
ORDER BY i.bulk_id, i.position LIMIT $1
FOR UPDATE OF i SKIP LOCKED`,
);

/** Takes an item until the transaction ends; answers whether it is still to be done and nobody else has it. */
export const takeBulkItem = verb(
  "takeBulkItem",
  async (db: Executor, { bulkId, position }: Pick<PendingItem, "bulkId" | "position">): Promise<boolean> => {
    const rows = await db.query(takeStatement, [bulkId, position]);
    return rows.length > 0;
  },
);

const takeStatement: Statement = statement(
  "take_bulk_item",
  (schema) => `
SELECT position FROM ${schema}.bulk_item WHERE bulk_id = $1 AND position = $2 AND state = 'pending'
FOR UPDATE SKIP LOCKED`,
);

/** What became of an item. */
export interface BulkItemEnd {
  readonly bulkId: string;
  readonly position: number;
  readonly state: Exclude<BulkItemState, "pending">;
  readonly code: string | null;
  readonly message: string | null;
}

/** Notes what became of an item, unless that has been noted. */
export const endBulkItem = verb("endBulkItem", async (db: Executor, end: BulkItemEnd): Promise<void> => {
  await db.query(endStatement, [end.bulkId, end.position, end.state, end.code, end.message]);
});

const endStatement: Statement = statement(
  "end_bulk_item",
  (schema) => `
UPDATE ${schema}.bulk_item SET state = $3, code = $4, message = $5, finished_at = statement_timestamp()
WHERE bulk_id = $1 AND position = $2 AND state = 'pending'`,
);

/** Notes of bulk acts of which nothing is pending any more that they are finished; answers their ids. */
export const finishBulks = verb("finishBulks", async (db: Executor): Promise<string[]> => {
  const rows = await db.query<{ bulkId: string }>(finishStatement);
  return rows.map(({ bulkId }) => bulkId);
});

const finishStatement: Statement = statement(
  "finish_bulks",
  (schema) => `
UPDATE ${schema}.bulk b SET finished_at = statement_timestamp()
WHERE b.finished_at IS NULL AND NOT EXISTS (
  SELECT FROM ${schema}.bulk_item i WHERE i.bulk_id = b.bulk_id AND i.state = 'pending')
RETURNING b.bulk_id AS "bulkId"`,
);
