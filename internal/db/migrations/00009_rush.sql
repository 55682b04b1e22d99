-- When a called turn of the queue was used, so that the next one can be called.

-- +goose Up
ALTER TABLE waiting_turn
  ADD COLUMN done_at timestamptz;
-- How many turns were called lately, at every look at the queue.
CREATE INDEX waiting_turn_served ON waiting_turn (served_at) WHERE served_at IS NOT NULL;

-- +goose Down
DROP INDEX waiting_turn_served;
ALTER TABLE waiting_turn
  DROP COLUMN done_at;
