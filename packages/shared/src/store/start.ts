/** Starting instances: many with their first steps, in one statement. */
import type { Advance, Enqueue } from "../core/model.ts";
import { codeOf } from "./database-error.ts";
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
  /** Instances with the same are cheaper together when they have it as one object. */
  readonly advance: Advance;
}

/** How to insert instances. */
export interface InsertOptions {
  /**
   * Whether the statement is a transaction of its own, so that it may fail and be followed by another. Then it is sent in a
   * form that takes it for granted that no id exists yet, which only a repeat disproves.
   */
  readonly alone?: boolean;
}

/**
 * Inserts instances with their first steps, in one statement. Answers for each, in order, whether it was inserted; one
 * that was not has the id or the idempotency key of an instance that exists.
 */
export const insertInstances = verb(
  "insertInstances",
  async (
    db: Executor,
    instances: readonly NewInstance[],
    { alone = false }: InsertOptions = {},
  ): Promise<boolean[]> => {
    const batch = toBatch(instances);
    const isPlain = instances.every(passesNothing);
    const { fresh, repeated } = isPlain ? statements.plain : statements.full;
    const values = isPlain ? plainColumns(batch) : [...plainColumns(batch), ...moreColumns(batch)];
    const send = (form: Statement) => db.query<{ readonly instanceId: string }>(form, values);
    const left = alone
      ? await send(fresh).catch((error: unknown) => {
          if (codeOf(error) !== uniqueViolation) throw error;
          return send(repeated);
        })
      : await send(repeated);
    const ids = new Set(left.map((row) => row.instanceId));
    return instances.map((instance) => !ids.has(instance.instanceId));
  },
);

const uniqueViolation = "23505";

/** Whether nothing but steps follows from a start, and no time is set: nearly always. */
const passesNothing = ({ advance, deadlineMs }: NewInstance): boolean =>
  deadlineMs === null &&
  advance.records.length === 0 &&
  advance.finished === null &&
  !advance.review &&
  advance.joins === null;

/** Instances as the statement takes them. What many have in common stands once, and they refer to it by its place. */
interface Batch {
  readonly items: readonly NewInstance[];
  /** Of each item the place of its head: of an instance with the same definition, priority and end. */
  readonly places: readonly number[];
  readonly heads: readonly NewInstance[];
  readonly queued: readonly { readonly instanceId: string; readonly step: number }[];
  readonly steps: readonly Enqueue[];
}

const toBatch = (instances: readonly NewInstance[]): Batch => {
  const heads: NewInstance[] = [];
  const placeOfHead = new Map<string, number>();
  const steps: Enqueue[] = [];
  const placesOfStep = new Map<Enqueue, number[]>();
  const queued: Batch["queued"][number][] = [];
  const items = [...instances].sort(byKeyThenId);
  const places = items.map((item) => {
    const key = headOf(item);
    // Places are counted from 1, as in arrays of PostgreSQL.
    const head = placeOfHead.get(key) ?? heads.push(item);
    placeOfHead.set(key, head);
    for (const step of item.advance.enqueue) {
      // Under another head the same step can have another priority.
      const byHead = placesOfStep.get(step) ?? [];
      placesOfStep.set(step, byHead);
      byHead[head] ??= steps.push({ ...step, priority: step.priority ?? item.priority });
      queued.push({ instanceId: item.instanceId, step: byHead[head] });
    }
    return head;
  });
  return { items, places, heads, queued, steps };
};

const headOf = ({ definitionName, definitionVersion, priority, advance: { finished } }: NewInstance): string =>
  `${definitionName}\n${definitionVersion}\n${priority}\n${finished === null ? "" : `\n${finished.outputFrom ?? ""}`}`;

/**
 * The order in which rows are inserted: by idempotency key, so that two bulk starts with the same keys cannot wait for each
 * other in a circle, and else by id.
 */
const byKeyThenId = (a: NewInstance, b: NewInstance): number =>
  compare(a.definitionName, b.definitionName) ||
  compare(a.idempotencyKey === null ? 1 : 0, b.idempotencyKey === null ? 1 : 0) ||
  compare(a.idempotencyKey ?? "", b.idempotencyKey ?? "") ||
  compare(a.instanceId, b.instanceId);

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** `$1` to `$17`. */
const plainColumns = ({ items, places, heads, queued, steps }: Batch): unknown[] => [
  items.map(({ instanceId }) => instanceId),
  // One JSON text and not an array: all its quotes would have to be escaped, and read again.
  `[${items.map(({ input }) => input).join(",")}]`,
  items.map(({ metadata }) => (metadata === "{}" ? null : metadata)),
  items.map(({ idempotencyKey }) => idempotencyKey),
  places,
  ...columns(heads, ["definitionName", "definitionVersion", "priority"]),
  ...columns(queued, ["instanceId", "step"]),
  ...columns(steps, ["node", "handler", "priority", "delayMs", "timeoutMs", "inputFrom", "fork"]),
];

