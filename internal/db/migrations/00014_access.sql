-- Accounts that rest on a mobile number, codes that are mailed or handed over at the counter, who signed in when, on
-- what a school level was seen, and what a line of a registration's history says beside a change of state.

-- +goose Up
ALTER TABLE account
  ALTER COLUMN email DROP NOT NULL,
  ADD COLUMN phone text CONSTRAINT account_phone_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
  ADD CONSTRAINT account_reached CHECK (email IS NOT NULL OR phone IS NOT NULL);
CREATE UNIQUE INDEX account_phone ON account (phone);

ALTER TABLE family_code
  DROP CONSTRAINT family_code_kind,
  ADD CONSTRAINT family_code_kind CHECK (kind IN ('join', 'claim', 'reset')),
  ADD COLUMN mailed_at timestamptz; -- when its link was last asked to be mailed

-- What the owner of an account reads: when and on what device somebody signed in.
CREATE TABLE sign_in (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
  at         timestamptz NOT NULL,
  device     text NOT NULL DEFAULT ''
);
CREATE INDEX sign_in_account ON sign_in (account_id, at DESC);
-- The nightly sweep removes the oldest.
CREATE INDEX sign_in_at ON sign_in (at);

ALTER TABLE child_level
  ADD COLUMN proof text NOT NULL DEFAULT '', -- the document that staff saw
  ADD COLUMN seen_on date;                   -- when

ALTER TABLE registration_event
  ADD COLUMN topic text NOT NULL DEFAULT '' CONSTRAINT registration_event_topic CHECK (topic IN ('', 'bus_refused'));

-- +goose Down
ALTER TABLE registration_event
  DROP COLUMN topic;
ALTER TABLE child_level
  DROP COLUMN proof,
  DROP COLUMN seen_on;
DROP TABLE sign_in;
DELETE FROM family_code WHERE kind = 'reset';
ALTER TABLE family_code
  DROP COLUMN mailed_at,
  DROP CONSTRAINT family_code_kind,
  ADD CONSTRAINT family_code_kind CHECK (kind IN ('join', 'claim'));
-- Accounts without an address keep a word in its place: they signed in by the number, which goes.
UPDATE account SET email = phone WHERE email IS NULL;
DROP INDEX account_phone;
ALTER TABLE account
  DROP CONSTRAINT account_reached,
  DROP COLUMN phone,
  ALTER COLUMN email SET NOT NULL;
