/** Instances: looking at them, listing them. */
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

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
