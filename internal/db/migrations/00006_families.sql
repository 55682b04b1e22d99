-- Families in full: blocks, members of organisations, codes to join or claim, addresses, doubles and imports.

-- +goose Up
-- Names without accents, case, hyphens and order, so that « Noël-Peeters Zoé » finds « zoe peeters noel ». It selects
-- candidates alone: how alike two people are is weighed in the program.
-- +goose StatementBegin
CREATE FUNCTION name_key(first_name text, last_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  SELECT coalesce(string_agg(word, ' ' ORDER BY word COLLATE "C"), '')
  FROM regexp_split_to_table(
    lower(translate(
      replace(replace(replace(replace(replace(normalize(first_name || ' ' || last_name, NFC), 'œ', 'oe'), 'Œ', 'oe'), 'æ', 'ae'), 'Æ', 'ae'), 'ß', 'ss'),
      'àâäáãåçéèêëíìîïñóòôöõøúùûüýÿšžčćğşıÀÂÄÁÃÅÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØÚÙÛÜÝŸŠŽČĆĞŞİ''’',
      'aaaaaaceeeeiiiinoooooouuuuyyszccgsiaaaaaaceeeeiiiinoooooouuuuyyszccgsi') COLLATE "C"),
    '[^[:alnum:]]+') AS word
  WHERE word <> ''
);
-- +goose StatementEnd

-- merged_into: a double that was merged stays as a pointer, so that old ids resolve and append-only rows keep their child.
ALTER TABLE child
  ADD COLUMN name_key text NOT NULL GENERATED ALWAYS AS (name_key(first_name, last_name)) STORED,
  ADD COLUMN merged_into uuid REFERENCES child;
ALTER TABLE guardian
  ADD COLUMN name_key text NOT NULL GENERATED ALWAYS AS (name_key(first_name, last_name)) STORED,
  ADD COLUMN merged_into uuid REFERENCES guardian;
-- Doubles are looked for at every entry, by name, birth date, telephone and e-mail.
CREATE INDEX child_name_key ON child (name_key);
CREATE INDEX child_birth_date ON child (birth_date);
CREATE INDEX guardian_name_key ON guardian (name_key);
CREATE INDEX guardian_phone ON guardian (phone) WHERE phone <> '';
CREATE INDEX guardian_email ON guardian (lower(email)) WHERE email <> '';

-- A guardian may let the other guardians of a child see how to reach it.
ALTER TABLE guardianship
  ADD COLUMN shares_contact boolean NOT NULL DEFAULT false;

-- A block hides a child from a guardian whatever was granted. It ends when a person lifts it, never by itself:
-- decided_until is the end that the decision names, and becomes a task.
CREATE TABLE guardianship_block (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  guardian_id   uuid NOT NULL REFERENCES guardian,
  child_id      uuid NOT NULL REFERENCES child,
  decision      text NOT NULL CONSTRAINT guardianship_block_decision CHECK (decision <> ''), -- its reference, never its content
  valid_from    date NOT NULL,
  decided_until date NOT NULL,
  lifted_on     date, -- the first day on which it no longer holds
  lift_reason   text NOT NULL DEFAULT '',
  created_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT guardianship_block_dates CHECK (decided_until >= valid_from)
);
CREATE UNIQUE INDEX guardianship_block_open ON guardianship_block (guardian_id, child_id) WHERE lifted_on IS NULL;
CREATE INDEX guardianship_block_child ON guardianship_block (child_id);

-- Who signs in for an organisation that is a guardian.
CREATE TABLE guardian_member (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  guardian_id uuid NOT NULL REFERENCES guardian,
  account_id  uuid NOT NULL REFERENCES account,
  valid_from  date NOT NULL,
  valid_until date,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT guardian_member_dates CHECK (valid_until IS NULL OR valid_until >= valid_from)
);
CREATE UNIQUE INDEX guardian_member_open ON guardian_member (guardian_id, account_id) WHERE valid_until IS NULL;
CREATE INDEX guardian_member_account ON guardian_member (account_id);

