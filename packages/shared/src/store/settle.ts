/**
 * Settling: the one statement in which the results of attempts become true. Many steps of many instances at once, each
 * fenced by its lease's token, together with all that follows from them: successors, records of nodes passed, events,
 * the end of an instance, and the note to the orchestrator.
 */
import type { Advance } from "../core/model.ts";
import type { Outcome } from "../vocabulary/status.ts";
import { enqueueText, priorityKeyText } from "./enqueue.ts";
import type { Executor, Statement } from "./executor.ts";
import { columns, statement, verb } from "./executor.ts";
import { recordDataText, recordEventText, recordText, toRow } from "./record.ts";

/**
 * What became of an attempt. `completed` and `failed` are final, `retry` calls the handler again after `delayMs`,
 * `released` gives the lease back before the handler was called, so the attempt does not count.
 */
export type Verdict = "completed" | "retry" | "failed" | "released";

/**
 * What a step that failed for good leads to. `freeze`: its instance fails at once. `contain`: the join of its branch may do
 * without it; a review says. `pause`: a dead letter, and a person decides.
 */
export type OnFail = "freeze" | "contain" | "pause";

/** The result of one attempt. */
export interface Settlement {
  readonly instanceId: string;
  readonly node: string;
  /** The fencing token of the lease; without the current one nothing is written. */
  readonly token: number;
  readonly verdict: Verdict;
  /** The handler's output as JSON text, when it completed. */
  readonly output: string | null;
  /** The error as JSON text, when it did not. */
  readonly error: string | null;
  /** What is known of the effects of a failed forward step; the store knows better of one that ran in a transaction. */
  readonly outcome: Outcome | null;
  /** What a failure for good leads to. */
  readonly onFail: OnFail;
  /** The wait before the next attempt, in milliseconds. */
  readonly delayMs: number;
  /** What follows in the graph, for a forward step that completed. */
  readonly advance: Advance | null;
}

/**
 * What became of a settlement. `settled`: written. `adopted`: written, but the instance was frozen meanwhile, so the
 * graph does not advance and the step joins the rollback. `lost`: the lease had been lost, nothing was written.
 */
export type SettleResult = "settled" | "adopted" | "lost";

/** The parameters of {@link settle}. */
export interface SettleParams {
  readonly settlements: readonly Settlement[];
  /** Who settles; for the event of a settlement that is refused. */
  readonly workerId: string;
  /** Settle only leases that have expired, by the database's clock: how an orchestrator takes over. */
  readonly onlyExpired?: boolean;
}

/**
 * Locks what {@link settle} will change: the leases, after their instances were locked. So that statement finds every row as
 * its snapshot shows it. A freeze must see what was queued while it waited; and a row that changed meanwhile would be
 * evaluated anew, within a statement that reads partitioned tables, which PostgreSQL 18.4 does not always survive.
 */
export const lockLeases = verb(
  "lockLeases",
  async (db: Executor, leases: readonly Pick<Settlement, "instanceId" | "node">[]): Promise<void> => {
    await db.query(lockLeasesStatement, columns(leases, ["instanceId", "node"]));
  },
);

const lockLeasesStatement: Statement = statement(
  "lock_leases",
  (schema) => `
SELECT count(*)::int AS locked FROM unnest($1::text[], $2::text[]) AS s(instance_id, node)
CROSS JOIN LATERAL (
  SELECT FROM ${schema}.queue q WHERE q.instance_id = s.instance_id AND q.node = s.node FOR UPDATE
) q`,
);

/** Whether a settlement can fail its instance: the step failed for good, or a condition after it could not be decided. */
export const mayFreeze = ({ verdict, onFail, advance }: Settlement): boolean =>
  (verdict === "failed" && onFail === "freeze") ||
  (advance?.records.some(({ status, contained }) => status === "failed" && !contained) ?? false);

/**
 * Writes results and all that follows from them, in one statement. Answers one result per settlement, in order.
 * Repeating a call whose answer was lost is safe: the same token is recognised and answered `settled`.
 *
 * Call it in a transaction that has locked the instances, and then the leases, by statements before: see {@link lockLeases}.
 */
