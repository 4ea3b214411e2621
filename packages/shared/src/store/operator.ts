/** What operators and other programs write: audit rows, votes, signals, and other inputs, priorities and pauses. */

import type { Act } from "../vocabulary/act.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { InstanceStatus, Lane } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";

/** An act to record. */
export interface NewAudit {
  /** Made by whoever asked for it, so that a repeat of a call whose answer was lost is recognised. */
  readonly actId: string | null;
  readonly act: Act;
  readonly instanceId: string | null;
  readonly node: string | null;
  readonly definitionName: string | null;
  readonly definitionVersion: number | null;
  readonly requestedBy: string;
  readonly reason: string | null;
  /** JSON text. */
  readonly data: string | null;
}

/** Records acts, in the transaction of their effects. */
export const insertAudit = verb("insertAudit", async (db: Executor, rows: readonly NewAudit[]): Promise<void> => {
  const first = ["act", "instanceId", "node", "definitionName", "definitionVersion"] as const;
  await db.query(auditStatement, columns(rows, [...first, "requestedBy", "reason", "data", "actId"]));
});

const auditStatement: Statement = statement(
  "insert_audit",
  (schema) => `
INSERT INTO ${schema}.audit (act, instance_id, node, definition_name, definition_version, requested_by, reason, data, act_id)
SELECT act, instance_id, node, definition_name, definition_version, requested_by, reason, data::json, act_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[])
  AS a(act, instance_id, node, definition_name, definition_version, requested_by, reason, data, act_id)`,
);

/**
 * Whether the act of this id was recorded. Asked under the lock that the act takes: another try of it is then over, one
 * way or the other.
 */
export const hasAct = verb("hasAct", async (db: Executor, actId: string): Promise<boolean> => {
  const rows = await db.query(actStatement, [actId]);
  return rows.length > 0;
});

const actStatement: Statement = statement(
  "has_act",
  (schema) => `SELECT audit_id FROM ${schema}.audit WHERE act_id = $1`,
);

/** An act that was recorded. */
export interface AuditRow extends Omit<NewAudit, "data"> {
  readonly auditId: number;
  readonly data: unknown;
  readonly createdAt: Date;
}

/** Reads acts, the newest first: of one instance, or of all; `before` is where the page before ended. */
export const listAudit = verb(
  "listAudit",
  (
    db: Executor,
    params: { readonly instanceId: string | null; readonly before: number | null; readonly limit: number },
  ): Promise<AuditRow[]> => db.query<AuditRow>(listStatement, [params.instanceId, params.before, params.limit]),
);

const listStatement: Statement = statement(
  "list_audit",
  (schema) => `
SELECT audit_id AS "auditId", act_id AS "actId", act, instance_id AS "instanceId", node, definition_name AS "definitionName",
       definition_version AS "definitionVersion", requested_by AS "requestedBy", reason, data::jsonb AS data,
       created_at AS "createdAt"
FROM ${schema}.audit
WHERE ($1::text IS NULL OR instance_id = $1) AND ($2::bigint IS NULL OR audit_id < $2)
ORDER BY audit_id DESC LIMIT $3`,
);

/** A vote to write. */
export interface NewVote {
  readonly instanceId: string;
  readonly node: string;
  readonly voter: string;
  readonly kind: "confirm" | "reject";
  readonly comment: string | null;
  /** JSON text. */
  readonly form: string | null;
}

/** Writes a vote, unless the voter has voted on this node; answers the kind of the vote that stood before. */
export const insertVote = verb(
  "insertVote",
  async (db: Executor, vote: NewVote): Promise<NewVote["kind"] | undefined> => {
    const { instanceId, node, voter, kind, comment, form } = vote;
    const [row] = await db.query<{ before: NewVote["kind"] | null }>(voteStatement, [
      instanceId,
      node,
      voter,
      kind,
      comment,
      form,
    ]);
    return row?.before ?? undefined;
  },
);

// The instance is locked, so no other vote on it comes in between.
const voteStatement: Statement = statement(
  "insert_vote",
  (schema) => `
WITH inserted AS (
  INSERT INTO ${schema}.vote (instance_id, node, voter, kind, comment, form) VALUES ($1, $2, $3, $4, $5, $6::json)
  ON CONFLICT DO NOTHING
)
SELECT (SELECT kind FROM ${schema}.vote WHERE instance_id = $1 AND node = $2 AND voter = $3) AS before`,
);

/** A signal to write. */
export interface NewSignal {
  readonly instanceId: string;
  /** The same again is the same signal. */
  readonly signalId: string;
  readonly name: string;
  /** JSON text. */
  readonly payload: string;
  readonly sentBy: string | null;
}

/** Writes a signal; answers whether it is new. */
export const insertSignal = verb("insertSignal", async (db: Executor, signal: NewSignal): Promise<boolean> => {
  const { instanceId, signalId, name, payload, sentBy } = signal;
  const rows = await db.query(signalStatement, [instanceId, signalId, name, payload, sentBy]);
  return rows.length > 0;
});

