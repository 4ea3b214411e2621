-- History by time. Ids of instances are ULIDs, so their order is the order of their start: `step` and `event` become
-- tables with a partition for each span of time, which holds all rows of the instances that were started in it, and a
-- default partition for ids that no span has. docs/history.md tells why it is as it is.

INSERT INTO {{schema}}.setting (name, value) VALUES ('history_span', '"week"');
ALTER TABLE {{schema}}.setting ADD CHECK (name <> 'history_span' OR value IN ('"day"', '"week"', '"month"'));

CREATE TABLE {{schema}}.history (
  -- The bounds of a span; the last has no upper one.
  lower       text COLLATE "C" PRIMARY KEY,
  upper       text COLLATE "C",
  -- `ending`: all of it may go, its instances go first, then its partitions. `mending`: one of them may not after all,
  -- and the rows of those that are gone are removed one by one.
  phase       text NOT NULL DEFAULT 'waiting' CHECK (phase IN ('waiting', 'looking', 'deleting', 'ending', 'mending')),
  -- The instance at which the work of this phase goes on.
  position    text COLLATE "C" NOT NULL DEFAULT '',
  look_at     timestamptz NOT NULL DEFAULT '-infinity',
  looked_at   timestamptz NOT NULL DEFAULT '-infinity',
  -- What this look has found: whether some are due, when the first of the others will be, and when the last.
  due         boolean NOT NULL DEFAULT false,
  next_due_at timestamptz,
  last_due_at timestamptz
);
COMMENT ON TABLE {{schema}}.history IS 'The book of prune(): how far it is with each span. It is made anew when it is lost.';

-- How the id of an instance begins that is started at that moment.
CREATE FUNCTION {{schema}}.id_at(p_at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((ms >> (5 * place)) & 31)::integer + 1, 1), '' ORDER BY place DESC)
  FROM (SELECT floor(extract(epoch FROM p_at) * 1000)::bigint AS ms) AS t, generate_series(0, 9) AS place
);

-- When the instance of an id was started; null for what is no id.
CREATE FUNCTION {{schema}}.id_time(p_id text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN p_id ~ '^[0-7][0-9A-HJKMNP-TV-Z]{9}' THEN (
  SELECT to_timestamp(sum((strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(p_id, place, 1)) - 1)::bigint << (5 * (10 - place))) / 1000.0)
  FROM generate_series(1, 10) AS place
) END;

-- The spans that have partitions. The first may begin before all ids: then its `lower` is empty.
CREATE VIEW {{schema}}.history_partition AS
WITH part AS (
  SELECT p.inhparent AS parent, c.oid::regclass AS name, substring(b.text FROM 'TO \(''(.*?)''\)') COLLATE "C" AS upper,
         coalesce(substring(b.text FROM 'FROM \(''(.*?)''\)'), '') COLLATE "C" AS lower
  FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid
  CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) b
  WHERE p.inhparent IN (to_regclass('{{schema}}.step'), to_regclass('{{schema}}.event')) AND b.text <> 'DEFAULT'
)
SELECT s.lower, s.upper, s.name AS step_table, e.name AS event_table
FROM part s JOIN part e USING (lower)
WHERE s.parent = to_regclass('{{schema}}.step') AND e.parent = to_regclass('{{schema}}.event');

-- The storage parameters of a default partition, which new partitions take.
CREATE FUNCTION {{schema}}.history_options(p_table text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT coalesce('WITH (' || array_to_string(reloptions, ', ') || ')', '') FROM pg_class
        WHERE oid = format('%s.%I', '{{schema}}', p_table || '_default')::regclass);

-- Makes the partitions of a span, and moves what the default partitions have of it. Under a lock on these, so there must
-- be little in them; the caller sets lock_timeout.
CREATE FUNCTION {{schema}}.add_history(p_lower text, p_upper text) RETURNS void LANGUAGE plpgsql
AS $function$
DECLARE
  v_table text;
  v_name text;
