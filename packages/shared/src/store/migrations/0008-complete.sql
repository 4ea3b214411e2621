--! breaking
-- Completes steps, many of many instances, with all that follows from them. The arguments `p_…` are the steps, in the
-- order of their instances; `r_…` are the records of nodes that the flow has passed behind them, `e_…` the steps that it
-- has come to; `…_parent` counts the steps from 1. All that does not fit this, `settle` writes.
--
-- Every writer locks instances first, in the order of their ids. What is read afterwards is read by later statements, so
-- it is what the one before has left. The token is the fence: of a step whose row does not carry it any more nothing is
-- written; whether it was written before, `settle` can tell.
--
-- A step of `e_take` is put into the queue leased to the caller, when nothing that waits for one of `p_handlers` comes
-- before it.
--
-- Answers a row for each step that was not simply settled (`adopted`, `lost`), one for each that was taken, one `noted` if
-- an orchestrator has something to look at, and one `ready …` for each handler of a compensation that a chain has queued.
CREATE FUNCTION {{schema}}.complete(
  p_worker text, p_instance text[], p_node text[], p_token bigint[], p_output json, p_review boolean[], p_joins text[],
  p_finish boolean[], p_output_from text[],
  r_parent integer[], r_node text[], r_status text[], r_side text[], r_from text[], r_due_ms bigint[], r_due_at timestamptz[],
  e_parent integer[], e_instance text[], e_take boolean[], e_node text[], e_handler text[], e_priority integer[], e_delay_ms bigint[],
  e_timeout_ms bigint[], e_from text[], e_fork text[],
  p_handlers text[], p_low bigint[], p_lease_ms bigint
) RETURNS TABLE (result text, place integer, token bigint, priority integer, run integer, key bigint)
LANGUAGE plpgsql
SET jit = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
DECLARE
  v_now timestamptz := statement_timestamp();
  v_now_key bigint := (extract(epoch FROM v_now) * 1000)::bigint;
  v_points numeric;
  v_instance_ids tid[];
  v_epoch integer[];
  v_running boolean[];
  v_priority integer[];
  v_run integer[];
  v_queue_ids tid[];
  v_undoes boolean[];
  v_live boolean[];
  v_step_run integer[];
  v_attempt integer[];
  v_from text[];
  v_input text[];
  v_leased_at timestamptz[];
  v_handler text[];
  v_left bigint;
  v_reruns boolean;
  v_deleted bigint;
  v_best bigint;
  v_key bigint[];
  v_token bigint[];
  v_chain jsonb[];
  v_chained boolean;
  v_noted bigint;
