-- What the office lists and searches at a hundred times the seeded town, without reading a table from end to end.

-- +goose Up
-- Each list of the queue in its order; the list without a state is by age of the request.
CREATE INDEX registration_created ON registration (created_at DESC, id);
CREATE INDEX registration_settled ON registration (state_since DESC, id) WHERE state IN ('validated', 'confirmed', 'completed');
CREATE INDEX registration_over ON registration (state_since DESC, id)
  WHERE state IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled');
CREATE INDEX registration_waiting_list ON registration (camp_id, waiting_since, id) WHERE state IN ('waitlisted', 'offered');
CREATE INDEX camp_time ON camp (begins_at, id);
-- The people of the office among the many accounts, and the adults whom nobody signs in for.
CREATE INDEX account_office ON account (name, id) WHERE cardinality(roles) > 0;
CREATE INDEX guardian_paper ON guardian (id) WHERE account_id IS NULL AND merged_into IS NULL AND kind = 'person';
CREATE INDEX duplicate_list ON duplicate (score DESC, found_at, id) WHERE state = 'open';
-- In which transaction a word of a name came: who keeps the words in memory asks only for what is new.
ALTER TABLE name_word ADD COLUMN added xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX name_word_added ON name_word (added);

-- +goose Down
DROP INDEX name_word_added;
ALTER TABLE name_word DROP COLUMN added;
DROP INDEX duplicate_list, guardian_paper, account_office, camp_time, registration_waiting_list, registration_over, registration_settled, registration_created;
