-- The bank in both directions: matches that are undone, payouts of providers, refunds by transfer and their files.

-- +goose Up
-- A file of transfers that was handed to the bank: the same bytes for ever, numbered without a gap in the year.
CREATE TABLE sepa_file (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  year           int NOT NULL,
  number         int NOT NULL,
  message_id     text NOT NULL UNIQUE,
  version        text NOT NULL, -- pain.001.001.03 or .09
  iban           text NOT NULL, -- of the commune
  on_day         date NOT NULL, -- asked for
  transfers      int NOT NULL,
  total_cents    bigint NOT NULL,
  content        bytea NOT NULL,
  sha256         bytea NOT NULL,
  submission_key uuid NOT NULL UNIQUE,
  actor          text NOT NULL,
  at             timestamptz NOT NULL,
  UNIQUE (year, number)
);
CREATE INDEX sepa_file_at ON sepa_file (at);
CREATE TRIGGER sepa_file_append_only BEFORE UPDATE OR DELETE ON sepa_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sepa_file_no_truncate BEFORE TRUNCATE ON sepa_file EXECUTE FUNCTION refuse_change();
CREATE TABLE sepa_file_refund (
  file_id    uuid NOT NULL REFERENCES sepa_file,
  position   int NOT NULL,
  refund_id  uuid NOT NULL REFERENCES refund,
  end_to_end text NOT NULL,
  PRIMARY KEY (file_id, position),
  UNIQUE (file_id, refund_id)
);
CREATE INDEX sepa_file_refund_id ON sepa_file_refund (refund_id);
CREATE INDEX sepa_file_refund_end_to_end ON sepa_file_refund (end_to_end);
CREATE TRIGGER sepa_file_refund_append_only BEFORE UPDATE OR DELETE ON sepa_file_refund FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sepa_file_refund_no_truncate BEFORE TRUNCATE ON sepa_file_refund EXECUTE FUNCTION refuse_change();
-- A file that the bank never carried out: its refunds wait again.
CREATE TABLE sepa_file_void (
  file_id uuid PRIMARY KEY REFERENCES sepa_file,
  reason  text NOT NULL,
  actor   text NOT NULL,
  at      timestamptz NOT NULL
);
CREATE TRIGGER sepa_file_void_append_only BEFORE UPDATE OR DELETE ON sepa_file_void FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sepa_file_void_no_truncate BEFORE TRUNCATE ON sepa_file_void EXECUTE FUNCTION refuse_change();

