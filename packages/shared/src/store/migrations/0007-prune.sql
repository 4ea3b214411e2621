-- Retention: how long instances stay after their end, by definition and status, and removing those whose time has come.
-- docs/history.md tells why it is as it is.

ALTER TABLE {{schema}}.setting ADD CHECK (name <> 'audit_keep' OR (value #>> '{}')::interval >= interval '1 day');

CREATE TABLE {{schema}}.retention (
  definition_name text COLLATE "C" NOT NULL,
  status          text COLLATE "C" NOT NULL CHECK (status IN ('*', {{terminal_statuses}})),
  -- Null keeps for ever. No less than what callers may need to ask again for a start whose answer was lost.
  keep            interval CHECK (keep >= interval '1 hour'),
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (definition_name, status)
);
COMMENT ON TABLE {{schema}}.retention IS
  'How long instances stay after their end, by definition and status; * for all. A definition counts for more than a status. What no row is about stays for ever.';

-- Changes are seen by the time at which they were made, so whoever makes one waits for nobody.
CREATE FUNCTION {{schema}}.retention_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  INSERT INTO {{schema}}.setting AS s (name, value) VALUES ('retention_changed_at', to_jsonb(clock_timestamp()))
  ON CONFLICT (name) DO UPDATE SET value = excluded.value;
  RETURN NULL;
END
$function$;
CREATE TRIGGER retention_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {{schema}}.retention
  FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.retention_changed();

-- When each instance may go: `infinity` while it is alive, has a dead letter, is named by a bulk act that goes on, or no
-- retention is about it.
CREATE VIEW {{schema}}.instance_due AS
SELECT i.instance_id,
       CASE WHEN i.finished_at IS NULL OR i.status NOT IN ({{terminal_statuses}}) OR r.keep IS NULL
              OR EXISTS (SELECT FROM {{schema}}.dead_letter d WHERE d.instance_id = i.instance_id)
              OR EXISTS (SELECT FROM {{schema}}.queue q WHERE q.instance_id = i.instance_id)
              OR i.instance_id IN (SELECT t.instance_id FROM {{schema}}.bulk b JOIN {{schema}}.bulk_item t USING (bulk_id)
                                   WHERE b.finished_at IS NULL)
            THEN 'infinity'
            ELSE i.finished_at + r.keep END AS due_at
FROM {{schema}}.instance i
LEFT JOIN LATERAL (
  SELECT r.keep FROM {{schema}}.retention r
  WHERE r.definition_name IN (i.definition_name, '*') AND r.status IN (i.status, '*')
  ORDER BY r.definition_name = '*', r.status = '*' LIMIT 1
) r ON true;

-- Removes instances that the caller has locked, with all that belongs to them; what they have in `p_steps` and `p_events`
-- only if these are given. Notes in the inbox go when they are looked at: they are locked before their instances.
CREATE FUNCTION {{schema}}.delete_instances(p_ids text[], p_steps regclass, p_events regclass) RETURNS void LANGUAGE plpgsql
AS $function$
BEGIN
  IF p_steps IS NOT NULL THEN
    EXECUTE format('DELETE FROM %s WHERE instance_id = ANY ($1)', p_steps) USING p_ids;
    EXECUTE format('DELETE FROM %s WHERE instance_id = ANY ($1)', p_events) USING p_ids;
  END IF;
  DELETE FROM {{schema}}.vote WHERE instance_id = ANY (p_ids);
  DELETE FROM {{schema}}.signal WHERE instance_id = ANY (p_ids);
  DELETE FROM {{schema}}.timer WHERE instance_id = ANY (p_ids);
  DELETE FROM {{schema}}.stuck WHERE instance_id = ANY (p_ids);
  DELETE FROM {{schema}}.instance WHERE instance_id = ANY (p_ids);
END
$function$;

-- Removes what retention lets go: at most `batch` instances a call, in one short transaction. Call it until `more` is
-- false. Where all instances of a span may go, or soon may, its partitions are dropped at their time; `by_row` does not
-- wait for that. Spans are looked at again when something may be due; `since` also looks at those not looked at since
-- then. Audit and finished bulk acts go by the setting `audit_keep`.
CREATE FUNCTION {{schema}}.prune(batch integer DEFAULT 1000, by_row boolean DEFAULT false, since timestamptz DEFAULT NULL)
RETURNS TABLE (instances integer, partitions integer, acts integer, more boolean, blocked text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET jit = off
AS $function$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_span interval := ('1 ' || coalesce((SELECT value #>> '{}' FROM {{schema}}.setting WHERE name = 'history_span'), 'week'))::interval;
  v_changed timestamptz := (SELECT (value #>> '{}')::timestamptz FROM {{schema}}.setting WHERE name = 'retention_changed_at');
  v_audit interval := (SELECT (value #>> '{}')::interval FROM {{schema}}.setting WHERE name = 'audit_keep');
  v_rules boolean := EXISTS (SELECT FROM {{schema}}.retention);
  v_left integer := 20 * least(greatest(batch, 1), 10000);
  v_range record;
  v_look record;
  v_book {{schema}}.history;
  v_ids text[];
  v_full boolean;
  v_free timestamptz;
  v_next text;
  v_table regclass;
BEGIN
  instances := 0; partitions := 0; acts := 0; more := false; batch := v_left / 20;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('floxy:history:{{schema}}', 0)) THEN
    blocked := 'busy'; RETURN NEXT; RETURN;
  END IF;
  IF v_audit IS NOT NULL THEN
    DELETE FROM {{schema}}.audit WHERE created_at < v_now - v_audit
      AND audit_id IN (SELECT audit_id FROM {{schema}}.audit ORDER BY audit_id LIMIT batch);
    GET DIAGNOSTICS acts = ROW_COUNT;
    more := acts = batch;
    DELETE FROM {{schema}}.bulk_item t USING (
      SELECT i.bulk_id, i.position FROM {{schema}}.bulk b JOIN {{schema}}.bulk_item i USING (bulk_id)
      WHERE b.finished_at < v_now - v_audit LIMIT batch) o
    WHERE t.bulk_id = o.bulk_id AND t.position = o.position;
    more := more OR FOUND;
    DELETE FROM {{schema}}.bulk b WHERE b.finished_at < v_now - v_audit
      AND NOT EXISTS (SELECT FROM {{schema}}.bulk_item i WHERE i.bulk_id = b.bulk_id);
  END IF;
  FOR v_range IN
    WITH gap AS (
      SELECT coalesce(lag(upper) OVER (ORDER BY lower), '') AS lower, lower AS upper FROM {{schema}}.history_partition
      UNION ALL SELECT coalesce(max(upper), ''), '~' FROM {{schema}}.history_partition)
    SELECT lower, upper, step_table, event_table, true AS whole FROM {{schema}}.history_partition
    UNION ALL
    SELECT lower, upper, '{{schema}}.step_default'::regclass, '{{schema}}.event_default'::regclass, false FROM gap WHERE lower < upper
    ORDER BY lower
  LOOP
    EXIT WHEN v_left <= 0;
    SELECT * INTO v_book FROM {{schema}}.history WHERE lower = v_range.lower;
    IF NOT FOUND THEN
      CONTINUE WHEN NOT v_rules;
      INSERT INTO {{schema}}.history (lower, upper) VALUES (v_range.lower, v_range.upper) RETURNING * INTO v_book;
    END IF;
    IF v_book.phase = 'waiting' THEN
      CONTINUE WHEN NOT v_rules OR (v_book.look_at > v_now AND v_book.looked_at >= greatest(v_changed, since, '-infinity'));
      v_book.phase := 'looking'; v_book.position := ''; v_book.looked_at := v_now; v_book.upper := v_range.upper;
      v_book.due := false; v_book.next_due_at := NULL; v_book.last_due_at := NULL;
    END IF;
    IF v_book.phase = 'looking' THEN
      SELECT count(*) = v_left AS full, count(*) AS count, max(instance_id) AS last, coalesce(bool_or(due_at <= v_now), false) AS due,
             min(due_at) FILTER (WHERE due_at > v_now) AS next_due_at, max(due_at) AS last_due_at
      INTO v_look FROM (
        SELECT instance_id, due_at FROM {{schema}}.instance_due
        WHERE instance_id > v_book.position AND instance_id >= v_range.lower AND instance_id < v_range.upper
        ORDER BY instance_id LIMIT v_left) AS d;
      v_book.position := coalesce(v_look.last, v_book.position);
      v_left := v_left - v_look.count;
      v_book.due := v_book.due OR v_look.due;
      v_book.next_due_at := least(v_book.next_due_at, v_look.next_due_at);
      v_book.last_due_at := greatest(v_book.last_due_at, v_look.last_due_at);
      -- What starts with an id of the last hour may still be on its way.
      v_free := CASE WHEN v_range.whole THEN greatest(v_book.last_due_at, {{schema}}.id_time(v_range.upper) + interval '1 hour')
                     ELSE 'infinity' END;
      IF v_look.full THEN
        more := true;
      ELSIF v_free <= v_now THEN
        v_book.phase := 'ending'; v_book.position := ''; more := true;
      ELSIF v_book.due AND (by_row OR v_free > v_now + 2 * v_span) THEN
        v_book.phase := 'deleting'; v_book.position := ''; more := true;
      ELSE
        v_book.phase := 'waiting';
        v_book.look_at := least(CASE WHEN v_book.due THEN v_free ELSE greatest(v_book.next_due_at, v_now + v_span / 24) END, v_now + v_span);
      END IF;
    ELSIF v_book.phase IN ('deleting', 'ending') THEN
      -- Of the next instances the first that are due; no more are looked at than it takes.
      v_ids := ARRAY(
        SELECT instance_id FROM (
          SELECT instance_id, due_at FROM {{schema}}.instance_due
          WHERE instance_id > v_book.position AND instance_id >= v_range.lower AND instance_id < v_range.upper
          ORDER BY instance_id LIMIT v_left) AS d
        WHERE due_at <= v_now ORDER BY instance_id LIMIT batch);
      v_full := cardinality(v_ids) = batch;
      IF v_full THEN
        v_book.position := v_ids[batch];
      ELSE
        SELECT count(*) = v_left, coalesce(max(instance_id), v_book.position) INTO v_full, v_book.position FROM (
          SELECT instance_id FROM {{schema}}.instance
          WHERE instance_id > v_book.position AND instance_id >= v_range.lower AND instance_id < v_range.upper
          ORDER BY instance_id LIMIT v_left) AS d;
      END IF;
      -- Whoever works on an instance has it locked; what is due is asked again under the lock.
      SELECT array_agg(l.instance_id) INTO v_ids FROM (
        SELECT instance_id FROM {{schema}}.instance WHERE instance_id = ANY (v_ids) ORDER BY instance_id FOR UPDATE SKIP LOCKED) l;
      SELECT array_agg(instance_id) INTO v_ids FROM {{schema}}.instance_due WHERE instance_id = ANY (v_ids) AND due_at <= v_now;
      IF v_ids IS NOT NULL THEN
        PERFORM {{schema}}.delete_instances(v_ids, CASE v_book.phase WHEN 'deleting' THEN v_range.step_table END, v_range.event_table);
        instances := instances + cardinality(v_ids);
      END IF;
      IF v_full OR v_ids IS NOT NULL THEN
        more := true; v_left := 0;
      ELSIF v_book.phase = 'deleting' THEN
        v_book.phase := 'waiting';
        v_book.look_at := least(greatest(v_book.next_due_at, v_now + v_span / 24), v_now + v_span);
      ELSIF EXISTS (SELECT FROM {{schema}}.instance WHERE instance_id >= v_range.lower AND instance_id < v_range.upper) THEN
        v_book.phase := 'mending'; v_book.position := ''; more := true;
      ELSE
        BEGIN
          LOCK TABLE ONLY {{schema}}.step, ONLY {{schema}}.event IN ACCESS EXCLUSIVE MODE;
          -- Who was about to start an instance in it has done so before we had the lock, or does it in the default partition.
          IF NOT EXISTS (SELECT FROM {{schema}}.instance WHERE instance_id >= v_range.lower AND instance_id < v_range.upper) THEN
            EXECUTE format('DROP TABLE %s, %s', v_range.step_table, v_range.event_table);
            DELETE FROM {{schema}}.history WHERE lower = v_range.lower;
            partitions := partitions + 1;
          END IF;
          more := true; v_left := 0;
        EXCEPTION WHEN lock_not_available THEN blocked := 'locked';
        END;
      END IF;
    ELSE
      EXECUTE format('SELECT max(instance_id) FROM (SELECT instance_id FROM %s WHERE instance_id > $1 ORDER BY instance_id LIMIT $2) AS e',
                     v_range.event_table) INTO v_next USING v_book.position, v_left;
      IF v_next IS NULL THEN
        v_book.phase := 'waiting'; v_book.look_at := v_now + v_span / 24;
      ELSE
        FOREACH v_table IN ARRAY ARRAY[v_range.step_table, v_range.event_table] LOOP
          EXECUTE format('DELETE FROM %s AS o WHERE instance_id > $1 AND instance_id <= $2
                          AND NOT EXISTS (SELECT FROM %s.instance AS i WHERE i.instance_id = o.instance_id)',
                         v_table, '{{schema}}') USING v_book.position, v_next;
        END LOOP;
        v_book.position := v_next;
      END IF;
      more := true; v_left := 0;
    END IF;
    UPDATE {{schema}}.history SET (upper, phase, position, look_at, looked_at, due, next_due_at, last_due_at) = (v_book.upper,
      v_book.phase, v_book.position, v_book.look_at, v_book.looked_at, v_book.due, v_book.next_due_at, v_book.last_due_at)
    WHERE lower = v_range.lower;
  END LOOP;
  RETURN NEXT;
END
$function$;
