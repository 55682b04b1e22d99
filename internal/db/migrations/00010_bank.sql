-- Bank statements: what the bank says, once, and what was made of each movement.

-- +goose Up
-- One file that someone brought, with what came of it. It is written last, so a file that was broken off has no row.
CREATE TABLE bank_import (
  id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  file_name text NOT NULL,
  sha256    bytea NOT NULL,
  actor     text NOT NULL,
  at        timestamptz NOT NULL,
  result    jsonb NOT NULL
);
CREATE INDEX bank_import_at ON bank_import (at);

CREATE TABLE bank_statement (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account       text NOT NULL,
  number        text NOT NULL, -- as the bank counts, without leading zeros
  currency      text NOT NULL,
  day           date,          -- of the closing balance
  opening_cents bigint NOT NULL,
  closing_cents bigint NOT NULL,
  hash          bytea NOT NULL, -- of everything that the bank says in it
  warnings      jsonb NOT NULL,
  actor         text NOT NULL,
  at            timestamptz NOT NULL,
  CONSTRAINT bank_statement_once UNIQUE (account, number, hash)
);
CREATE INDEX bank_statement_at ON bank_statement (at);
CREATE TRIGGER bank_statement_append_only BEFORE UPDATE OR DELETE ON bank_statement FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_no_truncate BEFORE TRUNCATE ON bank_statement EXECUTE FUNCTION refuse_change();

CREATE TABLE bank_entry (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- also the submission key of its ledger line
  statement_id      uuid NOT NULL REFERENCES bank_statement,
  position          int NOT NULL,
  -- The same movement in another file, or in another format, has the same key and is not taken twice.
  key               bytea NOT NULL CONSTRAINT bank_entry_once UNIQUE,
  day               date,
  value_day         date,
  cents             bigint NOT NULL, -- negative: money that left
  communication     text NOT NULL,
  free_text         text NOT NULL,
  counterparty_name text NOT NULL,
  counterparty_iban text NOT NULL,
  bank_ref          text NOT NULL,
  kind              text NOT NULL,
  state             text NOT NULL CONSTRAINT bank_entry_state CHECK (state IN ('new', 'matched', 'queued', 'aside')),
  reason            text NOT NULL DEFAULT '', -- message key
  due_id            uuid REFERENCES due,
  decided_by        text NOT NULL DEFAULT '',
  decided_at        timestamptz,
  UNIQUE (statement_id, position),
  CONSTRAINT bank_entry_due CHECK ((state = 'matched') = (due_id IS NOT NULL))
);
-- What waits, oldest first.
CREATE INDEX bank_entry_open ON bank_entry (day, statement_id, position) WHERE state IN ('new', 'queued');
CREATE INDEX bank_entry_due_id ON bank_entry (due_id) WHERE due_id IS NOT NULL;
-- What the bank said never changes; money that was booked stays where it was booked.
CREATE TRIGGER bank_entry_as_read
  BEFORE UPDATE OF statement_id, position, key, day, value_day, cents, communication, free_text, counterparty_name, counterparty_iban, bank_ref, kind ON bank_entry
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_entry_matched BEFORE UPDATE ON bank_entry
  FOR EACH ROW WHEN (OLD.state = 'matched') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_entry_no_delete BEFORE DELETE ON bank_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_entry_no_truncate BEFORE TRUNCATE ON bank_entry EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE bank_entry, bank_statement, bank_import;
