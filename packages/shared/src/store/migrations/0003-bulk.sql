-- Bulk acts, with a result for each item; and the instances that the reconciler has not yet seen going on.

CREATE TABLE {{schema}}.bulk (
  bulk_id      text COLLATE "C" PRIMARY KEY,
  act          text NOT NULL,
  -- What the items were chosen by, as it was asked for.
  filter       json NOT NULL,
  requested_by text NOT NULL,
  reason       text,
  item_count   integer NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz
);
CREATE INDEX bulk_open ON {{schema}}.bulk (bulk_id) WHERE finished_at IS NULL;

CREATE TABLE {{schema}}.bulk_item (
  bulk_id     text COLLATE "C" NOT NULL,
  position    integer NOT NULL,
  instance_id text COLLATE "C" NOT NULL,
  -- The step of the dead letter; null when the act is about the whole instance.
  node        text COLLATE "C",
  -- It is changed in the transaction of the act, so the act is done if and only if it says so.
  state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed', 'skipped')),
  code        text,
  message     text,
  finished_at timestamptz,
  PRIMARY KEY (bulk_id, position)
) WITH (fillfactor = 80);
CREATE INDEX bulk_item_pending ON {{schema}}.bulk_item (bulk_id, position) WHERE state = 'pending';

CREATE TABLE {{schema}}.stuck (
  instance_id text COLLATE "C" PRIMARY KEY,
  -- When the reconciler first had it looked at, and how often that has not helped.
  noted_at    timestamptz NOT NULL DEFAULT statement_timestamp(),
  rounds      integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE {{schema}}.stuck IS
  'Instances that nothing moved and that the reconciler had looked at. One that is still so a round later needs a person.';
