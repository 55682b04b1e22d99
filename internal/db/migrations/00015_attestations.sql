-- Attestations: 281.86 for the tax return, mutuelle for the health fund; what they need to know, and what was sent to Belcotax.

-- +goose Up
ALTER TABLE guardian
  ADD COLUMN national_number bytea; -- sealed; asked for the 281.86 alone

-- A severe handicap moves the age limit of the 281.86 from 14 to 21. What was declared and verified is sealed, so that
-- a row only says that somebody once spoke of it.
CREATE TABLE child_handicap (
  child_id   uuid PRIMARY KEY REFERENCES child,
  sealed     bytea NOT NULL,
  updated_at timestamptz NOT NULL
);

-- Numbered per series and year without a gap, never changed: a correction is another row that replaces it.
CREATE TABLE attestation (
  id              uuid PRIMARY KEY,
  series          text NOT NULL CONSTRAINT attestation_series CHECK (series IN ('attestation', 'mutuelle')),
  year            int NOT NULL,  -- in which was paid; of the mutuelle in which the camp ended
  number          int NOT NULL,
  debtor_id       uuid NOT NULL REFERENCES guardian,
  child_id        uuid NOT NULL REFERENCES child,
  registration_id uuid REFERENCES registration, -- of the mutuelle; a 281.86 names them in its lines
  treatment       int NOT NULL CONSTRAINT attestation_treatment CHECK (treatment IN (0, 1, 3)), -- 0 normal, 1 changes replaces, 3 withdraws it
  replaces        uuid REFERENCES attestation,
  issued_at       timestamptz NOT NULL,
  issued_by       text NOT NULL,
  total_cents     bigint NOT NULL CONSTRAINT attestation_total CHECK (total_cents >= 0),
  content         jsonb NOT NULL, -- everything that is printed, frozen; national numbers in it are sealed
  UNIQUE (series, year, number),
  CONSTRAINT attestation_correction CHECK ((treatment = 0) = (replaces IS NULL))
);
-- One is replaced once.
CREATE UNIQUE INDEX attestation_replaced ON attestation (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX attestation_debtor ON attestation (debtor_id, year);
CREATE INDEX attestation_registration ON attestation (registration_id) WHERE registration_id IS NOT NULL;
CREATE TRIGGER attestation_append_only BEFORE UPDATE OR DELETE ON attestation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attestation_no_truncate BEFORE TRUNCATE ON attestation EXECUTE FUNCTION refuse_change();

-- The drawn document, the same bytes for ever; sealed, as it shows national numbers.
CREATE TABLE attestation_file (
  attestation_id uuid PRIMARY KEY REFERENCES attestation,
  sealed         bytea NOT NULL,
  sha256         bytea NOT NULL, -- of the document itself
  created_at     timestamptz NOT NULL
);
CREATE TRIGGER attestation_file_append_only BEFORE UPDATE OR DELETE ON attestation_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attestation_file_no_truncate BEFORE TRUNCATE ON attestation_file EXECUTE FUNCTION refuse_change();

-- Each file that was made for Belcotax-on-web, with the attestations in it; sealed, as it holds national numbers.
CREATE TABLE belcotax_file (
  id           uuid PRIMARY KEY,
  year         int NOT NULL,
  corrects     boolean NOT NULL, -- holds what changed since the file that was sent
  test         boolean NOT NULL,
  attestations uuid[] NOT NULL,
  total_cents  bigint NOT NULL,
  sealed       bytea NOT NULL,
  sha256       bytea NOT NULL,
  actor        text NOT NULL,
  created_at   timestamptz NOT NULL
);
CREATE INDEX belcotax_file_year ON belcotax_file (year, created_at);
CREATE TRIGGER belcotax_file_append_only BEFORE UPDATE OR DELETE ON belcotax_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER belcotax_file_no_truncate BEFORE TRUNCATE ON belcotax_file EXECUTE FUNCTION refuse_change();

-- Staff say which of these files Belcotax-on-web has taken: what follows is a correction of it.
CREATE TABLE belcotax_sending (
  file_id   uuid PRIMARY KEY REFERENCES belcotax_file,
  reference text NOT NULL, -- that Belcotax-on-web gave
  actor     text NOT NULL,
  sent_at   timestamptz NOT NULL
);
CREATE TRIGGER belcotax_sending_append_only BEFORE UPDATE OR DELETE ON belcotax_sending FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER belcotax_sending_no_truncate BEFORE TRUNCATE ON belcotax_sending EXECUTE FUNCTION refuse_change();

-- What the tax reduction counts at most per day and child, by year of payment; staff add the years to come. It never
-- lowers an attestation, it only says when the daily tariff must be printed.
CREATE TABLE fiscal_maximum (
  year  int PRIMARY KEY CONSTRAINT fiscal_maximum_year CHECK (year BETWEEN 2000 AND 2100),
  cents bigint NOT NULL CONSTRAINT fiscal_maximum_cents CHECK (cents > 0)
);
INSERT INTO fiscal_maximum (year, cents)
VALUES (2019, 1120), (2020, 1300), (2021, 1370), (2022, 1440), (2023, 1570), (2024, 1640);

-- The forms of health funds that staff brought, with which of our values goes into which of their fields.
CREATE TABLE fund_form (
  id          uuid PRIMARY KEY,
  name        text NOT NULL,
  pdf         bytea NOT NULL,
  sha256      bytea NOT NULL,
  fields      jsonb NOT NULL DEFAULT '{}', -- by name of the form's field
  actor       text NOT NULL,
  created_at  timestamptz NOT NULL,
  retired_at  timestamptz
);

-- +goose Down
DROP TABLE fund_form, fiscal_maximum, belcotax_sending, belcotax_file, attestation_file, attestation, child_handicap;
ALTER TABLE guardian DROP COLUMN national_number;
