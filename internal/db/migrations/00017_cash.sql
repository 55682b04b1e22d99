-- The cash desk: its days, what went through the drawer and the terminal, receipts, and what was brought to the bank.

-- +goose Up
-- One day of one desk: opened with a counted float, counted again at closing. What is closed never changes.
CREATE TABLE cash_day (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  desk             text NOT NULL CONSTRAINT cash_day_desk CHECK (desk <> ''),
  day              date NOT NULL, -- on which it was opened, in Brussels
  float_cents      bigint NOT NULL CONSTRAINT cash_day_float CHECK (float_cents >= 0),
  float_why        text NOT NULL DEFAULT '', -- when it is not what the day before left
  opened_by        uuid NOT NULL REFERENCES account,
  opened_at        timestamptz NOT NULL,
  open_key         uuid NOT NULL UNIQUE, -- the form that opened it
  expected_cents   bigint, -- what should have been in the drawer, and on the terminal's slip, when it was closed
  expected_terminal_cents bigint,
  counted_cents    bigint CONSTRAINT cash_day_counted CHECK (counted_cents >= 0),
  counted_detail   jsonb,  -- {"5000": 2}: two notes of 50 euros; NULL when only the sum was given
  terminal_cents   bigint, -- the terminal's own total, NULL when nobody gave it
  left_cents       bigint CONSTRAINT cash_day_left CHECK (left_cents BETWEEN 0 AND counted_cents), -- stays in the drawer
  difference_why   text NOT NULL DEFAULT '',
  closed_by        uuid REFERENCES account,
  closed_at        timestamptz,
  close_key        uuid UNIQUE,
  CONSTRAINT cash_day_closed CHECK (num_nonnulls(expected_cents, expected_terminal_cents, counted_cents, left_cents, closed_by, closed_at, close_key) IN (0, 7)),
  CONSTRAINT cash_day_explained CHECK (
    closed_at IS NULL OR difference_why <> ''
    OR counted_cents = expected_cents AND COALESCE(terminal_cents, expected_terminal_cents) = expected_terminal_cents)
);
-- A desk has one day open.
CREATE UNIQUE INDEX cash_day_open ON cash_day (desk) WHERE closed_at IS NULL;
CREATE INDEX cash_day_at ON cash_day (opened_at);
CREATE INDEX cash_day_closed_at ON cash_day (desk, closed_at) WHERE closed_at IS NOT NULL;
CREATE TRIGGER cash_day_closed BEFORE UPDATE ON cash_day
  FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_day_opening BEFORE UPDATE OF id, desk, day, float_cents, float_why, opened_by, opened_at, open_key ON cash_day
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_day_no_delete BEFORE DELETE ON cash_day FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_day_no_truncate BEFORE TRUNCATE ON cash_day EXECUTE FUNCTION refuse_change();

-- Which lines of the ledger went through which day of a desk.
CREATE TABLE cash_entry (
  line_id uuid PRIMARY KEY REFERENCES ledger_line,
  day_id  uuid NOT NULL REFERENCES cash_day
);
CREATE INDEX cash_entry_day ON cash_entry (day_id);
CREATE TRIGGER cash_entry_append_only BEFORE UPDATE OR DELETE ON cash_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_entry_no_truncate BEFORE TRUNCATE ON cash_entry EXECUTE FUNCTION refuse_change();
-- +goose StatementBegin
CREATE FUNCTION cash_entry_open() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM cash_day WHERE id = NEW.day_id AND closed_at IS NULL FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the day of the desk is closed' USING ERRCODE = 'check_violation', CONSTRAINT = 'cash_entry_open';
  END IF;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER cash_entry_open BEFORE INSERT ON cash_entry FOR EACH ROW EXECUTE FUNCTION cash_entry_open();

-- The number on the paper that a family takes home: one for each line that went over the counter, without a gap in
-- the year.
CREATE TABLE receipt (
  line_id uuid PRIMARY KEY REFERENCES ledger_line,
  year    int NOT NULL,
  number  int NOT NULL,
  UNIQUE (year, number)
);
CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipt_no_truncate BEFORE TRUNCATE ON receipt EXECUTE FUNCTION refuse_change();

-- What was brought to the bank, of one or several closed days.
CREATE TABLE cash_deposit (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  cents          bigint NOT NULL CONSTRAINT cash_deposit_cents CHECK (cents > 0),
  on_day         date NOT NULL,
  reference      text NOT NULL DEFAULT '', -- on the bank's slip or sealed bag
  deposited_by   uuid NOT NULL REFERENCES account,
  deposited_at   timestamptz NOT NULL,
  submission_key uuid NOT NULL UNIQUE
);
CREATE TRIGGER cash_deposit_append_only BEFORE UPDATE OR DELETE ON cash_deposit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_deposit_no_truncate BEFORE TRUNCATE ON cash_deposit EXECUTE FUNCTION refuse_change();
CREATE TABLE cash_deposit_day (
  day_id     uuid PRIMARY KEY REFERENCES cash_day, -- a day is brought once
  deposit_id uuid NOT NULL REFERENCES cash_deposit
);
CREATE INDEX cash_deposit_day_deposit ON cash_deposit_day (deposit_id);
CREATE TRIGGER cash_deposit_day_append_only BEFORE UPDATE OR DELETE ON cash_deposit_day FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_deposit_day_no_truncate BEFORE TRUNCATE ON cash_deposit_day EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE cash_deposit_day, cash_deposit, receipt, cash_entry, cash_day;
DROP FUNCTION cash_entry_open();
