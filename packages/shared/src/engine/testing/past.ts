/** Instances of the past: rows as if they had been started and had ended then. */
import type { Executor } from "../../store/executor.ts";
import { sql } from "../../store/testing/database.ts";
import { newId } from "../../vocabulary/id.ts";
import { registerDefinition } from "../graphs.ts";

/** An instance of the past. */
export interface PastInstance {
  readonly definition?: string;
  readonly status?: string;
  /** How long ago it was started, in days; it ended a minute later. */
  readonly daysAgo: number;
  readonly idempotencyKey?: string;
  /** How long ago it ended, in days, if that was not a minute after its start. */
  readonly endedDaysAgo?: number;
}

const ended: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "aborted"]);

/** Puts instances into the past, each with a step, events, a vote and a signal; answers their ids in order. */
export const putPast = async (db: Executor, instances: readonly PastInstance[]): Promise<string[]> => {
  const names = new Set(instances.map(({ definition = "d" }) => definition));
  for (const name of names) {
    const node = { kind: "task", name: "a", handler: "h" } as const;
    await registerDefinition(db, { format: 1, name, version: 1, nodes: [node] });
  }
  const rows = instances.map(({ definition = "d", status = "completed", daysAgo, idempotencyKey, endedDaysAgo }) => ({
    tail: newId().slice(10),
    definition,
    status,
    daysAgo,
    key: idempotencyKey ?? null,
    endedDaysAgo: ended.has(status) ? (endedDaysAgo ?? daysAgo - 1 / 1_440) : null,
  }));
  const found = await sql<{ id: string }>(
    db,
    `WITH past AS (
       SELECT {schema}.id_at(now() - days * interval '1 day') || tail AS id, now() - days * interval '1 day' AS at,
              now() - until * interval '1 day' AS finished_at, definition, status, key, place
       FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::float8[]) WITH ORDINALITY
         AS p(tail, definition, status, days, key, until, place)
     ),
     instance AS (
       INSERT INTO {schema}.instance (instance_id, definition_name, definition_version, status, priority, input,
                                      idempotency_key, created_at, finished_at)
       SELECT id, definition, 1, status, 50, '{}', key, at, finished_at FROM past
     ),
     step AS (
       INSERT INTO {schema}.step (instance_id, node, status, outcome, attempt, output, finished_at)
       SELECT id, 'a', CASE WHEN status IN ('failed', 'cancelled') THEN 'rolled_back' ELSE 'completed' END, 'happened', 1,
              '{}', at FROM past
     ),
     told AS (
       INSERT INTO {schema}.event (instance_id, type, created_at)
       SELECT id, type, at FROM past CROSS JOIN unnest(ARRAY['instance.started', 'instance.' || status]) AS type
     ),
     vote AS (INSERT INTO {schema}.vote (instance_id, node, voter, kind) SELECT id, 'a', 'ann', 'confirm' FROM past),
     signal AS (INSERT INTO {schema}.signal (signal_id, instance_id, name, payload) SELECT 's', id, 's', '{}' FROM past)
     SELECT id FROM past ORDER BY place`,
    ...(["tail", "definition", "status", "daysAgo", "key", "endedDaysAgo"] as const).map((name) =>
      rows.map((row) => row[name]),
    ),
  );
  return found.map(({ id }) => id);
};
