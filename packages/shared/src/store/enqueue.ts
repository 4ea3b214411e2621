/** How a row enters the queue; the same wherever it comes from. */

/** What differs between those who put steps into the queue, as SQL. The steps to put are `e`. */
export interface EnqueueSource {
  readonly instanceId: string;
  readonly lane: string;
  /** The priority of a step that has none of its own. */
  readonly priority: string;
  readonly epoch: string;
  /** The run of the graph that it belongs to. */
  readonly run: string;
  /** What a person gave it as input, if that can be; JSON text. */
  readonly input?: string;
  /** Whether earlier attempts may have had effects, if that can be. */
  readonly uncertain?: string;
  /** The compensations that follow it, if that can be; JSON text. */
  readonly chain?: string;
  /** FROM and WHERE. */
  readonly from: string;
}

/** What an aged priority key is made of, as SQL. */
interface PriorityKeySource {
  readonly readyAt: string;
  readonly priority: string;
  readonly lane: string;
}

/**
 * The same as `priority_key()` of the migrations, in place: PostgreSQL calls that function for each row, and each call
 * reads the rate again. Here the rate is read once in a statement.
 */
export const priorityKeyText = (
  schema: string,
  { readyAt, priority, lane }: PriorityKeySource,
): string => `(extract(epoch FROM ${readyAt}) * 1000)::bigint
         - (${priority} * 1000 / (SELECT (value #>> '{}')::numeric FROM ${schema}.setting
                                  WHERE name = 'aging_points_per_second'))::bigint
         - CASE ${lane} WHEN 'compensation' THEN 10000000000000 ELSE 0 END`;

/** The INSERT of steps into the queue: ready, or delayed until their time, with the aged priority key written once. */
export const enqueueText = (schema: string, source: EnqueueSource): string => `
  INSERT INTO ${schema}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms,
                         input_from, run, input, uncertain, fork, chain)
  SELECT s.instance_id, s.node, s.lane, s.handler, CASE WHEN s.delay_ms > 0 THEN 'delayed' ELSE 'ready' END, s.priority,
         ${priorityKeyText(schema, { readyAt: "s.ready_at", priority: "s.priority", lane: "s.lane" })},
         s.ready_at, s.epoch, s.timeout_ms, s.input_from, s.run, s.input::json, s.uncertain, s.fork, s.chain::jsonb
  FROM (
    SELECT ${source.instanceId} AS instance_id, ${source.lane} AS lane, ${source.epoch} AS epoch,
           ${source.run} AS run, ${source.input ?? "NULL"} AS input, ${source.uncertain ?? "false"} AS uncertain,
           ${source.chain ?? "NULL"} AS chain, e.fork,
           e.node, e.handler,
           coalesce(e.priority, ${source.priority}) AS priority, e.delay_ms, e.timeout_ms, e.input_from,
           statement_timestamp() + e.delay_ms * interval '1 ms' AS ready_at
    ${source.from}
  ) AS s`;
