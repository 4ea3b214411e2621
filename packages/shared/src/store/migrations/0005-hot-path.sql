--! breaking
-- One sequence for events and leases: the token of a lease is the id of the event `step.leased` that tells of it. What else
-- that event tells stands in the row of the queue, and then in the row of the event that ended the lease.
CREATE SEQUENCE {{schema}}.moment;
SELECT setval('{{schema}}.moment', greatest(nextval('{{schema}}.lease_token'), nextval('{{schema}}.event_event_id_seq')));
ALTER TABLE {{schema}}.event
  ALTER COLUMN event_id DROP IDENTITY,
  ALTER COLUMN event_id SET DEFAULT nextval('{{schema}}.moment'),
  ADD COLUMN token bigint,
  ADD COLUMN leased_at timestamptz,
  ADD COLUMN handler text COLLATE "C",
  -- Null for the forward lane.
  ADD COLUMN lane text;
-- Leases of before have told of themselves: theirs are not told again.
DELETE FROM {{schema}}.event e USING {{schema}}.queue q
WHERE q.state = 'leased' AND e.instance_id = q.instance_id AND e.node = q.node AND e.type = 'step.leased'
  AND e.attempt = q.attempt AND e.worker_id = q.worker_id AND e.created_at >= q.leased_at - interval '1 minute';
DROP SEQUENCE {{schema}}.lease_token;

-- The way of nearly every step, as two functions: one leases, one completes (0008). A function is planned once for a connection,
-- whatever pool the connection comes from, and its settings pin the plans. No statement in them can be planned in more
-- than one way: rows are found by LATERAL lookups of an index and changed by their ctid, which is safe because they are
-- locked before; so neither an empty queue nor one that was never analysed leads the planner astray.

-- Leases ready steps of the given handlers, the best priority key first. Rows that another worker is just claiming are
-- passed over, so workers never wait for each other. `p_low` are keys before which no ready step was found a moment ago:
-- where a long transaction elsewhere keeps the entries of leased steps alive, a look need not walk through them again.
CREATE FUNCTION {{schema}}.claim(
  p_worker text, p_handlers text[], p_slots integer[], p_transactional boolean[], p_low bigint[],
  p_limit integer, p_transactional_limit integer, p_lease_ms bigint
) RETURNS TABLE (
  instance_id text, node text, lane text, handler text, token bigint, attempt integer, priority integer,
  definition_name text, definition_version integer, metadata jsonb, input_from text, value text, input text,
  step_input text, run integer, output text, outcome text, cause jsonb, key bigint
)
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
  v_paused boolean := EXISTS (SELECT FROM {{schema}}.pause);
  v_slots integer[] := p_slots;
  v_high bigint;
  v_cap integer;
  v_known bigint;
  v_found integer;
  v_ids tid[];
  v_more tid[];
  v_own text[];
  v_transacts boolean := true = ANY (p_transactional);
