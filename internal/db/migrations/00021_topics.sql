-- A line of a registration's history may tell that the commune cancelled sessions: the state and the stops stay.

-- +goose Up
ALTER TABLE registration_event
  DROP CONSTRAINT registration_event_topic,
  ADD CONSTRAINT registration_event_topic CHECK (topic IN ('', 'bus_refused', 'sessions_cancelled'));

-- +goose Down
-- What was written stays: a history is only ever appended to.
ALTER TABLE registration_event
  DROP CONSTRAINT registration_event_topic,
  ADD CONSTRAINT registration_event_topic CHECK (topic IN ('', 'bus_refused')) NOT VALID;
