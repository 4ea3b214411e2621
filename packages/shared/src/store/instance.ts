/** Instances: starting them, looking at them, listing them. */
import type { Advance } from "../core/model.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import { enqueueText } from "./enqueue.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";
import { recordDataText, recordEventText, recordText, toRow } from "./record.ts";

/** An instance to insert, with what follows from its start. */
export interface NewInstance {
  /** Made by the caller, so that a repeat of a call whose answer was lost is recognised. */
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly priority: number;
  /** JSON text. */
  readonly input: string;
  /** JSON text of an object. */
  readonly metadata: string;
  readonly idempotencyKey: string | null;
  /** How long it may take, in milliseconds. */
  readonly deadlineMs: number | null;
  readonly advance: Advance;
}

/**
 * Inserts instances with their first steps, in one statement. Answers for each, in order, whether it was inserted; one
 * that was not has the id or the idempotency key of an instance that exists.
 */
export const insertInstances = verb(
  "insertInstances",
  async (db: Executor, instances: readonly NewInstance[]): Promise<boolean[]> => {
    const rows = instances.map((instance, ordinal) => ({
      ...instance,
      ordinal,
      review: instance.advance.review,
      finish: instance.advance.finished !== null,
      outputFrom: instance.advance.finished?.outputFrom ?? null,
    }));
    const records = instances.flatMap((instance, parent) =>
      instance.advance.records.map((record) => ({ parent, ...toRow(record) })),
    );
    const enqueue = instances.flatMap((instance, parent) => instance.advance.enqueue.map((e) => ({ parent, ...e })));
    const inserted = await db.query<{ instanceId: string }>(insertStatement, [
      ...columns(rows, [
        "ordinal",
        "instanceId",
        "definitionName",
        "definitionVersion",
        "priority",
        "input",
        "metadata",
      ]),
      ...columns(rows, ["idempotencyKey", "review", "finish", "outputFrom"]),
      ...columns(records, ["parent", "node", "status", "side", "error", "inputFrom"]),
      ...columns(enqueue, ["parent", "node", "handler", "priority", "delayMs", "timeoutMs", "inputFrom"]),
      ...columns(records, ["dueInMs", "dueAt"]),
      ...columns(rows, ["deadlineMs"]),
    ]);
    const ids = new Set(inserted.map((row) => row.instanceId));
    return instances.map((instance) => ids.has(instance.instanceId));
  },
);

// Sorted by idempotency key, so that two bulk starts with the same keys cannot wait for each other in a circle.
const insertStatement: Statement = statement(
  "insert_instances",
  (schema) => `
WITH request AS (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[],
                       $9::boolean[], $10::boolean[], $11::text[], $27::bigint[])
    AS r(ordinal, instance_id, definition_name, definition_version, priority, input, metadata, idempotency_key,
         review, finish, output_from, deadline_ms)
),
inserted AS (
  INSERT INTO ${schema}.instance (instance_id, definition_name, definition_version, status, priority, input, output_from,
                            metadata, idempotency_key, finished_at, deadline_at)
  SELECT instance_id, definition_name, definition_version, CASE WHEN finish THEN 'completed' ELSE 'running' END, priority,
         input::json, output_from, metadata::jsonb, idempotency_key, CASE WHEN finish THEN statement_timestamp() END,
         CASE WHEN NOT finish THEN statement_timestamp() + deadline_ms * interval '1 ms' END
  FROM request ORDER BY definition_name, idempotency_key, instance_id
  ON CONFLICT DO NOTHING
  RETURNING instance_id, deadline_at
),
fresh AS (SELECT r.* FROM request r JOIN inserted USING (instance_id)),
record AS (
  SELECT r.*, coalesce(r.due_time, statement_timestamp() + r.due_ms * interval '1 ms') AS due_at
  FROM unnest($12::int[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $25::bigint[], $26::timestamptz[])
    WITH ORDINALITY AS r(parent, node, status, side, error, input_from, due_ms, due_time, place)
),
passed AS (
  ${recordText(schema, {
    instanceId: "f.instance_id",
    run: "0",
    from: "FROM record r JOIN fresh f ON f.ordinal = r.parent ORDER BY r.place",
  })}
  RETURNING instance_id, node, status, side, error, due_at
),
dead AS (
  INSERT INTO ${schema}.dead_letter (instance_id, node, kind, error, attempt)
  SELECT instance_id, node, 'forward', error, 0 FROM passed WHERE status = 'paused'
),
timed AS (
  INSERT INTO ${schema}.timer (instance_id, node, due_at)
  SELECT instance_id, node, due_at FROM passed WHERE due_at IS NOT NULL
  UNION ALL
  SELECT instance_id, '', deadline_at FROM inserted WHERE deadline_at IS NOT NULL
),
enqueued AS (${enqueueText(schema, {
    instanceId: "f.instance_id",
    lane: "'forward'",
    priority: "f.priority",
    epoch: "0",
    run: "0",
    from: `FROM unnest($18::int[], $19::text[], $20::text[], $21::int[], $22::bigint[], $23::bigint[], $24::text[])
           AS e(parent, node, handler, priority, delay_ms, timeout_ms, input_from)
         JOIN fresh f ON f.ordinal = e.parent`,
  })}
),
noted AS (INSERT INTO ${schema}.inbox (instance_id) SELECT instance_id FROM fresh WHERE review),
told AS (
  INSERT INTO ${schema}.event (instance_id, type, node, data)
  SELECT instance_id, 'instance.started', NULL, NULL FROM fresh
  UNION ALL
  SELECT instance_id, ${recordEventText}, node, ${recordDataText} FROM passed
  UNION ALL
  SELECT instance_id, 'instance.completed', NULL, NULL FROM fresh WHERE finish
)
SELECT instance_id AS "instanceId" FROM inserted`,
);