-- What a provider paid out at once: gross less refunds less costs is what came on the account.
CREATE TABLE payout (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  bank_entry_id uuid NOT NULL REFERENCES bank_entry,
  provider      text NOT NULL, -- as with its payments, or terminal
  gross_cents   bigint NOT NULL,
  refund_cents  bigint NOT NULL, -- given back or charged back
  cost_cents    bigint NOT NULL, -- negative: the provider paid more than we know of
  note          text NOT NULL DEFAULT '',
  actor         text NOT NULL,
  at            timestamptz NOT NULL,
  undone_by     text NOT NULL DEFAULT '',
  undone_at     timestamptz,
  CONSTRAINT payout_explained CHECK (cost_cents >= 0 OR note <> '')
);
CREATE UNIQUE INDEX payout_entry ON payout (bank_entry_id) WHERE undone_at IS NULL;
CREATE INDEX payout_at ON payout (at);
CREATE TRIGGER payout_as_written BEFORE UPDATE OF id, bank_entry_id, provider, gross_cents, refund_cents, cost_cents, note, actor, at ON payout
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_undone BEFORE UPDATE ON payout FOR EACH ROW WHEN (OLD.undone_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_no_delete BEFORE DELETE ON payout FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_no_truncate BEFORE TRUNCATE ON payout EXECUTE FUNCTION refuse_change();
CREATE TABLE payout_line (
  payout_id uuid NOT NULL REFERENCES payout,
  line_id   uuid NOT NULL REFERENCES ledger_line,
  undone    boolean NOT NULL DEFAULT false,
  PRIMARY KEY (payout_id, line_id)
);
-- A cent is paid out once.
CREATE UNIQUE INDEX payout_line_once ON payout_line (line_id) WHERE NOT undone;
CREATE TRIGGER payout_line_undone BEFORE UPDATE ON payout_line FOR EACH ROW WHEN (OLD.undone OR NOT NEW.undone) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_line_no_delete BEFORE DELETE ON payout_line FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_line_no_truncate BEFORE TRUNCATE ON payout_line EXECUTE FUNCTION refuse_change();

-- Every line of the ledger that went through a provider, which will pay it out or take it off.
CREATE VIEW provider_line AS
SELECT l.id AS line_id, p.provider, l.kind, l.cents, l.at, l.due_id, l.registration_id, p.provider_id, f.provider_id AS provider_refund_id
FROM ledger_line l
LEFT JOIN refund f ON f.id = l.refund_id
LEFT JOIN ledger_line o ON o.id = l.reverses
JOIN payment p ON p.id = COALESCE(l.payment_id, f.payment_id, o.payment_id)
WHERE l.kind IN ('payment', 'refund')
  AND l.source = p.provider
UNION ALL
SELECT l.id, 'terminal', l.kind, l.cents, l.at, l.due_id, l.registration_id, NULL, NULL
FROM ledger_line l
WHERE l.kind IN ('payment', 'refund')
  AND l.source = 'terminal';

ALTER TABLE bank_entry
  ADD COLUMN end_to_end text NOT NULL DEFAULT '', -- the reference that the one who ordered the transfer gave it
  ADD COLUMN returned text NOT NULL DEFAULT '',   -- why a bank sent it back, in ISO 20022's codes
  ADD COLUMN booking_key uuid,                    -- submission key of its ledger line; NULL: its id
  ADD COLUMN refund_id uuid REFERENCES refund,
  ADD COLUMN payout_id uuid REFERENCES payout,
  ADD COLUMN deposit_id uuid REFERENCES cash_deposit,
  ADD COLUMN sepa_file_id uuid REFERENCES sepa_file; -- one debit for a whole file
ALTER TABLE bank_entry
  DROP CONSTRAINT bank_entry_due,
  ADD CONSTRAINT bank_entry_due CHECK (num_nonnulls(due_id, refund_id, payout_id, deposit_id, sepa_file_id) = CASE state WHEN 'matched' THEN 1 ELSE 0 END);
CREATE INDEX bank_entry_refund ON bank_entry (refund_id) WHERE refund_id IS NOT NULL;
CREATE UNIQUE INDEX bank_entry_deposit ON bank_entry (deposit_id) WHERE deposit_id IS NOT NULL;
CREATE UNIQUE INDEX bank_entry_payout ON bank_entry (payout_id) WHERE payout_id IS NOT NULL;

-- A match is undone into the queue and only there; money that it booked must have been taken back in the ledger before.
DROP TRIGGER bank_entry_matched ON bank_entry;
-- +goose StatementBegin
CREATE FUNCTION bank_entry_unmatched() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'queued' OR OLD.due_id IS NOT NULL AND NOT EXISTS (
    SELECT 1
    FROM ledger_line p
    JOIN ledger_line r ON r.reverses = p.id
    WHERE p.submission_key = COALESCE(OLD.booking_key, OLD.id))
  THEN
    RAISE EXCEPTION 'money that was booked stays where it was booked' USING ERRCODE = 'check_violation', CONSTRAINT = 'bank_entry_matched';
  END IF;
  RETURN NEW;
END
$$;
-- A movement is matched to a due by a line of the ledger, never without.
CREATE FUNCTION bank_entry_booked() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM ledger_line p
    WHERE p.submission_key = COALESCE(NEW.booking_key, NEW.id)
      AND p.due_id = NEW.due_id
      AND NOT EXISTS (SELECT 1 FROM ledger_line r WHERE r.reverses = p.id))
  THEN
    RAISE EXCEPTION 'a movement is matched without its line in the ledger' USING ERRCODE = 'check_violation', CONSTRAINT = 'bank_entry_booked';
  END IF;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER bank_entry_matched BEFORE UPDATE ON bank_entry
  FOR EACH ROW WHEN (OLD.state = 'matched') EXECUTE FUNCTION bank_entry_unmatched();