BEGIN
  SELECT array_agg(i.id), array_agg(i.epoch), array_agg(i.running), array_agg(i.priority), array_agg(i.run)
  INTO v_instance_ids, v_epoch, v_running, v_priority, v_run
  FROM unnest(p_instance) AS s(instance_id)
  LEFT JOIN LATERAL (
    SELECT i.ctid AS id, i.epoch, i.status = 'running' AS running, i.priority::integer AS priority, i.run
    FROM {{schema}}.instance i WHERE i.instance_id = s.instance_id FOR NO KEY UPDATE
  ) i ON true;

  SELECT array_agg(q.id), array_agg(q.undoes), array_agg(q.undoes OR (s.running AND q.epoch = s.epoch)),
         array_agg(q.run), array_agg(q.attempt), array_agg(q.input_from), array_agg(q.input), array_agg(q.leased_at),
         array_agg(q.handler), count(q.id), coalesce(bool_or(q.run > 0), false),
         array_agg(CASE WHEN q.epoch = s.epoch AND NOT s.running THEN q.chain END)
  INTO v_queue_ids, v_undoes, v_live, v_step_run, v_attempt, v_from, v_input, v_leased_at, v_handler, v_left, v_reruns,
       v_chain
  FROM unnest(p_instance, p_node, p_token, v_epoch, v_running) AS s(instance_id, node, token, epoch, running)
  LEFT JOIN LATERAL (
    SELECT q.ctid AS id, q.lane = 'compensation' AS undoes, q.epoch, q.run, q.attempt, q.input_from,
           q.input::text AS input, q.leased_at, q.handler, q.chain
    FROM {{schema}}.queue q WHERE q.instance_id = s.instance_id AND q.node = s.node AND q.token = s.token
    OFFSET 0
  ) q ON true;
  LOOP
    DELETE FROM {{schema}}.queue q WHERE q.ctid = ANY (v_queue_ids);
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    v_left := v_left - v_deleted;
    EXIT WHEN v_left = 0;
    -- Only the extension of a lease can have changed these rows meanwhile, and that has moved them.
    SELECT array_agg(q.id) INTO v_queue_ids
    FROM unnest(p_instance, p_node, p_token) AS s(instance_id, node, token)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS id FROM {{schema}}.queue q
      WHERE q.instance_id = s.instance_id AND q.node = s.node AND q.token = s.token
      OFFSET 0
    ) q;
    -- Never for ever: should they be gone all the same, or one be given twice, the caller settles the long way.
    IF v_queue_ids IS NULL THEN RAISE EXCEPTION 'leases to be completed are gone'; END IF;
  END LOOP;

  -- In its first run an instance has no row yet of a step that completes; where it has, because a person had it called
  -- again, this fails as a whole, and the caller settles the long way. It is not worth the price of ON CONFLICT.
  INSERT INTO {{schema}}.step (instance_id, node, status, outcome, attempt, input_from, output, token, worker_id,
                               started_at, finished_at, run, input)
  SELECT s.instance_id, s.node, 'completed', 'happened', s.attempt, s.input_from, s.output, s.token, p_worker,
         s.leased_at, v_now, s.run, s.input::json
  FROM ROWS FROM (
    unnest(p_instance, p_node, p_token, v_undoes, v_attempt, v_from, v_input, v_leased_at, v_step_run),
    json_array_elements(p_output)
  ) AS s(instance_id, node, token, undoes, attempt, input_from, input, leased_at, run, output)
  WHERE NOT s.undoes AND s.run = 0;
  IF v_reruns THEN
    INSERT INTO {{schema}}.step AS t (instance_id, node, status, outcome, attempt, input_from, output, error, token,
                                      worker_id, started_at, finished_at, run, input)
    SELECT s.instance_id, s.node, 'completed', 'happened', s.attempt, s.input_from, s.output, NULL, s.token, p_worker,
           s.leased_at, v_now, s.run, s.input::json
    FROM ROWS FROM (
      unnest(p_instance, p_node, p_token, v_undoes, v_attempt, v_from, v_input, v_leased_at, v_step_run),
      json_array_elements(p_output)
    ) AS s(instance_id, node, token, undoes, attempt, input_from, input, leased_at, run, output)
    WHERE NOT s.undoes AND s.run > 0
    ON CONFLICT (instance_id, node) DO UPDATE
    SET (status, outcome, attempt, input_from, output, error, token, worker_id, started_at, finished_at, run, input)
      = (excluded.status, excluded.outcome, excluded.attempt, excluded.input_from, excluded.output, excluded.error,
         excluded.token, excluded.worker_id, excluded.started_at, excluded.finished_at, excluded.run, excluded.input);
  END IF;

  -- When a compensation has a chain, which is made for one epoch of its instance, the first link of it follows at once. All
  -- these steps have rows; INSERT finds them by their key, where an UPDATE with a join could be planned from its other side.
  v_chained := cardinality(array_remove(v_chain, NULL)) > 0;
  IF true = ANY (v_undoes) THEN
    INSERT INTO {{schema}}.step AS t (instance_id, node, status, compensation_attempt, token)
    SELECT s.instance_id, s.node, 'rolled_back', s.attempt, s.token
    FROM unnest(p_instance, p_node, p_token, v_undoes, v_attempt) AS s(instance_id, node, token, undoes, attempt)
    WHERE s.undoes
    UNION ALL
    SELECT s.instance_id, s.chain->0->>'node', 'compensating', 0, NULL
    FROM unnest(p_instance, v_chain) AS s(instance_id, chain) WHERE s.chain IS NOT NULL
    UNION ALL
    SELECT s.instance_id, r.node, 'rolled_back', 0, NULL
    FROM unnest(p_instance, v_chain) AS s(instance_id, chain)
    CROSS JOIN LATERAL jsonb_array_elements_text(s.chain->0->'rolledBack') AS r(node)
    ON CONFLICT (instance_id, node) DO UPDATE
    SET status = excluded.status, token = coalesce(excluded.token, t.token),
        compensation_attempt = CASE WHEN excluded.token IS NULL THEN t.compensation_attempt
                                    ELSE excluded.compensation_attempt END,
        compensation_error = CASE WHEN excluded.token IS NULL THEN t.compensation_error END;
  END IF;

  INSERT INTO {{schema}}.event (instance_id, type, node, attempt, worker_id, data, token, leased_at, handler, lane)
  SELECT s.instance_id,
         CASE WHEN s.undoes THEN 'step.rolled_back' WHEN s.live THEN 'step.completed' ELSE 'step.adopted' END,
         s.node, s.attempt, p_worker,
         NULL, s.token, s.leased_at, s.handler, CASE WHEN s.undoes THEN 'compensation' END
  FROM unnest(p_instance, p_node, p_token, v_undoes, v_live, v_attempt, v_leased_at, v_handler)
    AS s(instance_id, node, token, undoes, live, attempt, leased_at, handler)
  WHERE s.live IS NOT NULL;

  IF cardinality(r_parent) > 0 THEN
    WITH passed AS (
      INSERT INTO {{schema}}.step AS t (instance_id, node, status, outcome, side, input_from, finished_at, due_at, run)
      SELECT p_instance[r.parent], r.node, r.status, 'happened', r.side, r.input_from, v_now,
             coalesce(r.due_at, v_now + r.due_ms * interval '1 ms'), v_run[r.parent]
      FROM unnest(r_parent, r_node, r_status, r_side, r_from, r_due_ms, r_due_at)
        AS r(parent, node, status, side, input_from, due_ms, due_at)
      WHERE v_live[r.parent]
      ON CONFLICT (instance_id, node) DO UPDATE
      SET (status, outcome, side, error, input_from, output, finished_at, due_at, run, winners, attempt, input)
        = (excluded.status, excluded.outcome, excluded.side, NULL, excluded.input_from, NULL, excluded.finished_at,
           excluded.due_at, excluded.run, NULL, 0, NULL)
      RETURNING t.instance_id, t.node, t.status, t.side, t.due_at
    ),
    timed AS (
      INSERT INTO {{schema}}.timer AS m (instance_id, node, due_at)
      SELECT instance_id, node, due_at FROM passed WHERE due_at IS NOT NULL
      ON CONFLICT (instance_id, node) DO UPDATE SET due_at = excluded.due_at
    )
    INSERT INTO {{schema}}.event (instance_id, type, node, data)
    SELECT instance_id, CASE WHEN status IN ('waiting', 'waiting_decision') THEN 'step.waiting' ELSE 'step.completed' END,
           node,
           CASE WHEN side IS NOT NULL THEN json_build_object('side', side)
                WHEN due_at IS NOT NULL THEN json_build_object('dueAt', due_at) END
    FROM passed;
  END IF;

  IF v_chained OR cardinality(e_parent) > 0 THEN
    SELECT (value #>> '{}')::numeric INTO v_points FROM {{schema}}.setting WHERE name = 'aging_points_per_second';
  END IF;
  IF v_chained THEN
    INSERT INTO {{schema}}.event (instance_id, type, node)
    SELECT s.instance_id, 'step.rolled_back', r.node
    FROM unnest(p_instance, v_chain) AS s(instance_id, chain)
    CROSS JOIN LATERAL jsonb_array_elements_text(s.chain->0->'rolledBack') AS r(node);
    INSERT INTO {{schema}}.event (instance_id, type, node, data)
    SELECT s.instance_id, 'compensation.queued', s.chain->0->>'node',
           json_build_object('handler', s.chain->0->>'handler')
    FROM unnest(p_instance, v_chain) AS s(instance_id, chain)
    WHERE s.chain IS NOT NULL;
    INSERT INTO {{schema}}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms,
                                  input_from, run, chain)
    SELECT s.instance_id, s.link->>'node', 'compensation', s.link->>'handler', 'ready', s.priority,
           v_now_key - (s.priority * 1000 / v_points)::bigint - 10000000000000, v_now, s.epoch,
           (s.link->>'timeoutMs')::bigint, s.link->>'inputFrom', s.run,
           CASE WHEN jsonb_array_length(s.chain) > 1 THEN s.chain - 0 END
    FROM (
      SELECT s.instance_id, s.epoch, s.run, s.chain, s.chain->0 AS link,
             coalesce((s.chain->0->>'priority')::integer, s.priority) AS priority
      FROM unnest(p_instance, v_epoch, v_priority, v_run, v_chain) AS s(instance_id, epoch, priority, run, chain)
      WHERE s.chain IS NOT NULL
    ) s;
    RETURN QUERY
    SELECT DISTINCT 'ready ' || (s.chain->0->>'handler'), 0, NULL::bigint, NULL::integer, NULL::integer, NULL::bigint
    FROM unnest(v_chain) AS s(chain) WHERE s.chain IS NOT NULL;
  END IF;
  IF cardinality(e_parent) > 0 THEN
    SELECT array_agg(v_now_key + e.delay_ms - (coalesce(e.priority, v_priority[e.parent]) * 1000 / v_points)::bigint)
    INTO v_key FROM unnest(e_parent, e_priority, e_delay_ms) AS e(parent, priority, delay_ms);
    IF true = ANY (e_take) AND NOT EXISTS (SELECT FROM {{schema}}.pause) THEN
      SELECT min(w.key) INTO v_best
      FROM unnest(p_handlers, p_low) AS h(handler, low)
      CROSS JOIN LATERAL (
        SELECT q.key FROM {{schema}}.queue q WHERE q.handler = h.handler AND q.state = 'ready' AND q.key >= h.low
        ORDER BY q.key LIMIT 1
      ) w;
      SELECT array_agg(CASE WHEN e.take AND v_live[e.parent] AND e.delay_ms = 0 AND (v_best IS NULL OR e.key <= v_best)
                            THEN nextval('{{schema}}.moment') END)
      INTO v_token FROM unnest(e_parent, e_take, e_delay_ms, v_key) AS e(parent, take, delay_ms, key);
    END IF;
    INSERT INTO {{schema}}.queue (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms,
                                  input_from, run, fork, attempt, token, worker_id, leased_at, lease_until)
    SELECT e.instance_id, e.node, 'forward', e.handler,
           CASE WHEN e.token IS NOT NULL THEN 'leased' WHEN e.delay_ms > 0 THEN 'delayed' ELSE 'ready' END,
           coalesce(e.priority, v_priority[e.parent]), e.key, v_now + e.delay_ms * interval '1 ms', v_epoch[e.parent],
           e.timeout_ms, e.input_from, v_run[e.parent], e.fork,
           CASE WHEN e.token IS NULL THEN 0 ELSE 1 END, e.token, CASE WHEN e.token IS NOT NULL THEN p_worker END,
           CASE WHEN e.token IS NOT NULL THEN clock_timestamp() END,
           CASE WHEN e.token IS NOT NULL THEN clock_timestamp() + p_lease_ms * interval '1 ms' END
    FROM unnest(e_parent, e_instance, e_node, e_handler, e_priority, e_delay_ms, e_timeout_ms, e_from, e_fork, v_key, v_token)
      AS e(parent, instance_id, node, handler, priority, delay_ms, timeout_ms, input_from, fork, key, token)
    WHERE v_live[e.parent];
    IF v_token IS NOT NULL THEN
      RETURN QUERY
      SELECT 'taken', e.place::integer, e.token, coalesce(e.priority, v_priority[e.parent]), v_run[e.parent], e.key
      FROM unnest(e_parent, e_priority, v_token, v_key) WITH ORDINALITY AS e(parent, priority, token, key, place)
      WHERE e.token IS NOT NULL;
    END IF;
  END IF;

  IF true = ANY (p_finish) THEN
    WITH finished AS (
      UPDATE {{schema}}.instance i SET status = 'completed', output_from = s.output_from, finished_at = v_now
      FROM unnest(v_instance_ids, p_output_from, p_finish, v_live, v_undoes) AS s(id, output_from, finish, live, undoes)
      WHERE s.finish AND s.live AND NOT s.undoes AND i.ctid = s.id
      RETURNING i.instance_id
    ),
    untimed AS (
      DELETE FROM {{schema}}.timer m WHERE m.ctid = ANY (ARRAY (
        SELECT t.id FROM finished f CROSS JOIN LATERAL (
          SELECT m.ctid AS id FROM {{schema}}.timer m WHERE m.instance_id = f.instance_id OFFSET 0
        ) t
      ))
    )
    INSERT INTO {{schema}}.event (instance_id, type) SELECT instance_id, 'instance.completed' FROM finished;
  END IF;

  INSERT INTO {{schema}}.inbox (instance_id)
  SELECT DISTINCT s.instance_id
  FROM (
    SELECT DISTINCT s.instance_id, CASE WHEN s.live THEN s.joins END AS joins
    FROM unnest(p_instance, p_review, p_joins, v_undoes, v_live, v_chain)
      AS s(instance_id, review, joins, undoes, live, chain)
    WHERE (s.undoes AND s.chain IS NULL) OR NOT s.live OR (s.live AND (s.review OR s.joins IS NOT NULL))
  ) s
  -- Another step of the fork that is in the queue now will leave it later. Only a look that is younger than the lock on the
  -- instance can know; where statements do not each look anew, nobody relies on it.
  WHERE s.joins IS NULL OR current_setting('transaction_isolation') <> 'read committed' OR NOT EXISTS (
    SELECT FROM {{schema}}.queue q WHERE q.instance_id = s.instance_id AND q.fork = s.joins
  );
  GET DIAGNOSTICS v_noted = ROW_COUNT;
  IF v_noted > 0 THEN RETURN QUERY SELECT 'noted', 0, NULL::bigint, NULL::integer, NULL::integer, NULL::bigint; END IF;

  IF array_position(v_live, false) IS NOT NULL OR array_position(v_live, NULL) IS NOT NULL THEN
    RETURN QUERY
    SELECT CASE WHEN s.live IS NULL THEN 'lost' ELSE 'adopted' END, s.place::integer, NULL::bigint, NULL::integer, NULL::integer, NULL::bigint
    FROM unnest(v_live) WITH ORDINALITY AS s(live, place) WHERE s.live IS NOT TRUE;
  END IF;
END
$function$;