/** An instance that stands where a new one was to be inserted. */
export interface ExistingInstance {
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly idempotencyKey: string | null;
  /** JSON text. */
  readonly input: string;
}

/** Finds instances by id or by definition name and idempotency key. */
export const findExisting = verb(
  "findExisting",
  (
    db: Executor,
    wanted: readonly Pick<NewInstance, "instanceId" | "definitionName" | "idempotencyKey">[],
  ): Promise<ExistingInstance[]> =>
    db.query<ExistingInstance>(existingStatement, columns(wanted, ["instanceId", "definitionName", "idempotencyKey"])),
);

// Two joins, each by its own index; with OR in one join the planner reads the whole table.
const existingStatement: Statement = statement(
  "find_existing",
  (schema) => `
WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS w(instance_id, definition_name, idempotency_key)),
standing AS (
  SELECT i.instance_id FROM wanted w JOIN ${schema}.instance i USING (instance_id)
  UNION
  SELECT i.instance_id FROM wanted w JOIN ${schema}.instance i USING (definition_name, idempotency_key)
  WHERE i.idempotency_key IS NOT NULL
)
SELECT i.instance_id AS "instanceId", i.definition_name AS "definitionName", i.definition_version AS "definitionVersion",
       i.idempotency_key AS "idempotencyKey", i.input::text AS input
FROM standing JOIN ${schema}.instance i USING (instance_id)`,
);

/** The row of an instance. Payloads are JSON text. */
export interface InstanceRow {
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly status: InstanceStatus;
  readonly priority: number;
  readonly run: number;
  readonly pausedFrom: InstanceStatus | null;
  readonly deadlineAt: Date | null;
  readonly input: string;
  readonly output: string | null;
  readonly metadata: JsonObject;
  readonly idempotencyKey: string | null;
  readonly cause: StepError | null;
  readonly boundary: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

const instanceColumns = (schema: string): string => `
  i.instance_id AS "instanceId", i.definition_name AS "definitionName", i.definition_version AS "definitionVersion",
  i.status, i.priority, i.run, i.paused_from AS "pausedFrom", i.deadline_at AS "deadlineAt", i.input::text AS input,
  CASE WHEN i.status = 'completed' AND i.output_from IS NULL THEN i.input::text
       WHEN i.status = 'completed' THEN (SELECT t.output::text FROM ${schema}.step t
                                         WHERE t.instance_id = i.instance_id AND t.node = i.output_from) END AS output,
  i.metadata, i.idempotency_key AS "idempotencyKey", i.cause::jsonb AS cause, i.boundary,
  i.created_at AS "createdAt", i.finished_at AS "finishedAt"`;

/** Reads instances, in no order; one that does not exist is left out. */
export const getInstances = verb(
  "getInstances",
  (db: Executor, instanceIds: readonly string[]): Promise<InstanceRow[]> =>
    db.query<InstanceRow>(getStatement, [instanceIds]),
);

const getStatement: Statement = statement(
  "get_instances",
  (schema) => `SELECT ${instanceColumns(schema)} FROM ${schema}.instance i WHERE i.instance_id = ANY ($1::text[])`,
);

/** Which instances to list. */
export interface ListFilter {
  readonly definitionName?: string | undefined;
  readonly statuses?: readonly InstanceStatus[] | undefined;
  /** Only instances older than this id: where the page before ended. */
  readonly before?: string | undefined;
  /** The most rows to answer. */
  readonly limit: number;
}

/** Lists instances, the newest first, by keyset. */
export const listInstances = verb(
  "listInstances",
  (db: Executor, filter: ListFilter): Promise<InstanceRow[]> =>
    db.query<InstanceRow>(listStatement, [
      filter.definitionName ?? null,
      filter.statuses ?? null,
      filter.before ?? afterAllIds,
      filter.limit,
    ]),
);

// Sorts behind every id. With a bound that is never absent the primary key leads straight to a page, however deep.
const afterAllIds = "~";

const listStatement: Statement = statement(
  "list_instances",
  (schema) => `
SELECT ${instanceColumns(schema)} FROM ${schema}.instance i
WHERE ($1::text IS NULL OR i.definition_name = $1) AND ($2::text[] IS NULL OR i.status = ANY ($2))
  AND i.instance_id < $3::text
ORDER BY i.instance_id DESC LIMIT $4`,
);

/** How an instance stands. */
export interface InstanceState {
  readonly instanceId: string;
  readonly status: InstanceStatus;
  readonly finished: boolean;
}

/** Says how instances stand, without payloads; one that does not exist is left out. */
export const statesOf = verb(
  "statesOf",
  (db: Executor, instanceIds: readonly string[]): Promise<InstanceState[]> =>
    db.query<InstanceState>(statesStatement, [instanceIds]),
);

const statesStatement: Statement = statement(
  "states_of",
  (schema) => `
SELECT instance_id AS "instanceId", status, finished_at IS NOT NULL AS finished
FROM ${schema}.instance WHERE instance_id = ANY ($1::text[])`,
);