-- A code that another adult types in: to join children, or to claim a guardian that the commune entered. What is typed
-- is derived from number and id with a key, so no code stands in the database.
CREATE TABLE family_code (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number       bigint NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
  kind         text NOT NULL CONSTRAINT family_code_kind CHECK (kind IN ('join', 'claim')),
  guardian_id  uuid NOT NULL REFERENCES guardian, -- who invites, or who is claimed
  child_ids    uuid[] NOT NULL DEFAULT '{}',
  basis        text NOT NULL DEFAULT '',
  rights       text[] NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  cancelled_at timestamptz,
  used_at      timestamptz,
  used_by      uuid REFERENCES guardian
);
CREATE INDEX family_code_guardian ON family_code (guardian_id);

-- Codes that were typed wrongly, by hash of the account and of the address.
CREATE TABLE family_code_try (
  key_hash bytea NOT NULL,
  at       timestamptz NOT NULL
);
CREATE INDEX family_code_try_key ON family_code_try (key_hash, at);

-- Where a child is registered, as a file of the population register said on a day. What guardians declare stands with them.
CREATE TABLE child_address (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  child_id    uuid NOT NULL REFERENCES child,
  street      text NOT NULL,
  postcode    text NOT NULL,
  city        text NOT NULL,
  source      text NOT NULL, -- name of the file
  valid_from  date NOT NULL, -- the day of the file
  valid_until date,          -- the day before a newer file said otherwise
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX child_address_open ON child_address (child_id) WHERE valid_until IS NULL;
CREATE INDEX child_address_child ON child_address (child_id, valid_from);

-- Two rows that may be one person. « deux personnes distinctes » is kept for good.
CREATE TABLE duplicate (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind       text NOT NULL CONSTRAINT duplicate_kind CHECK (kind IN ('child', 'guardian')),
  a_id       uuid NOT NULL,
  b_id       uuid NOT NULL,
  score      int NOT NULL,
  reasons    text[] NOT NULL,
  state      text NOT NULL DEFAULT 'open' CONSTRAINT duplicate_state CHECK (state IN ('open', 'distinct', 'merged')),
  found_at   timestamptz NOT NULL,
  decided_at timestamptz,
  decided_by text NOT NULL DEFAULT '',
  CONSTRAINT duplicate_order CHECK (a_id < b_id),
  UNIQUE (kind, a_id, b_id)
);
CREATE INDEX duplicate_open ON duplicate (found_at) WHERE state = 'open';
CREATE INDEX duplicate_b ON duplicate (kind, b_id);

-- The commune's own numbers of families and children: an import finds again what it entered.
CREATE TABLE family_ref (
  kind     text NOT NULL CONSTRAINT family_ref_kind CHECK (kind IN ('guardian', 'child')),
  ref      text NOT NULL,
  local_id uuid NOT NULL,
  PRIMARY KEY (kind, ref)
);
CREATE INDEX family_ref_local ON family_ref (local_id);

-- A file that staff sent in, with what came of each line. Both files are sealed, and removed after some weeks.
CREATE TABLE family_import (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind       text NOT NULL CONSTRAINT family_import_kind CHECK (kind IN ('families', 'register')),
  file_name  text NOT NULL,
  as_of      date NOT NULL, -- the day for which the file speaks
  account_id uuid NOT NULL REFERENCES account,
  dry        boolean NOT NULL,
  counts     jsonb NOT NULL,
  source     bytea NOT NULL,
  result     bytea NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX family_import_created ON family_import (created_at);

-- +goose Down
DROP TABLE family_import, family_ref, duplicate, child_address, family_code_try, family_code, guardian_member, guardianship_block;
ALTER TABLE guardianship DROP COLUMN shares_contact;
ALTER TABLE guardian DROP COLUMN merged_into, DROP COLUMN name_key;
ALTER TABLE child DROP COLUMN merged_into, DROP COLUMN name_key;
DROP FUNCTION name_key(text, text);
