-- A line of a registration's history may tell that it stays, though a guardian asked to cancel it.

-- +goose Up
ALTER TABLE registration_event
  DROP CONSTRAINT registration_event_topic,
  ADD CONSTRAINT registration_event_topic CHECK (topic IN ('', 'bus_refused', 'sessions_cancelled', 'cancel_refused'));

-- +goose Down
-- What was written stays: a history is only ever appended to.
ALTER TABLE registration_event
  DROP CONSTRAINT registration_event_topic,
  ADD CONSTRAINT registration_event_topic CHECK (topic IN ('', 'bus_refused', 'sessions_cancelled')) NOT VALID;
