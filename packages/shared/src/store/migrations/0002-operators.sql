-- Decisions, signals, timers, operators' acts, and what they need to know of instances and steps.

ALTER TABLE {{schema}}.instance
  -- Raised when part of the graph is run again after it was undone: what runs from then on has other idempotency keys.
  ADD COLUMN run integer NOT NULL DEFAULT 0,
  -- Of an instance in `dlq`: what a dead letter keeps it from being.
  ADD COLUMN paused_from text CHECK (paused_from IN ({{instance_statuses}})),
  ADD COLUMN deadline_at timestamptz;

CREATE INDEX instance_live ON {{schema}}.instance (definition_name, definition_version) WHERE finished_at IS NULL;

ALTER TABLE {{schema}}.step
  ADD COLUMN run integer NOT NULL DEFAULT 0,
  -- Until when it waits; the row in `timer` only sees to it that somebody looks then.
  ADD COLUMN due_at timestamptz,
  -- Of a join that fired: the names of the branches that had arrived, as a JSON list.
  ADD COLUMN winners json,
  -- What a person gave it in place of what the graph passes to it.
  ADD COLUMN input json;

ALTER TABLE {{schema}}.queue
  ADD COLUMN run integer NOT NULL DEFAULT 0,
  -- Whether all attempts so far were made in transactions of this database, so that those that failed had no effect.
  ADD COLUMN transactional boolean NOT NULL DEFAULT false,
  -- Whether attempts before it was requeued by a person, which are not counted any more, may have had effects.
  ADD COLUMN uncertain boolean NOT NULL DEFAULT false,
  ADD COLUMN input json,
  DROP CONSTRAINT queue_state_check,
  ADD CONSTRAINT queue_state_check CHECK (state IN ({{queue_states}}));

CREATE INDEX queue_held ON {{schema}}.queue (handler) WHERE state = 'held';

CREATE TABLE {{schema}}.timer (
  instance_id text COLLATE "C" NOT NULL,
  -- Empty for the deadline of the instance.
  node        text COLLATE "C" NOT NULL,
  due_at      timestamptz NOT NULL,
  PRIMARY KEY (instance_id, node)
) WITH (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX timer_due ON {{schema}}.timer (due_at);
COMMENT ON TABLE {{schema}}.timer IS
  'When somebody should look at an instance. That a time has come is read from step.due_at and instance.deadline_at, so a row too many does no harm.';

CREATE TABLE {{schema}}.vote (
  instance_id text COLLATE "C" NOT NULL,
  node        text COLLATE "C" NOT NULL,
  voter       text COLLATE "C" NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('confirm', 'reject')),
  comment     text,
  form        json,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (instance_id, node, voter)
);

CREATE TABLE {{schema}}.signal (
  signal_id   text COLLATE "C" NOT NULL,
  instance_id text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  payload     json NOT NULL,
  sent_by     text COLLATE "C",
  -- The node that has taken it; null while it is kept.
  node        text COLLATE "C",
  -- Signals are taken in the order in which they arrived.
  position    bigint GENERATED ALWAYS AS IDENTITY,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance_id, signal_id)
);

CREATE TABLE {{schema}}.audit (
  audit_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Made by whoever asked for the act: when the answer was lost, and it is asked for again, it is not done twice.
  act_id             text COLLATE "C",
  act                text NOT NULL,
  instance_id        text COLLATE "C",
  node               text COLLATE "C",
  definition_name    text COLLATE "C",
  definition_version integer,
  requested_by       text NOT NULL,
  reason             text,
  data               json,
  created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_instance ON {{schema}}.audit (instance_id, audit_id);
CREATE UNIQUE INDEX audit_act ON {{schema}}.audit (act_id) WHERE act_id IS NOT NULL;

CREATE TABLE {{schema}}.pause (
  definition_name text COLLATE "C" PRIMARY KEY,
  requested_by    text NOT NULL,
  reason          text,
  created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE {{schema}}.pause IS 'Definitions of which no forward step is leased.';

ALTER TABLE {{schema}}.dead_letter
  -- The handler that was called; null of a node that calls none.
  ADD COLUMN handler text COLLATE "C";
CREATE INDEX dead_letter_created ON {{schema}}.dead_letter (created_at, instance_id, node);
