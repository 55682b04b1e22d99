-- A parent agrees on the portal to what the other one asked.

-- +goose Up
ALTER TABLE registration_consent
  DROP CONSTRAINT registration_consent_how,
  ADD CONSTRAINT registration_consent_how CHECK (how IN ('signature', 'code', 'phone', 'in_person', 'online'));
CREATE UNIQUE INDEX registration_consent_agreed ON registration_consent (registration_id, guardian_id) WHERE action = 'agree';

-- +goose Down
DROP INDEX registration_consent_agreed;
-- What was kept stays, as nothing may change it; the check holds for what follows.
ALTER TABLE registration_consent
  DROP CONSTRAINT registration_consent_how,
  ADD CONSTRAINT registration_consent_how CHECK (how IN ('signature', 'code', 'phone', 'in_person')) NOT VALID;