export const settle = verb("settle", async (db: Executor, params: SettleParams): Promise<SettleResult[]> => {
  const { settlements, workerId, onlyExpired = false } = params;
  const rows = settlements.map((settlement, ordinal) => ({ ordinal, ...settlement, ...flags(settlement.advance) }));
  const records = settlements.flatMap((s, parent) => (s.advance?.records ?? []).map((r) => ({ parent, ...toRow(r) })));
  const enqueue = settlements.flatMap((s, parent) => (s.advance?.enqueue ?? []).map((e) => ({ parent, ...e })));
  const answers = await db.query<{ ordinal: number; result: SettleResult }>(settleStatement, [
    ...columns(rows, ["ordinal", "instanceId", "node", "token", "verdict", "output", "error", "outcome", "delayMs"]),
    ...columns(rows, ["review", "finish", "outputFrom"]),
    ...columns(records, ["parent", "node", "status", "side", "error", "inputFrom"]),
    ...columns(enqueue, ["parent", "node", "handler", "priority", "delayMs", "timeoutMs", "inputFrom"]),
    workerId,
    onlyExpired,
    ...columns(records, ["dueInMs", "dueAt", "contained"]),
    ...columns(rows, ["onFail"]),
    ...columns(enqueue, ["fork"]),
  ]);
  const results = settlements.map((): SettleResult => "lost");
  for (const { ordinal, result } of answers) results[ordinal] = result;
  return results;
});

// An arrival at a join is always noted here: another step of the fork that is seen in the queue could have left it while
// this statement waited for the instance.
const flags = (advance: Advance | null) => ({
  review: advance !== null && (advance.review || advance.joins !== null),
  finish: advance?.finished != null,
  outputFrom: advance?.finished?.outputFrom ?? null,
});

