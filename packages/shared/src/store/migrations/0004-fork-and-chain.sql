-- What lets a step that completes know, without a look at the whole instance, that nobody needs to look at it yet, and
-- what follows the compensation that completes. Null in rows of before: nothing is known of them, and a look follows.

ALTER TABLE {{schema}}.queue
  -- The innermost fork in whose branch a step stands; null outside of forks, and of compensations.
  ADD COLUMN fork text COLLATE "C",
  -- Of a compensation: those that follow it one after another, as a list; see ChainLink in core/model.ts. When the instance
  -- has another epoch than the row, it was frozen anew, and what was planned before is void.
  ADD COLUMN chain jsonb;