CREATE TRIGGER bank_entry_booked BEFORE UPDATE ON bank_entry
  FOR EACH ROW WHEN (NEW.state = 'matched' AND NEW.due_id IS NOT NULL) EXECUTE FUNCTION bank_entry_booked();
CREATE TRIGGER bank_entry_as_read_too BEFORE UPDATE OF end_to_end, returned ON bank_entry
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Everything that was ever decided about a movement, whoever wrote it.
CREATE TABLE bank_decision (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  entry_id   uuid NOT NULL REFERENCES bank_entry,
  state      text NOT NULL,
  reason     text NOT NULL,
  due_id     uuid,
  refund_id  uuid,
  payout_id  uuid,
  deposit_id uuid,
  sepa_file_id uuid,
  decided_by text NOT NULL,
  at         timestamptz NOT NULL
);
CREATE INDEX bank_decision_entry ON bank_decision (entry_id, id);
CREATE TRIGGER bank_decision_append_only BEFORE UPDATE OR DELETE ON bank_decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_decision_no_truncate BEFORE TRUNCATE ON bank_decision EXECUTE FUNCTION refuse_change();
-- +goose StatementBegin
CREATE FUNCTION bank_entry_decided() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO bank_decision (entry_id, state, reason, due_id, refund_id, payout_id, deposit_id, sepa_file_id, decided_by, at)
  VALUES (NEW.id, NEW.state, NEW.reason, NEW.due_id, NEW.refund_id, NEW.payout_id, NEW.deposit_id, NEW.sepa_file_id, NEW.decided_by,
    COALESCE(NEW.decided_at, now()));
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER bank_entry_decided AFTER UPDATE OF state, reason ON bank_entry FOR EACH ROW EXECUTE FUNCTION bank_entry_decided();

-- +goose Down
DROP TRIGGER bank_entry_decided ON bank_entry;
DROP FUNCTION bank_entry_decided();
DROP TABLE bank_decision;
DROP TRIGGER bank_entry_as_read_too ON bank_entry;
DROP TRIGGER bank_entry_booked ON bank_entry;
DROP TRIGGER bank_entry_matched ON bank_entry;
DROP FUNCTION bank_entry_booked();
DROP FUNCTION bank_entry_unmatched();
-- What the former schema cannot tell waits for a person again.
UPDATE bank_entry
SET state = 'queued', refund_id = NULL, payout_id = NULL, deposit_id = NULL, sepa_file_id = NULL
WHERE state = 'matched'
  AND due_id IS NULL;
ALTER TABLE bank_entry
  DROP CONSTRAINT bank_entry_due,
  DROP COLUMN end_to_end,
  DROP COLUMN returned,
  DROP COLUMN booking_key,
  DROP COLUMN refund_id,
  DROP COLUMN payout_id,
  DROP COLUMN deposit_id,
  DROP COLUMN sepa_file_id,
  ADD CONSTRAINT bank_entry_due CHECK ((state = 'matched') = (due_id IS NOT NULL));
CREATE TRIGGER bank_entry_matched BEFORE UPDATE ON bank_entry
  FOR EACH ROW WHEN (OLD.state = 'matched') EXECUTE FUNCTION refuse_change();
DROP VIEW provider_line;
DROP TABLE payout_line, payout, sepa_file_void, sepa_file_refund, sepa_file;