BEGIN
  -- With many handlers, each would lock as many rows as all together may take. So the key of the last row that will be
  -- taken is found before, by looks at the heads of the handlers' ranges that grow until they hold enough.
  IF cardinality(p_handlers) > 1 AND NOT v_paused THEN
    v_cap := greatest(8, 2 * p_limit / cardinality(p_handlers));
    LOOP
      WITH head AS MATERIALIZED (
        SELECT w.place, f.key
        FROM unnest(p_handlers, v_slots, p_low) WITH ORDINALITY AS w(handler, slots, low, place)
        CROSS JOIN LATERAL (
          SELECT q.key FROM {{schema}}.queue q
          WHERE q.handler = w.handler AND q.state = 'ready' AND q.key >= w.low
          ORDER BY q.key LIMIT least(w.slots, v_cap)
        ) f
      ),
      -- Of a handler whose head was cut off nothing is known behind it.
      known AS (
        SELECT min(h.last) AS key
        FROM (SELECT max(key) AS last FROM head GROUP BY place HAVING count(*) >= v_cap) h
      )
      SELECT known.key, best.found, best.last INTO v_known, v_found, v_high
      FROM known CROSS JOIN LATERAL (
        SELECT count(*) AS found, max(b.key) AS last FROM (
          SELECT head.key FROM head WHERE known.key IS NULL OR head.key <= known.key ORDER BY head.key LIMIT p_limit
        ) b
      ) best;
      -- Half is enough: looking on costs more than another claim.
      EXIT WHEN 2 * v_found >= p_limit;
      IF v_known IS NULL THEN
        v_high := NULL;
        EXIT;
      END IF;
      v_cap := 4 * v_cap;
    END LOOP;
  END IF;
  FOR v_pass IN 1..2 LOOP
    SELECT array_agg(c.id), array_agg(c.handler) INTO v_more, v_own
    FROM (
      SELECT c.id, c.key, c.handler
      FROM (
        SELECT f.id, f.key, w.handler, w.transactional,
               CASE WHEN p_transactional_limit IS NOT NULL
                    THEN row_number() OVER (PARTITION BY w.transactional ORDER BY f.key) END AS place
        FROM unnest(p_handlers, v_slots, p_transactional, p_low) AS w(handler, slots, transactional, low)
        CROSS JOIN LATERAL (
          SELECT q.ctid AS id, q.key FROM {{schema}}.queue q
          WHERE q.handler = w.handler AND q.state = 'ready' AND q.key >= w.low AND q.key <= coalesce(v_high, 9223372036854775807)
            AND (NOT v_paused OR q.lane = 'compensation' OR NOT EXISTS (
              SELECT FROM {{schema}}.pause p JOIN {{schema}}.instance i USING (definition_name)
              WHERE i.instance_id = q.instance_id OFFSET 0))
          ORDER BY q.key
          LIMIT least(w.slots, p_limit)
          FOR UPDATE SKIP LOCKED
        ) f
      ) c
      WHERE c.place IS NULL OR NOT c.transactional OR c.place <= p_transactional_limit
      ORDER BY c.key
      LIMIT p_limit - coalesce(cardinality(v_ids), 0)
    ) c;
    v_ids := coalesce(v_ids, '{}') || coalesce(v_more, '{}');
    -- Rows before the last key may be locked by another worker just now. What comes after them is as good.
    EXIT WHEN v_high IS NULL OR 2 * cardinality(v_ids) >= v_found OR p_transactional_limit IS NOT NULL;
    v_high := NULL;
    SELECT array_agg(w.slots - (SELECT count(*) FROM unnest(v_own) AS o WHERE o = w.handler)::integer ORDER BY w.place)
    INTO v_slots FROM unnest(p_handlers, p_slots) WITH ORDINALITY AS w(handler, slots, place);
  END LOOP;
  IF cardinality(v_ids) = 0 THEN RETURN; END IF;
  -- The lease's clock is the database's, read when the row is written, not when the statement began.
  RETURN QUERY
  WITH claimed AS (
    UPDATE {{schema}}.queue q
    SET state = 'leased', attempt = q.attempt + 1,
        transactional = v_transacts AND (q.attempt = 0 OR q.transactional) AND (
          SELECT w.transactional FROM unnest(p_handlers, p_transactional) AS w(handler, transactional)
          WHERE w.handler = q.handler),
        token = nextval('{{schema}}.moment'), worker_id = p_worker, leased_at = clock_timestamp(),
        lease_until = clock_timestamp() + p_lease_ms * interval '1 ms'
    WHERE q.ctid = ANY (v_ids)
    RETURNING q.instance_id, q.node, q.lane, q.handler, q.token, q.attempt, q.priority, q.input_from, q.input, q.run, q.key
  )
  SELECT c.instance_id, c.node, c.lane, c.handler, c.token, c.attempt, c.priority::integer,
         i.definition_name, i.definition_version, i.metadata, c.input_from,
         CASE WHEN c.input_from IS NULL THEN i.input ELSE (
           SELECT s.output::text FROM {{schema}}.step s WHERE s.instance_id = c.instance_id AND s.node = c.input_from) END,
         c.input::text, own.input, coalesce(own.run, c.run), own.output, own.outcome,
         CASE c.lane WHEN 'compensation' THEN i.cause END, c.key
  FROM claimed c
  CROSS JOIN LATERAL (
    SELECT i.definition_name, i.definition_version, i.metadata, i.cause::jsonb AS cause,
           CASE WHEN c.input_from IS NULL THEN i.input::text END AS input
    FROM {{schema}}.instance i WHERE i.instance_id = c.instance_id OFFSET 0
  ) i
  LEFT JOIN LATERAL (
    SELECT s.input::text AS input, s.run, s.output::text AS output, s.outcome
    FROM {{schema}}.step s WHERE s.instance_id = c.instance_id AND s.node = c.node AND c.lane = 'compensation' OFFSET 0
  ) own ON true
  ORDER BY c.key;
END
$function$;
