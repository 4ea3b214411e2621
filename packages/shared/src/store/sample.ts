/** Figures of the queue for metrics: one statement whose cost is bounded, however long the queue is. */
import type { Lane } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** The ready steps of one handler. */
export interface HandlerSample {
  readonly handler: string;
  /** How many steps are ready; counted up to 10,000. */
  readonly ready: number;
  /** How long the oldest of them has been ready, in seconds. */
  readonly oldestSeconds: number;
}

/** What the queue looks like now. All counts end at 10,000. */
export interface QueueSample {
  /** By handler, in the order of their names; only handlers with ready steps, the first 100. */
  readonly handlers: readonly HandlerSample[];
  readonly delayed: number;
  readonly leased: number;
  /** Notes in the inbox. */
  readonly inbox: number;
  /** Notes that were put off because looking at their instance failed. */
  readonly postponed: number;
  readonly deadLetters: Readonly<Record<Lane, number>>;
}

/** Where counting ends: a longer queue is long enough to know. */
const sampleCountLimit = 10_000;

/** The most handlers of a sample. Each is a label of a metric. */
const sampleHandlerLimit = 100;

interface SampleRow {
  readonly handlers: readonly HandlerSample[];
  readonly delayed: number;
  readonly leased: number;
  readonly inbox: number;
  readonly postponed: number;
  readonly deadForward: number;
  readonly deadCompensation: number;
}

/** Reads the figures of the queue. */
export const sampleQueue = verb("sampleQueue", async (db: Executor): Promise<QueueSample> => {
  const [row] = await db.query<SampleRow>(sampleStatement, [sampleCountLimit, sampleHandlerLimit]);
  if (row === undefined) throw new Error("a statement that always answers one row answered none");
  const { deadForward, deadCompensation, ...counts } = row;
  return { ...counts, deadLetters: { forward: deadForward, compensation: deadCompensation } };
});

// The handlers are found by jumping from one to the next in the index, so a long queue of one handler is not read to find
// the others. Within a handler the best keys are counted first; the oldest step is among them unless its priority is low
// and the limit is reached.
const sampleStatement: Statement = statement(
  "sample_queue",
  (schema) => `
WITH RECURSIVE handler AS (
  SELECT min(q.handler) AS name, 1 AS place FROM ${schema}.queue q WHERE q.state = 'ready'
  UNION ALL
  SELECT (SELECT min(q.handler) FROM ${schema}.queue q WHERE q.state = 'ready' AND q.handler > h.name), h.place + 1
  FROM handler h WHERE h.name IS NOT NULL AND h.place < $2::int
),
ready AS (
  SELECT h.name, c.ready, c.oldest FROM handler h
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS ready, min(s.ready_at) AS oldest
    FROM (SELECT q.ready_at FROM ${schema}.queue q WHERE q.state = 'ready' AND q.handler = h.name ORDER BY q.key LIMIT $1::int) s
  ) c
  WHERE h.name IS NOT NULL AND c.ready > 0
)
SELECT
  (SELECT coalesce(jsonb_agg(jsonb_build_object('handler', r.name, 'ready', r.ready, 'oldestSeconds',
     greatest(0, extract(epoch FROM statement_timestamp() - r.oldest))::float8) ORDER BY r.name), '[]') FROM ready r) AS handlers,
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.queue WHERE state = 'delayed' LIMIT $1::int) d) AS delayed,
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.queue WHERE state = 'leased' LIMIT $1::int) l) AS leased,
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.inbox LIMIT $1::int) n) AS inbox,
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.inbox WHERE attempt > 0 LIMIT $1::int) n) AS postponed,
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.dead_letter WHERE kind = 'forward' LIMIT $1::int) d) AS "deadForward",
  (SELECT count(*)::int FROM (SELECT FROM ${schema}.dead_letter WHERE kind = 'compensation' LIMIT $1::int) d) AS "deadCompensation"`,
);