// How the statement keeps its promises:
// - `locked` locks the instances in id order before any row of the queue, as everyone does, so batches cannot deadlock,
//   and the epoch it reads is the newest even when it had to wait.
// - `held` is the fence: only rows that still carry the settlement's token. All else hangs off it.
// - `live` says whether the instance still goes forward in the epoch the step was queued in. If not, a completed step is
//   adopted, and one that would be retried has failed with an unknown outcome.
// - `again` is true for what goes back into the queue instead of leaving it.
// - `failing` are the instances that fail here, which is nothing to their compensations. They are frozen at once: no step of theirs starts from this commit on,
//   what waits in the queue is taken back (a step that waits for its retry has been called, so its outcome is unknown),
//   and siblings that are settled beside the failure are adopted. The rollback itself is for an orchestrator.
// - `own_token` is kept with what was settled, so that a repeat of the call is `repeated`: it was written before, and is
//   answered as if now. A take-over leaves no token: the worker that lost the lease must be told so when it wakes up.
const settleStatement: Statement = statement(
  "settle",
  (schema) => `
WITH settlement AS (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::bigint[], $10::boolean[], $11::boolean[], $12::text[], $31::text[])
    AS s(ordinal, instance_id, node, token, verdict, output, error, outcome, delay_ms, review, finish, output_from, on_fail)
),
locked AS MATERIALIZED (
  SELECT s.*, i.epoch, i.status, i.priority, i.run FROM settlement s JOIN ${schema}.instance i USING (instance_id)
  ORDER BY s.instance_id
  FOR NO KEY UPDATE OF i
),
held AS MATERIALIZED (
  SELECT l.ordinal, l.instance_id, l.node, l.token, l.verdict, l.output, l.error, l.outcome, l.delay_ms, l.review, l.finish,
         l.output_from, l.on_fail, l.epoch, l.priority AS instance_priority, l.run AS instance_run,
         q.lane, q.handler, q.attempt, q.input_from, q.input, q.run, q.transactional, q.uncertain, q.leased_at, q.worker_id,
         q.lane = 'compensation' OR (l.status = 'running' AND l.epoch = q.epoch) AS live
  FROM locked l
  JOIN ${schema}.queue q ON q.instance_id = l.instance_id AND q.node = l.node AND q.token = l.token
  WHERE NOT $27::boolean OR q.lease_until < statement_timestamp()
  FOR UPDATE OF q
),
record AS MATERIALIZED (
  SELECT r.*, coalesce(r.due_time, statement_timestamp() + r.due_ms * interval '1 ms') AS due_at
  FROM unnest($13::int[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $28::bigint[],
              $29::timestamptz[], $30::boolean[])
    WITH ORDINALITY AS r(parent, node, status, side, error, input_from, due_ms, due_time, contained, place)
),
failing AS MATERIALIZED (
  SELECT DISTINCT ON (instance_id) * FROM (
    SELECT instance_id, ordinal, error, 0 AS place FROM held
    WHERE live AND lane = 'forward' AND verdict = 'failed' AND on_fail = 'freeze'
    UNION ALL
    SELECT h.instance_id, h.ordinal, r.error, r.place FROM record r JOIN held h ON h.ordinal = r.parent
    WHERE h.live AND h.verdict = 'completed' AND r.status = 'failed' AND NOT r.contained
  ) AS f
  ORDER BY instance_id, ordinal, place
),
judged AS MATERIALIZED (
  SELECT h.*, verdict IN ('retry', 'released') AND goes_on AS again, verdict = 'completed' AND goes_on AS flows,
         CASE WHEN NOT $27::boolean THEN token END AS own_token,
         CASE
           WHEN verdict = 'completed' THEN 'happened'
           WHEN uncertain THEN 'unknown'
           WHEN verdict = 'released' AND attempt <= 1 THEN 'absent'
           WHEN transactional THEN 'absent'
           ELSE coalesce(outcome, 'unknown')
         END AS known,
         live AND lane = 'forward' AND verdict = 'failed' AND on_fail = 'pause' AS pauses
  FROM (
    SELECT held.instance_id, held.ordinal, node, token, verdict, output, held.error, outcome, delay_ms, review, finish,
           output_from, on_fail, lane, handler, attempt, input_from, input, run, transactional, uncertain, leased_at,
           worker_id, epoch, instance_priority, instance_run, live AND (f.ordinal IS NULL OR f.ordinal = held.ordinal) AS live,
           live AND f.ordinal IS NULL AS goes_on
    FROM held LEFT JOIN failing f ON f.instance_id = held.instance_id AND held.lane = 'forward'
  ) AS h
),
requeued AS (
  UPDATE ${schema}.queue q
  SET state = CASE WHEN j.delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
      ready_at = statement_timestamp() + j.delay_ms * interval '1 ms',
      key = ${priorityKeyText(schema, {
        readyAt: "statement_timestamp() + j.delay_ms * interval '1 ms'",
        priority: "q.priority",
        lane: "q.lane",
      })},
      attempt = CASE j.verdict WHEN 'released' THEN q.attempt - 1 ELSE q.attempt END,
      token = NULL, last_token = j.own_token, leased_at = NULL, lease_until = NULL, worker_id = NULL
  FROM judged j
  WHERE j.again AND q.instance_id = j.instance_id AND q.node = j.node
),
removed AS (
  DELETE FROM ${schema}.queue q USING judged j
  WHERE NOT j.again AND q.instance_id = j.instance_id AND q.node = j.node
),
forward_step AS (
  INSERT INTO ${schema}.step AS t (instance_id, node, status, outcome, attempt, input_from, output, error, token,
                              worker_id, started_at, finished_at, run, input)
  SELECT instance_id, node,
         CASE WHEN known = 'happened' THEN 'completed' WHEN pauses THEN 'paused'
              WHEN known = 'absent' AND verdict = 'released' THEN 'skipped' ELSE 'failed' END,
         known, attempt, input_from, output::json, error::json, own_token, worker_id, leased_at, statement_timestamp(),
         run, input
  FROM judged WHERE NOT again AND lane = 'forward'
  ON CONFLICT (instance_id, node) DO UPDATE
  SET (status, outcome, attempt, input_from, output, error, token, worker_id, started_at, finished_at, run, input)
    = (excluded.status, excluded.outcome, excluded.attempt, excluded.input_from, excluded.output, excluded.error,
       excluded.token, excluded.worker_id, excluded.started_at, excluded.finished_at, excluded.run, excluded.input)
),
compensated_step AS (
  UPDATE ${schema}.step t
  SET status = CASE j.verdict WHEN 'completed' THEN 'rolled_back' ELSE 'paused' END,
      compensation_attempt = j.attempt, compensation_error = j.error::json, token = j.own_token
  FROM judged j
  WHERE NOT j.again AND j.lane = 'compensation' AND t.instance_id = j.instance_id AND t.node = j.node
),
dead AS (
  INSERT INTO ${schema}.dead_letter AS d (instance_id, node, kind, error, attempt, handler)
  SELECT instance_id, node, lane, error::json, attempt, handler FROM judged
  WHERE pauses OR (NOT again AND lane = 'compensation' AND verdict <> 'completed')
  UNION ALL
  SELECT j.instance_id, r.node, 'forward', r.error::json, 0, NULL
  FROM record r JOIN judged j ON j.ordinal = r.parent
  WHERE j.live AND j.verdict = 'completed' AND r.status = 'paused'
  ON CONFLICT (instance_id, node) DO UPDATE
  SET (kind, error, attempt, handler, created_at)
    = (excluded.kind, excluded.error, excluded.attempt, excluded.handler, excluded.created_at)
),
passed AS (
  ${recordText(schema, {
    run: "j.instance_run",
    from: `FROM record r JOIN judged j ON j.ordinal = r.parent
    WHERE j.live AND j.verdict = 'completed' ORDER BY r.place`,
    instanceId: "j.instance_id",
  })}
  RETURNING t.instance_id, t.node, t.status, t.side, t.error, t.due_at
),
timed AS (
  INSERT INTO ${schema}.timer AS m (instance_id, node, due_at)
  SELECT instance_id, node, due_at FROM passed WHERE due_at IS NOT NULL
  ON CONFLICT (instance_id, node) DO UPDATE SET due_at = excluded.due_at
),
enqueued AS (${enqueueText(schema, {
    instanceId: "j.instance_id",
    lane: "'forward'",
    priority: "j.instance_priority",
    epoch: "j.epoch",
    run: "j.instance_run",
    from: `FROM unnest($19::int[], $20::text[], $21::text[], $22::int[], $23::bigint[], $24::bigint[], $25::text[],
                       $32::text[])
           AS e(parent, node, handler, priority, delay_ms, timeout_ms, input_from, fork)
         JOIN judged j ON j.ordinal = e.parent
         WHERE j.flows`,
  })}
),
finished AS (
  UPDATE ${schema}.instance i
  SET status = 'completed', output_from = j.output_from, finished_at = statement_timestamp()
  FROM judged j
  WHERE j.finish AND j.flows AND i.instance_id = j.instance_id
  RETURNING i.instance_id
),
untimed AS (DELETE FROM ${schema}.timer m USING finished f WHERE m.instance_id = f.instance_id),
frozen AS (
  UPDATE ${schema}.instance i
  SET status = 'rolling_back', epoch = i.epoch + 1, cause = f.error::json
  FROM failing f
  WHERE i.instance_id = f.instance_id
),
taken_back AS (
  DELETE FROM ${schema}.queue q USING failing f
  WHERE q.instance_id = f.instance_id AND q.lane = 'forward' AND q.state <> 'leased'
  RETURNING q.instance_id, q.node, q.attempt, q.input_from, q.input, q.run,
            CASE WHEN q.attempt = 0 AND NOT q.uncertain THEN 'skipped' ELSE 'failed' END AS status,
            CASE WHEN NOT q.uncertain AND (q.attempt = 0 OR q.transactional) THEN 'absent' ELSE 'unknown' END AS outcome
),
left_step AS (
  INSERT INTO ${schema}.step AS t (instance_id, node, status, outcome, attempt, input_from, input, run)
  SELECT instance_id, node, status, outcome, attempt, input_from, input, run FROM taken_back
  ON CONFLICT (instance_id, node) DO UPDATE
  SET (status, outcome, attempt, input_from, input, run)
    = (excluded.status, excluded.outcome, excluded.attempt, excluded.input_from, excluded.input, excluded.run)
),
noted AS (
  INSERT INTO ${schema}.inbox (instance_id)
  SELECT DISTINCT instance_id FROM judged
  WHERE NOT again AND (lane = 'compensation' OR NOT live OR verdict <> 'completed' OR review)
),
repeated AS (
  SELECT s.ordinal FROM settlement s
  CROSS JOIN LATERAL (
    SELECT FROM ${schema}.step t WHERE t.instance_id = s.instance_id AND t.node = s.node AND t.token = s.token OFFSET 0
  ) t
  WHERE NOT $27::boolean
  UNION
  SELECT s.ordinal FROM settlement s
  CROSS JOIN LATERAL (
    SELECT FROM ${schema}.queue q
    WHERE q.instance_id = s.instance_id AND q.node = s.node AND q.last_token = s.token OFFSET 0
  ) q
  WHERE NOT $27::boolean
),
told AS (
  INSERT INTO ${schema}.event (instance_id, type, node, attempt, worker_id, data, token, leased_at, handler, lane)
  SELECT instance_id,
         CASE
           WHEN $27::boolean THEN 'lease.expired'
           WHEN verdict = 'released' THEN 'step.released'
           WHEN lane = 'compensation' AND verdict = 'completed' THEN 'step.rolled_back'
           WHEN lane = 'compensation' AND again THEN 'compensation.retried'
           WHEN lane = 'compensation' THEN 'compensation.failed'
           WHEN verdict = 'completed' AND live THEN 'step.completed'
           WHEN verdict = 'completed' THEN 'step.adopted'
           WHEN again THEN 'step.retried'
           WHEN pauses THEN 'step.dead_lettered'
           ELSE 'step.failed'
         END,
         node, attempt, worker_id,
         CASE WHEN verdict = 'completed' THEN NULL
              ELSE json_strip_nulls(json_build_object('error', error::json, 'delayMs', CASE WHEN again THEN delay_ms END,
                                     'outcome', CASE WHEN NOT again AND lane = 'forward' THEN known END)) END,
         token, leased_at, handler, nullif(lane, 'forward')
  FROM judged
  UNION ALL
  SELECT instance_id, ${recordEventText}, node, NULL, NULL, ${recordDataText}, NULL, NULL, NULL, NULL FROM passed
  UNION ALL
  SELECT instance_id, 'instance.completed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM finished
  UNION ALL
  SELECT instance_id, 'instance.rolling_back', NULL, NULL, NULL, json_build_object('cause', error::json),
         NULL, NULL, NULL, NULL
  FROM failing
  -- Told after the queue was cleared, which may have waited for a claim: what was leased before has the smaller event.
  WHERE (SELECT count(*) FROM taken_back) >= 0
  UNION ALL
  SELECT instance_id, 'step.' || status, node, nullif(attempt, 0), NULL,
         json_build_object('outcome', outcome), NULL, NULL, NULL, NULL
  FROM taken_back
  UNION ALL
  SELECT s.instance_id, 'step.refused', s.node, NULL, $26::text, json_build_object('verdict', s.verdict, 'token', s.token),
         NULL, NULL, NULL, NULL
  FROM locked s
  WHERE NOT $27::boolean
    AND s.ordinal NOT IN (SELECT ordinal FROM held)
    AND s.ordinal NOT IN (SELECT ordinal FROM repeated)
)
SELECT ordinal, CASE WHEN live THEN 'settled' ELSE 'adopted' END AS result FROM judged
UNION ALL
SELECT ordinal, 'settled' FROM repeated WHERE ordinal NOT IN (SELECT ordinal FROM held)`,
);
