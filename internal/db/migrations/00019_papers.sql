-- Credit notes, which document a line of the ledger stands on, reminders of what is owed, and complaints.

-- +goose Up
-- A due that was credited in full and is charged again gets another invoice.
ALTER TABLE invoice DROP CONSTRAINT invoice_due_id_key;
CREATE INDEX invoice_due ON invoice (due_id);
CREATE INDEX invoice_registration ON invoice (registration_id);

CREATE TABLE credit_note (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  year            int NOT NULL,
  number          int NOT NULL,
  invoice_id      uuid NOT NULL REFERENCES invoice,
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  issued_at       timestamptz NOT NULL,
  total_cents     bigint NOT NULL CONSTRAINT credit_note_total CHECK (total_cents > 0),
  content         jsonb NOT NULL, -- everything that is printed, frozen
  UNIQUE (year, number)
);
CREATE INDEX credit_note_invoice ON credit_note (invoice_id);
CREATE INDEX credit_note_due ON credit_note (due_id);
CREATE INDEX credit_note_payer ON credit_note (payer_id);
CREATE TRIGGER credit_note_append_only BEFORE UPDATE OR DELETE ON credit_note FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_note_no_truncate BEFORE TRUNCATE ON credit_note EXECUTE FUNCTION refuse_change();

CREATE TABLE credit_note_file (
  credit_note_id uuid PRIMARY KEY REFERENCES credit_note,
  pdf            bytea NOT NULL,
  sha256         bytea NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER credit_note_file_append_only BEFORE UPDATE OR DELETE ON credit_note_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_note_file_no_truncate BEFORE TRUNCATE ON credit_note_file EXECUTE FUNCTION refuse_change();

-- On which document a charge, fee or reduction stands: the day book names it.
CREATE TABLE document_line (
  line_id        uuid PRIMARY KEY REFERENCES ledger_line,
  invoice_id     uuid REFERENCES invoice,
  credit_note_id uuid REFERENCES credit_note,
  CONSTRAINT document_line_one CHECK (num_nonnulls(invoice_id, credit_note_id) = 1)
);
INSERT INTO document_line (line_id, invoice_id)
SELECT l.id, i.id
FROM invoice i
JOIN ledger_line l ON l.due_id = i.due_id AND l.at <= i.issued_at
WHERE l.kind IN ('charge', 'fee', 'reduction')
ON CONFLICT DO NOTHING;
CREATE TRIGGER document_line_append_only BEFORE UPDATE OR DELETE ON document_line FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER document_line_no_truncate BEFORE TRUNCATE ON document_line EXECUTE FUNCTION refuse_change();

-- One step towards getting what is owed. since is the day from which it was owed: a new debt on the same due begins anew.
CREATE TABLE dunning_step (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  step            text NOT NULL CONSTRAINT dunning_step_step CHECK (step IN ('reminder', 'notice', 'recovery')),
  since           date NOT NULL,
  owed_cents      bigint NOT NULL CONSTRAINT dunning_step_owed CHECK (owed_cents > 0), -- before the fee and the interest
  fee_cents       bigint NOT NULL DEFAULT 0 CONSTRAINT dunning_step_fee CHECK (fee_cents >= 0),
  interest_cents  bigint NOT NULL DEFAULT 0 CONSTRAINT dunning_step_interest CHECK (interest_cents >= 0),
  pay_by          date NOT NULL, -- the next step is not before the day after
  way             text NOT NULL CONSTRAINT dunning_step_way CHECK (way IN ('mail', 'letter')),
  content         jsonb NOT NULL, -- everything that is printed, frozen
  actor           text NOT NULL,
  at              timestamptz NOT NULL,
  UNIQUE (due_id, since, step)
);
CREATE INDEX dunning_step_at ON dunning_step (at);
CREATE INDEX dunning_step_payer ON dunning_step (payer_id);
CREATE TRIGGER dunning_step_append_only BEFORE UPDATE OR DELETE ON dunning_step FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dunning_step_no_truncate BEFORE TRUNCATE ON dunning_step EXECUTE FUNCTION refuse_change();

-- A payer contests what is asked: nothing is asked again until somebody answered.
CREATE TABLE complaint (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  words           text NOT NULL,
  actor           text NOT NULL,
  submission_key  uuid NOT NULL UNIQUE,
  at              timestamptz NOT NULL
);
CREATE INDEX complaint_due ON complaint (due_id);
CREATE TRIGGER complaint_append_only BEFORE UPDATE OR DELETE ON complaint FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER complaint_no_truncate BEFORE TRUNCATE ON complaint EXECUTE FUNCTION refuse_change();
CREATE TABLE complaint_answer (
  complaint_id uuid PRIMARY KEY REFERENCES complaint,
  outcome      text NOT NULL CONSTRAINT complaint_answer_outcome CHECK (outcome IN ('upheld', 'partly', 'rejected')),
  words        text NOT NULL,
  actor        text NOT NULL,
  at           timestamptz NOT NULL
);
CREATE TRIGGER complaint_answer_append_only BEFORE UPDATE OR DELETE ON complaint_answer FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER complaint_answer_no_truncate BEFORE TRUNCATE ON complaint_answer EXECUTE FUNCTION refuse_change();

-- The statement of a payer reads its lines in the order of the days, the day book those of all.
CREATE INDEX ledger_line_payer_at ON ledger_line (payer_id, at);

-- +goose Down
DROP INDEX ledger_line_payer_at;
DROP TABLE complaint_answer, complaint, dunning_step, document_line, credit_note_file, credit_note;
DROP INDEX invoice_registration, invoice_due;
ALTER TABLE invoice ADD CONSTRAINT invoice_due_id_key UNIQUE (due_id);
