-- One invoice for what an organisation pays in a month, and sealing what is kept again with a new key.

-- +goose Up
-- An invoice over several dues of one payer, under a communication of its own. Its row in invoice names the first of them.
CREATE TABLE invoice_group (
  invoice_id    uuid PRIMARY KEY REFERENCES invoice,
  month         date NOT NULL CONSTRAINT invoice_group_month CHECK (extract(day FROM month) = 1),
  communication char(12) NOT NULL UNIQUE
);
CREATE TABLE invoice_part (
  invoice_id      uuid NOT NULL REFERENCES invoice_group,
  position        int NOT NULL,
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  cents           bigint NOT NULL CONSTRAINT invoice_part_cents CHECK (cents > 0),
  PRIMARY KEY (invoice_id, position),
  UNIQUE (invoice_id, due_id)
);
CREATE INDEX invoice_part_due ON invoice_part (due_id);
CREATE TRIGGER invoice_group_append_only BEFORE UPDATE OR DELETE ON invoice_group FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_group_no_truncate BEFORE TRUNCATE ON invoice_group EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_part_append_only BEFORE UPDATE OR DELETE ON invoice_part FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_part_no_truncate BEFORE TRUNCATE ON invoice_part EXECUTE FUNCTION refuse_change();

-- What each invoice asks on each due.
CREATE VIEW invoice_split AS
SELECT invoice_id, position, due_id, registration_id, cents
FROM invoice_part
UNION ALL
SELECT i.id, 0, i.due_id, i.registration_id, i.total_cents
FROM invoice i
WHERE NOT EXISTS (SELECT 1 FROM invoice_part p WHERE p.invoice_id = i.id);

-- A movement of the bank that pays several dues: the others than bank_entry.due_id, each with the key of its line in the
-- ledger. They go with the match.
CREATE TABLE bank_entry_part (
  entry_id    uuid NOT NULL REFERENCES bank_entry,
  position    int NOT NULL,
  due_id      uuid NOT NULL REFERENCES due,
  cents       bigint NOT NULL CONSTRAINT bank_entry_part_cents CHECK (cents > 0),
  booking_key uuid NOT NULL UNIQUE,
  undone_at   timestamptz,
  PRIMARY KEY (entry_id, booking_key)
);
CREATE INDEX bank_entry_part_due ON bank_entry_part (due_id);
CREATE TRIGGER bank_entry_part_as_written BEFORE UPDATE OF entry_id, position, due_id, cents, booking_key ON bank_entry_part
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_entry_part_no_delete BEFORE DELETE ON bank_entry_part FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_entry_part_no_truncate BEFORE TRUNCATE ON bank_entry_part EXECUTE FUNCTION refuse_change();

-- The one change that a sealed, append-only table takes: the same value under another key. It is let through in a
-- transaction that says so (SET LOCAL ribambelle.reseal = 'on'), and only where everything but the sealed values, whose
-- paths in the row are the arguments, stays as it was; a value neither comes nor goes.
-- +goose StatementBegin
CREATE FUNCTION refuse_change_but_reseal() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  before jsonb;
  after  jsonb;
  path   text[];
BEGIN
  IF TG_OP = 'UPDATE' AND current_setting('ribambelle.reseal', true) = 'on' THEN
    before := to_jsonb(OLD);
    after := to_jsonb(NEW);
    FOR i IN 0 .. TG_NARGS - 1 LOOP
      path := TG_ARGV[i]::text[];
      IF COALESCE(jsonb_typeof(before #> path), '') = COALESCE(jsonb_typeof(after #> path), '') THEN
        before := before #- path;
        after := after #- path;
      END IF;
    END LOOP;
    IF before = after THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
DROP TRIGGER medical_sheet_append_only ON medical_sheet;
DROP TRIGGER attestation_append_only ON attestation;
DROP TRIGGER attestation_file_append_only ON attestation_file;
DROP TRIGGER belcotax_file_append_only ON belcotax_file;
CREATE TRIGGER medical_sheet_append_only BEFORE UPDATE OR DELETE ON medical_sheet
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_reseal('{sealed}');
CREATE TRIGGER attestation_append_only BEFORE UPDATE OR DELETE ON attestation
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_reseal('{content,Debtor,Number}', '{content,Child,Number}');
CREATE TRIGGER attestation_file_append_only BEFORE UPDATE OR DELETE ON attestation_file
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_reseal('{sealed}');
CREATE TRIGGER belcotax_file_append_only BEFORE UPDATE OR DELETE ON belcotax_file
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_reseal('{sealed}');

-- +goose Down
DROP TRIGGER medical_sheet_append_only ON medical_sheet;
DROP TRIGGER attestation_append_only ON attestation;
DROP TRIGGER attestation_file_append_only ON attestation_file;
DROP TRIGGER belcotax_file_append_only ON belcotax_file;
CREATE TRIGGER medical_sheet_append_only BEFORE UPDATE OR DELETE ON medical_sheet FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attestation_append_only BEFORE UPDATE OR DELETE ON attestation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attestation_file_append_only BEFORE UPDATE OR DELETE ON attestation_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER belcotax_file_append_only BEFORE UPDATE OR DELETE ON belcotax_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_change_but_reseal();
DROP TABLE bank_entry_part;
DROP VIEW invoice_split;
DROP TABLE invoice_part, invoice_group;
