-- Accounts, families, children and the medical sheet.

-- +goose Up
CREATE TABLE account (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email         text NOT NULL,
  name          text NOT NULL,
  password_hash text NOT NULL,
  roles         text[] NOT NULL DEFAULT '{}'
                CONSTRAINT account_roles CHECK (roles <@ ARRAY['agent', 'finance', 'leader', 'coordinator', 'organiser', 'administrator']),
  locale        text NOT NULL DEFAULT 'fr',
  confirmed_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_email ON account (lower(email));

-- A code that was mailed: the link carries an HMAC of the id, so no token stands in the database.
CREATE TABLE account_code (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
  purpose    text NOT NULL CONSTRAINT account_code_purpose CHECK (purpose IN ('confirm', 'reset', 'known')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX account_code_account ON account_code (account_id);

CREATE TABLE user_session (
  token_hash bytea PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  device     text NOT NULL DEFAULT ''
);
CREATE INDEX user_session_account ON user_session (account_id);
CREATE INDEX user_session_expiry ON user_session (expires_at);

-- Failed sign-ins by hash of the e-mail and of the address, counted over a window.
CREATE TABLE sign_in_failure (
  key_hash bytea NOT NULL,
  at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failure_key ON sign_in_failure (key_hash, at);

CREATE TABLE household (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE guardian (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  household_id     uuid NOT NULL REFERENCES household,
  account_id       uuid UNIQUE REFERENCES account,
  kind             text NOT NULL DEFAULT 'person' CONSTRAINT guardian_kind CHECK (kind IN ('person', 'organisation')),
  first_name       text NOT NULL,
  last_name        text NOT NULL,
  email            text NOT NULL DEFAULT '',
  phone            text NOT NULL DEFAULT '',
  street           text NOT NULL DEFAULT '',
  postcode         text NOT NULL DEFAULT '',
  city             text NOT NULL DEFAULT '',
  channel          text NOT NULL DEFAULT 'email' CONSTRAINT guardian_channel CHECK (channel IN ('email', 'sms', 'post', 'phone')),
  -- version grows with every change; what Odoo knows of it is mirrored_version.
  version          bigint NOT NULL DEFAULT 1,
  mirrored_version bigint NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX guardian_household ON guardian (household_id);
CREATE INDEX guardian_unmirrored ON guardian (id) WHERE version > mirrored_version;

CREATE TABLE child (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  first_name      text NOT NULL,
  last_name       text NOT NULL,
  birth_date      date NOT NULL,
  national_number bytea, -- sealed
  interests       text[] NOT NULL DEFAULT '{}',
  submission_key  uuid NOT NULL UNIQUE,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now()
);

-- A child may belong to two families.
CREATE TABLE household_child (
  household_id uuid NOT NULL REFERENCES household,
  child_id     uuid NOT NULL REFERENCES child,
  PRIMARY KEY (household_id, child_id)
);
CREATE INDEX household_child_child ON household_child (child_id);

-- The school level in the school year that starts in school_year; other years are computed from the nearest one.
CREATE TABLE child_level (
  child_id    uuid NOT NULL REFERENCES child,
  school_year int NOT NULL,
  level       text NOT NULL,
  source      text NOT NULL DEFAULT 'declared' CONSTRAINT child_level_source CHECK (source IN ('declared', 'verified')),
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (child_id, school_year)
);

CREATE TABLE guardianship (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  guardian_id uuid NOT NULL REFERENCES guardian,
  child_id    uuid NOT NULL REFERENCES child,
  basis       text NOT NULL CONSTRAINT guardianship_basis CHECK (basis IN ('parental_authority', 'court_order', 'placement', 'foster_care', 'step_parent', 'other')),
  rights      text[] NOT NULL
              CONSTRAINT guardianship_rights CHECK (rights <@ ARRAY['see', 'register', 'pay', 'cancel', 'refund', 'medical', 'documents', 'pick_up', 'messages']),
  proof       text NOT NULL DEFAULT '',
  valid_from  date NOT NULL,
  valid_until date,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT guardianship_dates CHECK (valid_until IS NULL OR valid_until >= valid_from)
);
CREATE UNIQUE INDEX guardianship_pair ON guardianship (guardian_id, child_id) WHERE valid_until IS NULL;
CREATE INDEX guardianship_child ON guardianship (child_id);
-- The children of a guardian, ended guardianships too: guardianship_pair holds the open ones only.
CREATE INDEX guardianship_guardian ON guardianship (guardian_id);

-- Each save is a new version; the newest counts. The values are sealed, their reader is logged in medical_access.
CREATE TABLE medical_sheet (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  child_id   uuid NOT NULL REFERENCES child,
  version    int NOT NULL,
  sealed     bytea NOT NULL,
  account_id uuid NOT NULL REFERENCES account,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (child_id, version)
);
CREATE TRIGGER medical_sheet_append_only BEFORE UPDATE OR DELETE ON medical_sheet FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER medical_sheet_no_truncate BEFORE TRUNCATE ON medical_sheet EXECUTE FUNCTION refuse_change();

-- Saving a sheet confirms it; « rien n'a changé » confirms it again without a new version.
CREATE TABLE medical_confirmation (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  child_id   uuid NOT NULL REFERENCES child,
  sheet_id   uuid NOT NULL REFERENCES medical_sheet,
  account_id uuid NOT NULL REFERENCES account,
  at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX medical_confirmation_child ON medical_confirmation (child_id, at DESC);
CREATE TRIGGER medical_confirmation_append_only BEFORE UPDATE OR DELETE ON medical_confirmation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER medical_confirmation_no_truncate BEFORE TRUNCATE ON medical_confirmation EXECUTE FUNCTION refuse_change();

CREATE TABLE medical_access (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  child_id uuid NOT NULL REFERENCES child,
  actor    text NOT NULL,
  purpose  text NOT NULL,
  at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX medical_access_child ON medical_access (child_id, at DESC);
CREATE TRIGGER medical_access_append_only BEFORE UPDATE OR DELETE ON medical_access FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER medical_access_no_truncate BEFORE TRUNCATE ON medical_access EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE medical_access, medical_confirmation, medical_sheet, guardianship, child_level, household_child, child, guardian, household,
  sign_in_failure, user_session, account_code, account;