BEGIN
  -- Whoever writes finds its partition once it has the lock of the table; so nobody is on the way to the default one.
  LOCK TABLE ONLY {{schema}}.step, ONLY {{schema}}.event IN SHARE ROW EXCLUSIVE MODE;
  LOCK TABLE {{schema}}.step_default, {{schema}}.event_default IN ACCESS EXCLUSIVE MODE;
  FOREACH v_table IN ARRAY ARRAY['step', 'event'] LOOP
    v_name := v_table || to_char({{schema}}.id_time(p_lower) AT TIME ZONE 'UTC', '_YYYYMMDD');
    EXECUTE format('CREATE TABLE %1$s.%3$I (LIKE %1$s.%2$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE
                      INCLUDING COMPRESSION) %4$s', '{{schema}}', v_table, v_name, {{schema}}.history_options(v_table));
    EXECUTE format('WITH moved AS (DELETE FROM %1$s.%2$I WHERE instance_id >= $1 AND instance_id < $2 RETURNING *)
                    INSERT INTO %1$s.%3$I SELECT * FROM moved', '{{schema}}', v_table || '_default', v_name)
      USING p_lower, p_upper;
    EXECUTE format('ALTER TABLE %1$s.%2$I ATTACH PARTITION %1$s.%3$I FOR VALUES FROM (%4$L) TO (%5$L)',
                   '{{schema}}', v_table, v_name, p_lower, p_upper);
  END LOOP;
  DELETE FROM {{schema}}.history WHERE lower >= p_lower AND lower < p_upper;
END
$function$;

-- Makes the default partitions, when they hold too much to be moved, the partitions of the span of their rows, and puts
-- empty ones in their place. In three steps, one a call, so that the rows are not read under a lock: the bounds are
-- declared, then checked, then taken. Without bounds it goes on with what was begun; answers whether there is more.
CREATE FUNCTION {{schema}}.rotate_history(p_lower text DEFAULT NULL, p_upper text DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql
AS $function$
DECLARE
  v_table text;
  v_name text;
  v_options text;
  v_begun boolean;
  v_valid boolean;
  v_text text;
BEGIN
  SELECT count(*) = 2, bool_and(convalidated), min(pg_get_constraintdef(oid)) INTO v_begun, v_valid, v_text
  FROM pg_constraint WHERE conname = 'history_span'
    AND conrelid IN ('{{schema}}.step_default'::regclass, '{{schema}}.event_default'::regclass);
  IF NOT v_begun AND p_lower IS NULL THEN RETURN false; END IF;
  IF v_begun AND v_valid THEN LOCK TABLE ONLY {{schema}}.step, ONLY {{schema}}.event IN ACCESS EXCLUSIVE MODE; END IF;
  FOREACH v_table IN ARRAY ARRAY['step', 'event'] LOOP
    IF NOT v_begun THEN
      EXECUTE format('ALTER TABLE %s.%I DROP CONSTRAINT IF EXISTS history_span,
                        ADD CONSTRAINT history_span CHECK (instance_id >= %L AND instance_id < %L) NOT VALID',
                     '{{schema}}', v_table || '_default', p_lower, p_upper);
    ELSIF NOT v_valid THEN
      EXECUTE format('ALTER TABLE %s.%I VALIDATE CONSTRAINT history_span', '{{schema}}', v_table || '_default');
    ELSE
      p_lower := substring(v_text FROM '>= ''(.*?)''');
      p_upper := substring(v_text FROM '< ''(.*?)''');
      v_name := v_table || to_char({{schema}}.id_time(p_upper) AT TIME ZONE 'UTC', '"_until_"YYYYMMDD');
      v_options := {{schema}}.history_options(v_table);
      EXECUTE format('ALTER TABLE %1$s.%2$I DETACH PARTITION %1$s.%3$I', '{{schema}}', v_table, v_table || '_default');
      EXECUTE format('ALTER TABLE %s.%I RENAME TO %I', '{{schema}}', v_table || '_default', v_name);
      EXECUTE format('ALTER TABLE %1$s.%2$I ATTACH PARTITION %1$s.%3$I FOR VALUES FROM (%4$s) TO (%5$L)', '{{schema}}',
                     v_table, v_name, CASE p_lower WHEN '' THEN 'MINVALUE' ELSE quote_literal(p_lower) END, p_upper);
      EXECUTE format('ALTER TABLE %s.%I DROP CONSTRAINT history_span', '{{schema}}', v_name);
      EXECUTE format('CREATE TABLE %1$s.%3$I PARTITION OF %1$s.%2$I DEFAULT %4$s', '{{schema}}', v_table,
                     v_table || '_default', v_options);
      DELETE FROM {{schema}}.history WHERE lower >= p_lower AND lower < p_upper;
    END IF;
  END LOOP;
  RETURN NOT (v_begun AND v_valid);
END
$function$;

-- Sees to it that there are partitions for this span and those to come, and that the default partitions are empty. One
-- session at a time, and no wait for a lock is longer than a tenth of a second, because others would wait behind it.
CREATE FUNCTION {{schema}}.upkeep_history() RETURNS TABLE (created integer, more boolean, blocked text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET jit = off
AS $function$
DECLARE
  v_span text := coalesce((SELECT s.value #>> '{}' FROM {{schema}}.setting s WHERE s.name = 'history_span'), 'week');
  v_step interval := ('1 ' || v_span)::interval;
  v_now timestamp := date_trunc(v_span, clock_timestamp() AT TIME ZONE 'UTC');
  v_starts timestamp[];
  v_start timestamp;
  v_lower text;
  v_upper text;
  v_end text;
  v_ids text[];
BEGIN
  created := 0; more := false;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('floxy:history:{{schema}}', 0)) THEN
    blocked := 'busy'; RETURN NEXT; RETURN;
  END IF;
  BEGIN
    more := {{schema}}.rotate_history();
    IF more THEN RETURN NEXT; RETURN; END IF;
    SELECT array_agg(d.instance_id ORDER BY d.instance_id) INTO v_ids FROM (
      (SELECT s.instance_id FROM {{schema}}.step_default s ORDER BY s.instance_id LIMIT 1) UNION ALL
      (SELECT s.instance_id FROM {{schema}}.step_default s ORDER BY s.instance_id DESC LIMIT 1) UNION ALL
      (SELECT e.instance_id FROM {{schema}}.event_default e ORDER BY e.instance_id LIMIT 1) UNION ALL
      (SELECT e.instance_id FROM {{schema}}.event_default e ORDER BY e.instance_id DESC LIMIT 1)) d;
    IF v_ids IS NOT NULL AND pg_table_size('{{schema}}.step_default') + pg_table_size('{{schema}}.event_default') > 4194304 THEN
      -- Up to the end of the next span: only a clock that is off by more than that makes ids behind it meanwhile.
      v_start := date_trunc(v_span, {{schema}}.id_time(v_ids[cardinality(v_ids)]) AT TIME ZONE 'UTC');
      v_upper := {{schema}}.id_at((greatest(v_now, v_start) + 2 * v_step) AT TIME ZONE 'UTC');
      SELECT least(v_upper, min(p.lower)) INTO v_upper FROM {{schema}}.history_partition p WHERE p.lower > v_ids[1];
      SELECT coalesce(max(p.upper), '') INTO v_lower FROM {{schema}}.history_partition p WHERE p.upper <= v_ids[1];
      IF v_start IS NULL OR v_ids[cardinality(v_ids)] >= v_upper THEN
        blocked := 'scattered';
      ELSE
        more := {{schema}}.rotate_history(v_lower, v_upper);
      END IF;
      RETURN NEXT; RETURN;
    END IF;
    -- A long weekend without an orchestrator is bridged: seven days ahead, or two spans if these are longer.
    v_starts := ARRAY(SELECT v_now + n * v_step FROM generate_series(0, CASE v_span WHEN 'day' THEN 7 ELSE 2 END) AS n);
    FOR i IN 1..8 LOOP
      EXIT WHEN v_ids IS NULL;
      v_start := date_trunc(v_span, {{schema}}.id_time(v_ids[1]) AT TIME ZONE 'UTC');
      v_starts := v_starts || v_start;
      v_upper := coalesce({{schema}}.id_at((v_start + v_step) AT TIME ZONE 'UTC'), v_ids[1] || '~');
      SELECT array_agg(d.instance_id ORDER BY d.instance_id) INTO v_ids FROM (
        (SELECT s.instance_id FROM {{schema}}.step_default s WHERE s.instance_id >= v_upper ORDER BY s.instance_id LIMIT 1) UNION ALL
        (SELECT e.instance_id FROM {{schema}}.event_default e WHERE e.instance_id >= v_upper ORDER BY e.instance_id LIMIT 1)) d;
    END LOOP;
    FOREACH v_start IN ARRAY v_starts LOOP
      CONTINUE WHEN v_start IS NULL;
      v_lower := {{schema}}.id_at(v_start AT TIME ZONE 'UTC');
      v_end := {{schema}}.id_at((v_start + v_step) AT TIME ZONE 'UTC');
      -- Partitions that are there count, whatever span they were made for; what is missing between them is made.
      WHILE v_lower < v_end LOOP
        SELECT p.upper INTO v_upper FROM {{schema}}.history_partition p WHERE p.lower <= v_lower AND p.upper > v_lower;
        IF NOT FOUND THEN
          SELECT least(v_end, min(p.lower)) INTO v_upper FROM {{schema}}.history_partition p WHERE p.lower > v_lower;
          PERFORM {{schema}}.add_history(v_lower, v_upper);
          created := created + 1;
        END IF;
        v_lower := v_upper;
      END LOOP;
    END LOOP;
  EXCEPTION
    WHEN lock_not_available THEN created := 0; more := true; blocked := 'locked';
    WHEN check_violation THEN
      -- A row of another span has come in since.
      ALTER TABLE {{schema}}.step_default DROP CONSTRAINT IF EXISTS history_span;
      ALTER TABLE {{schema}}.event_default DROP CONSTRAINT IF EXISTS history_span;
      more := false; blocked := 'scattered';
  END;
  RETURN NEXT;
END
$function$;

-- The tables that were there become the partitions up to the end of this span: nothing is copied, their rows are read
-- once to check their bounds. While it tries to get the lock, nobody waits behind it for long.
DO $convert$
DECLARE
  v_upper text := {{schema}}.id_at((date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 week') AT TIME ZONE 'UTC');
  v_table text;
  v_name text;
  v_options text;
  v_grant record;
  v_timeout text := current_setting('lock_timeout');
  v_empty boolean;
BEGIN
  FOR v_try IN 1..100 LOOP
    BEGIN
      -- Autovacuum makes way when it was waited for for a second.
      PERFORM set_config('lock_timeout', CASE WHEN v_try % 5 = 0 THEN '1500ms' ELSE '200ms' END, true);
      LOCK TABLE {{schema}}.step, {{schema}}.event IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF v_try = 100 THEN RAISE; END IF;
      PERFORM pg_sleep(0.1 + 0.4 * random());
    END;
  END LOOP;
  ALTER TABLE {{schema}}.step RENAME CONSTRAINT step_pkey TO step_until_pkey;
  ALTER INDEX {{schema}}.event_instance RENAME TO event_until_instance;
  v_empty := NOT EXISTS (SELECT FROM {{schema}}.event) AND NOT EXISTS (SELECT FROM {{schema}}.step);
  FOREACH v_table IN ARRAY ARRAY['step', 'event'] LOOP
    v_name := v_table || to_char({{schema}}.id_time(v_upper) AT TIME ZONE 'UTC', '"_until_"YYYYMMDD');
    EXECUTE format('ALTER TABLE %s.%I RENAME TO %I', '{{schema}}', v_table, v_name);
    EXECUTE format('CREATE TABLE %1$s.%2$I (LIKE %1$s.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE
                      INCLUDING COMPRESSION) PARTITION BY RANGE (instance_id)', '{{schema}}', v_table, v_name);
    SELECT coalesce('WITH (' || array_to_string(reloptions, ', ') || ')', '') INTO v_options
    FROM pg_class WHERE oid = format('%s.%I', '{{schema}}', v_name)::regclass;
    EXECUTE format('CREATE TABLE %1$s.%2$I PARTITION OF %1$s.%3$I DEFAULT %4$s', '{{schema}}', v_table || '_default', v_table, v_options);
    FOR v_grant IN
      SELECT a.privilege_type, a.is_grantable, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
      FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
      WHERE c.oid = format('%s.%I', '{{schema}}', v_name)::regclass AND a.grantee <> c.relowner
    LOOP
      EXECUTE format('GRANT %s ON %s.%I TO %s %s', v_grant.privilege_type, '{{schema}}', v_table, v_grant.who,
                     CASE WHEN v_grant.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
  END LOOP;
  ALTER TABLE {{schema}}.step ADD PRIMARY KEY (instance_id, node);
  CREATE INDEX event_instance ON {{schema}}.event (instance_id, event_id);
  FOREACH v_table IN ARRAY ARRAY['step', 'event'] LOOP
    v_name := v_table || to_char({{schema}}.id_time(v_upper) AT TIME ZONE 'UTC', '"_until_"YYYYMMDD');
    IF v_empty THEN
      EXECUTE format('DROP TABLE %s.%I', '{{schema}}', v_name);
    ELSE
      EXECUTE format('WITH moved AS (DELETE FROM %1$s.%2$I WHERE instance_id >= $1 RETURNING *) INSERT INTO %1$s.%3$I SELECT * FROM moved',
                     '{{schema}}', v_name, v_table || '_default') USING v_upper;
      EXECUTE format('ALTER TABLE %1$s.%2$I ATTACH PARTITION %1$s.%3$I FOR VALUES FROM (MINVALUE) TO (%4$L)', '{{schema}}', v_table, v_name, v_upper);
    END IF;
  END LOOP;
  PERFORM set_config('lock_timeout', v_timeout, true);
  PERFORM {{schema}}.upkeep_history();
END
$convert$;

-- How history stands; rows in the default partitions are counted up to 10,000 in each.
CREATE FUNCTION {{schema}}.history_state()
RETURNS TABLE (partitions integer, default_rows integer, oldest_at timestamptz, ahead_until timestamptz, span_ms double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
SELECT count(*)::integer,
       (SELECT count(*)::integer FROM (SELECT FROM {{schema}}.step_default LIMIT 10000) AS s)
         + (SELECT count(*)::integer FROM (SELECT FROM {{schema}}.event_default LIMIT 10000) AS e),
       {{schema}}.id_time(coalesce(nullif(min(lower), ''), (SELECT instance_id FROM {{schema}}.instance ORDER BY instance_id LIMIT 1))),
       {{schema}}.id_time(max(upper)),
       (SELECT extract(epoch FROM ('1 ' || (value #>> '{}'))::interval)::double precision * 1000
        FROM {{schema}}.setting WHERE name = 'history_span')
FROM {{schema}}.history_partition
$function$;