const signalStatement: Statement = statement(
  "insert_signal",
  (schema) => `
INSERT INTO ${schema}.signal (instance_id, signal_id, name, payload, sent_by) VALUES ($1, $2, $3, $4::json, $5)
ON CONFLICT DO NOTHING RETURNING signal_id`,
);

/** A dead letter of an instance that a person is about to deal with. */
export interface DeadLetterRow {
  readonly instanceId: string;
  readonly node: string;
  readonly lane: Lane;
  readonly error: StepError;
  readonly attempt: number;
  /** What a person gave the step as input before; JSON text. */
  readonly input: string | null;
  readonly createdAt: Date;
}

/** Reads dead letters of instances. */
export const getDeadLetters = verb(
  "getDeadLetters",
  (db: Executor, instanceIds: readonly string[]): Promise<DeadLetterRow[]> =>
    db.query<DeadLetterRow>(lettersStatement, [instanceIds]),
);

const lettersStatement: Statement = statement(
  "get_dead_letters",
  (schema) => `
SELECT d.instance_id AS "instanceId", d.node, d.kind AS lane, d.error::jsonb AS error, d.attempt, t.input::text AS input,
       d.created_at AS "createdAt"
FROM ${schema}.dead_letter d LEFT JOIN ${schema}.step t USING (instance_id, node)
WHERE d.instance_id = ANY ($1::text[]) ORDER BY d.created_at, d.node`,
);

/** A dead letter in a list. */
export interface ListedDeadLetter extends DeadLetterRow {
  readonly definitionName: string;
  readonly definitionVersion: number;
  /** The handler that was called; null of a node that calls none. */
  readonly handler: string | null;
  readonly status: InstanceStatus;
  /** When it was written, to the microsecond: where the next page begins. */
  readonly position: string;
}

/** Which dead letters to list; `null` for any. */
export interface DeadLetterFilter {
  readonly lane: Lane | null;
  readonly definitionName: string | null;
  readonly handler: string | null;
  /** Where the page before ended. */
  readonly after: { readonly position: string; readonly instanceId: string; readonly node: string } | null;
  readonly limit: number;
}

/** Lists dead letters of all instances, the oldest first, by keyset. */
export const listDeadLetters = verb(
  "listDeadLetters",
  (db: Executor, { lane, definitionName, handler, after, limit }: DeadLetterFilter): Promise<ListedDeadLetter[]> => {
    const from = [after?.position ?? "-infinity", after?.instanceId ?? "", after?.node ?? ""];
    return db.query<ListedDeadLetter>(listLettersStatement, [lane, definitionName, handler, ...from, limit]);
  },
);

const listLettersStatement: Statement = statement(
  "list_dead_letters",
  (schema) => `
SELECT d.instance_id AS "instanceId", d.node, d.kind AS lane, d.error::jsonb AS error, d.attempt, t.input::text AS input,
       d.created_at AS "createdAt", d.handler, i.definition_name AS "definitionName",
       i.definition_version AS "definitionVersion", i.status,
       to_char(d.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS position
FROM ${schema}.dead_letter d
JOIN ${schema}.instance i USING (instance_id)
LEFT JOIN ${schema}.step t USING (instance_id, node)
WHERE ($1::text IS NULL OR d.kind = $1) AND ($2::text IS NULL OR i.definition_name = $2)
  AND ($3::text IS NULL OR d.handler = $3) AND (d.created_at, d.instance_id, d.node) > ($4::timestamptz, $5::text, $6::text)
ORDER BY d.created_at, d.instance_id, d.node LIMIT $7`,
);

/**
 * Prepares a locked instance for being resumed: the value that its savepoint passes on, or its input if there is none, is
 * replaced unless `value` is null, and it has no deadline any more. Answers the input that stood before, as JSON text.
 */
export const prepareResume = verb(
  "prepareResume",
  async (
    db: Executor,
    params: { readonly instanceId: string; readonly savepoint: string | null; readonly value: string | null },
  ): Promise<string> => {
    const [row] = await db.query<{ input: string }>(resumeStatement, [
      params.instanceId,
      params.savepoint,
      params.value,
    ]);
    return row?.input ?? "null";
  },
);

const resumeStatement: Statement = statement(
  "prepare_resume",
  (schema) => `
WITH before AS (SELECT input::text AS input FROM ${schema}.instance WHERE instance_id = $1),
instance AS (
  UPDATE ${schema}.instance
  SET deadline_at = NULL, input = CASE WHEN $2::text IS NULL AND $3::text IS NOT NULL THEN $3::json ELSE input END
  WHERE instance_id = $1
),
savepoint AS (
  UPDATE ${schema}.step SET output = $3::json WHERE instance_id = $1 AND node = $2 AND $3::text IS NOT NULL
)
SELECT input FROM before`,
);

