-- The first schema. `{{schema}}` is replaced by the quoted name of the schema.
--
-- Two kinds of tables. Hot: `queue` and `inbox` hold only what is to be done, so that claiming never sees history.
-- Cold: `instance`, `step` and `event` hold what is known. A task has a row in `queue` from the moment it can run until
-- it is settled, and in `step` from then on; never a copy of a payload that another row already holds.
--
-- There are no foreign keys on the way of a step: each would lock its parent row on every insert. The engine is the only
-- writer, and the invariants that keys would guard are checked by tests and by the doctor.

CREATE TABLE {{schema}}.setting (
  name  text PRIMARY KEY,
  value jsonb NOT NULL
);
COMMENT ON TABLE {{schema}}.setting IS 'Settings that hold for the whole database.';

INSERT INTO {{schema}}.setting (name, value) VALUES ('aging_points_per_second', '0.5');

CREATE TABLE {{schema}}.definition (
  name          text COLLATE "C" NOT NULL,
  version       integer NOT NULL CHECK (version >= 1),
  fingerprint   text NOT NULL,
  body          json NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  deprecated_at timestamptz,
  PRIMARY KEY (name, version)
);

CREATE TABLE {{schema}}.instance (
  instance_id        text COLLATE "C" PRIMARY KEY,
  definition_name    text COLLATE "C" NOT NULL,
  definition_version integer NOT NULL,
  status             text NOT NULL CHECK (status IN ({{instance_statuses}})),
  -- Raised by each freeze; forward work of an older epoch cannot advance the graph.
  epoch              integer NOT NULL DEFAULT 0,
  priority           smallint NOT NULL CHECK (priority BETWEEN 0 AND 100),
  input              json NOT NULL,
  -- The node whose row holds the output of a completed instance; null when the input itself is the output.
  output_from        text COLLATE "C",
  metadata           jsonb NOT NULL DEFAULT '{}',
  idempotency_key    text COLLATE "C",
  -- Why it was rolled back, and the savepoint at which the rollback stops.
  cause              json,
  boundary           text COLLATE "C",
  created_at         timestamptz NOT NULL DEFAULT now(),
  finished_at        timestamptz
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX instance_idempotency_key ON {{schema}}.instance (definition_name, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

CREATE TABLE {{schema}}.step (
  instance_id          text COLLATE "C" NOT NULL,
  node                 text COLLATE "C" NOT NULL,
  status               text NOT NULL CHECK (status IN ({{step_statuses}})),
  outcome              text CHECK (outcome IN ({{outcomes}})),
  -- The side that a condition took.
  side                 text CHECK (side IN ('then', 'else')),
  attempt              integer NOT NULL DEFAULT 0,
  compensation_attempt integer NOT NULL DEFAULT 0,
  -- The node whose row holds the value that was passed to this one; null for the instance's input.
  input_from           text COLLATE "C",
  output               json,
  error                json,
  compensation_error   json,
  -- The fencing token under which the step was settled: a repeat of that very call is recognised by it.
  token                bigint,
  worker_id            text COLLATE "C",
  started_at           timestamptz,
  finished_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance_id, node)
) WITH (fillfactor = 90);

CREATE SEQUENCE {{schema}}.lease_token CACHE 100;

CREATE TABLE {{schema}}.queue (
  instance_id text COLLATE "C" NOT NULL,
  node        text COLLATE "C" NOT NULL,
  lane        text NOT NULL CHECK (lane IN ({{lanes}})),
  handler     text COLLATE "C" NOT NULL,
  state       text NOT NULL CHECK (state IN ({{queue_states}})),
  priority    smallint NOT NULL,
  -- The aged priority, written once: see priority_key().
  key         bigint NOT NULL,
  ready_at    timestamptz NOT NULL,
  epoch       integer NOT NULL,
  attempt     integer NOT NULL DEFAULT 0,
  timeout_ms  bigint NOT NULL,
  input_from  text COLLATE "C",
  token       bigint,
  last_token  bigint,
  leased_at   timestamptz,
  lease_until timestamptz,
  worker_id   text COLLATE "C",
  PRIMARY KEY (instance_id, node),
  CHECK ((state = 'leased') = (token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 5000
);

CREATE INDEX queue_ready ON {{schema}}.queue (handler, key) WHERE state = 'ready';
CREATE INDEX queue_delayed ON {{schema}}.queue (ready_at) WHERE state = 'delayed';
CREATE INDEX queue_leased ON {{schema}}.queue (lease_until) WHERE state = 'leased';

CREATE TABLE {{schema}}.inbox (
  inbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  instance_id text COLLATE "C" NOT NULL,
  visible_at  timestamptz NOT NULL DEFAULT now(),
  attempt     integer NOT NULL DEFAULT 0,
  error       text
) WITH (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE {{schema}}.inbox IS
  'Instances that an orchestrator must look at. A row says only that there may be something to decide, so a lost, late or repeated one does no harm.';

CREATE TABLE {{schema}}.dead_letter (
  instance_id text COLLATE "C" NOT NULL,
  node        text COLLATE "C" NOT NULL,
  kind        text NOT NULL CHECK (kind IN ({{lanes}})),
  error       json NOT NULL,
  attempt     integer NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance_id, node)
);

CREATE TABLE {{schema}}.event (
  event_id    bigint GENERATED ALWAYS AS IDENTITY,
  instance_id text COLLATE "C" NOT NULL,
  type        text NOT NULL,
  node        text COLLATE "C",
  attempt     integer,
  worker_id   text COLLATE "C",
  data        json,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_instance ON {{schema}}.event (instance_id, event_id);

-- The aged priority as one number that sorts: smaller runs first. Linear aging keeps the order of any two waiting steps
-- fixed, so the key is written once: the time the step became ready, in ms, less what its priority is worth. The
-- compensation lane is put before all forward work by an offset greater than any time.
CREATE FUNCTION {{schema}}.priority_key(ready_at timestamptz, priority integer, lane text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (extract(epoch FROM ready_at) * 1000)::bigint
     - (priority * 1000 / (SELECT (value #>> '{}')::numeric FROM {{schema}}.setting WHERE name = 'aging_points_per_second'))::bigint
     - CASE lane WHEN 'compensation' THEN 10000000000000 ELSE 0 END;