/** `$18` to `$29`. */
const moreColumns = ({ items, heads }: Batch): unknown[] => {
  const records = items.flatMap(({ instanceId, advance }) => advance.records.map((r) => ({ instanceId, ...toRow(r) })));
  return [
    ...columns(items, ["deadlineMs"]),
    heads.map(({ advance }) => advance.finished !== null),
    heads.map(({ advance }) => advance.finished?.outputFrom ?? null),
    items.filter(({ advance }) => advance.review || advance.joins !== null).map(({ instanceId }) => instanceId),
    ...columns(records, ["instanceId", "node", "status", "side", "error", "inputFrom", "dueInMs", "dueAt"]),
  ];
};

interface Form {
  /** Whether all that can follow from a start is in it, and not only the first steps. */
  readonly isFull: boolean;
  /** Whether it is taken for granted that no id exists yet. */
  readonly isFresh: boolean;
}

// No join is in it that the planner could do in more than one way: what many have in common is taken out of short arrays by
// its place, and what was not inserted is left out by a hashed subplan, which `IS TRUE` keeps from becoming a join. Rows
// come out of `unnest` in the order of the arrays.
const insertText = (schema: string, { isFull, isFresh }: Form): string => {
  const full = (text: string): string => (isFull ? text : "");
  const wasInserted = (id: string): string => `(${id} IN (SELECT instance_id FROM inserted)) IS TRUE`;
  const finish = "($19::boolean[])[r.head]";
  return `
WITH inserted AS (
  INSERT INTO ${schema}.instance (instance_id, definition_name, definition_version, priority, input, metadata,
                            idempotency_key, status ${full(", output_from, finished_at, deadline_at")})
  SELECT r.instance_id, ($6::text[])[r.head], ($7::int[])[r.head], ($8::int[])[r.head], r.input,
         coalesce(r.metadata::jsonb, '{}'), r.idempotency_key,
         ${
           isFull
             ? `CASE WHEN ${finish} THEN 'completed' ELSE 'running' END, ($20::text[])[r.head],
         CASE WHEN ${finish} THEN statement_timestamp() END,
         CASE WHEN NOT ${finish} THEN statement_timestamp() + r.deadline_ms * interval '1 ms' END`
             : "'running'"
         }
  FROM ROWS FROM (unnest($1::text[], $3::text[], $4::text[], $5::int[] ${full(", $18::bigint[]")}),
                  json_array_elements($2::json))
    AS r(instance_id, metadata, idempotency_key, head ${full(", deadline_ms")}, input)
  ON CONFLICT ${isFresh ? "(definition_name, idempotency_key) WHERE idempotency_key IS NOT NULL" : ""} DO NOTHING
  RETURNING instance_id ${full(", finished_at, deadline_at")}
),
${full(`passed AS (
  ${recordText(schema, {
    instanceId: "r.instance_id",
    run: "0",
    from: `FROM (
    SELECT *, coalesce(due_time, statement_timestamp() + due_ms * interval '1 ms') AS due_at
    FROM unnest($22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::bigint[], $29::timestamptz[])
      WITH ORDINALITY AS r(instance_id, node, status, side, error, input_from, due_ms, due_time, place)
  ) AS r
  WHERE ${wasInserted("r.instance_id")} ORDER BY r.place`,
  })}
  RETURNING t.instance_id, t.node, t.status, t.side, t.error, t.due_at
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
noted AS (
  INSERT INTO ${schema}.inbox (instance_id)
  SELECT n.instance_id FROM unnest($21::text[]) AS n(instance_id) WHERE ${wasInserted("n.instance_id")}
),`)}
enqueued AS (${enqueueText(schema, {
    instanceId: "e.instance_id",
    lane: "'forward'",
    priority: "e.priority",
    epoch: "0",
    run: "0",
    from: `FROM (
      SELECT q.instance_id, ($11::text[])[q.step] AS node, ($12::text[])[q.step] AS handler,
             ($13::int[])[q.step] AS priority, ($14::bigint[])[q.step] AS delay_ms, ($15::bigint[])[q.step] AS timeout_ms,
             ($16::text[])[q.step] AS input_from, ($17::text[])[q.step] AS fork
      FROM unnest($9::text[], $10::int[]) AS q(instance_id, step)
      WHERE ${wasInserted("q.instance_id")}
    ) AS e`,
  })}
),
told AS (
  INSERT INTO ${schema}.event (instance_id, type, node, data)
  SELECT instance_id, 'instance.started', NULL, NULL::json FROM inserted
  ${full(`UNION ALL
  SELECT instance_id, ${recordEventText}, node, ${recordDataText} FROM passed
  UNION ALL
  SELECT instance_id, 'instance.completed', NULL, NULL FROM inserted WHERE finished_at IS NOT NULL`)}
)
SELECT r.instance_id AS "instanceId" FROM unnest($1::text[]) AS r(instance_id)
WHERE NOT ${wasInserted("r.instance_id")}`;
};

const formOf = (name: string, form: Form): Statement => statement(name, (schema) => insertText(schema, form));

const statements = {
  plain: {
    fresh: formOf("insert_fresh_instances", { isFull: false, isFresh: true }),
    repeated: formOf("insert_instances", { isFull: false, isFresh: false }),
  },
  full: {
    fresh: formOf("insert_fresh_instances_full", { isFull: true, isFresh: true }),
    repeated: formOf("insert_instances_full", { isFull: true, isFresh: false }),
  },
};

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