/** Gives a locked instance, and what it has in the queue, another priority; what runs has it when it is tried again. */
export const updatePriority = verb(
  "updatePriority",
  async (db: Executor, params: { readonly instanceId: string; readonly priority: number }): Promise<void> => {
    await db.query(priorityStatement, [params.instanceId, params.priority]);
  },
);

const priorityStatement: Statement = statement(
  "update_priority",
  (schema) => `
WITH instance AS (UPDATE ${schema}.instance SET priority = $2 WHERE instance_id = $1)
UPDATE ${schema}.queue SET priority = $2, key = ${schema}.priority_key(ready_at, $2, lane)
WHERE instance_id = $1`,
);

/** Notes that a definition is paused; answers whether it was not before. */
export const insertPause = verb(
  "insertPause",
  async (
    db: Executor,
    params: { readonly name: string; readonly requestedBy: string; readonly reason: string | null },
  ): Promise<boolean> => {
    const rows = await db.query(pauseStatement, [params.name, params.requestedBy, params.reason]);
    return rows.length > 0;
  },
);

const pauseStatement: Statement = statement(
  "insert_pause",
  (schema) => `
INSERT INTO ${schema}.pause (definition_name, requested_by, reason) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING definition_name`,
);

/** Notes that a definition is not paused any more; answers whether it was. */
export const deletePause = verb("deletePause", async (db: Executor, name: string): Promise<boolean> => {
  const rows = await db.query(unpauseStatement, [name]);
  return rows.length > 0;
});

const unpauseStatement: Statement = statement(
  "delete_pause",
  (schema) => `DELETE FROM ${schema}.pause WHERE definition_name = $1 RETURNING definition_name`,
);

/** Puts ready steps of paused definitions aside, at most `limit`, so that claiming does not pass over them each time. */
export const holdPaused = verb("holdPaused", async (db: Executor, limit: number): Promise<number> => {
  const rows = await db.query(holdStatement, [limit]);
  return rows.length;
});

// Rows that are locked are passed over: this locks rows of the queue without their instances. Claiming does not take them.
const holdStatement: Statement = statement(
  "hold_paused",
  (schema) => `
WITH ready AS MATERIALIZED (
  SELECT q.instance_id, q.node FROM ${schema}.pause p
  JOIN ${schema}.instance i USING (definition_name)
  JOIN ${schema}.queue q USING (instance_id)
  WHERE i.finished_at IS NULL AND q.state = 'ready' AND q.lane = 'forward'
  LIMIT $1
  FOR UPDATE OF q SKIP LOCKED
)
UPDATE ${schema}.queue q SET state = 'held' FROM ready r WHERE q.instance_id = r.instance_id AND q.node = r.node
RETURNING q.node`,
);

/** Makes steps ready that were put aside and whose definition is not paused any more, at most `limit`; their handlers. */
export const releaseHeld = verb(
  "releaseHeld",
  async (db: Executor, limit: number): Promise<{ released: number; handlers: string[] }> => {
    const rows = await db.query<{ handler: string; count: number }>(releaseStatement, [limit]);
    return { released: rows.reduce((sum, row) => sum + row.count, 0), handlers: rows.map(({ handler }) => handler) };
  },
);

const releaseStatement: Statement = statement(
  "release_held",
  (schema) => `
WITH held AS MATERIALIZED (
  SELECT q.instance_id, q.node FROM ${schema}.queue q JOIN ${schema}.instance i USING (instance_id)
  WHERE q.state = 'held' AND NOT EXISTS (SELECT FROM ${schema}.pause p WHERE p.definition_name = i.definition_name)
  LIMIT $1
  FOR UPDATE OF q SKIP LOCKED
),
released AS (
  UPDATE ${schema}.queue q SET state = 'ready' FROM held h WHERE q.instance_id = h.instance_id AND q.node = h.node
  RETURNING q.handler
)
SELECT handler, count(*)::int AS count FROM released GROUP BY handler`,
);

/** Deprecates a version, or takes that back; answers whether there is such a version, and whether it was deprecated. */
export const updateDeprecated = verb(
  "updateDeprecated",
  async (
    db: Executor,
    params: { readonly name: string; readonly version: number; readonly deprecated: boolean },
  ): Promise<{ readonly before: boolean } | undefined> => {
    const [row] = await db.query<{ before: boolean }>(deprecateStatement, [
      params.name,
      params.version,
      params.deprecated,
    ]);
    return row;
  },
);

const deprecateStatement: Statement = statement(
  "update_deprecated",
  (schema) => `
WITH before AS (
  SELECT deprecated_at FROM ${schema}.definition WHERE name = $1 AND version = $2 FOR UPDATE
)
UPDATE ${schema}.definition d
SET deprecated_at = CASE WHEN $3 THEN coalesce(d.deprecated_at, statement_timestamp()) END
FROM before b WHERE d.name = $1 AND d.version = $2
RETURNING b.deprecated_at IS NOT NULL AS before`,
);
