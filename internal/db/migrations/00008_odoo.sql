-- What both sides say of each other: adopted rows, changes that Odoo must see, differences, and commands of staff.

-- +goose Up
ALTER TABLE odoo_link
  ADD COLUMN adopted boolean NOT NULL DEFAULT false; -- made in Odoo by someone else: loaded by its own id alone
ALTER TABLE odoo_cursor
  ADD COLUMN digest bytea; -- of what is read whole at each pull (tags, types, stages), to see any change of it
ALTER TABLE odoo_external
  ADD COLUMN email text NOT NULL DEFAULT '', -- what staff need to recognise a family
  ADD COLUMN phone text NOT NULL DEFAULT '';
ALTER TABLE odoo_refusal
  ADD COLUMN quiet boolean NOT NULL DEFAULT false; -- a draft that a full event does not take: it waits for its confirmation

-- A registration shows its child's name and its registrant's e-mail and phone in Odoo: whoever changes them, by a form,
-- an import or a merge, makes a new version of the registration.
-- +goose StatementBegin
CREATE FUNCTION registration_shows_child() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE registration SET version = version + 1 WHERE child_id = NEW.id;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER registration_shows_child AFTER UPDATE OF first_name, last_name ON child
  FOR EACH ROW WHEN ((OLD.first_name, OLD.last_name) IS DISTINCT FROM (NEW.first_name, NEW.last_name)) EXECUTE FUNCTION registration_shows_child();
-- +goose StatementBegin
CREATE FUNCTION registration_shows_guardian() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE registration SET version = version + 1 WHERE registrant_id = NEW.id;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER registration_shows_guardian AFTER UPDATE OF email, phone ON guardian
  FOR EACH ROW WHEN ((OLD.email, OLD.phone) IS DISTINCT FROM (NEW.email, NEW.phone)) EXECUTE FUNCTION registration_shows_guardian();
-- +goose StatementBegin
CREATE FUNCTION registration_shows_itself() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER registration_shows_itself BEFORE UPDATE OF child_id, registrant_id, camp_id, ticket_id ON registration
  FOR EACH ROW WHEN (OLD.version = NEW.version
    AND (OLD.child_id, OLD.registrant_id, OLD.camp_id, OLD.ticket_id) IS DISTINCT FROM (NEW.child_id, NEW.registrant_id, NEW.camp_id, NEW.ticket_id))
  EXECUTE FUNCTION registration_shows_itself();
CREATE INDEX registration_registrant ON registration (registrant_id);

-- A difference between both sides, found by comparing everything. It is solved when a later comparison no longer finds it.
CREATE TABLE odoo_drift (
  id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind      text NOT NULL CONSTRAINT odoo_drift_kind CHECK (kind IN ('registration', 'camp', 'guardian')),
  aspect    text NOT NULL, -- what differs; "drift.<aspect>" is its message key
  local_id  uuid,   -- NULL: nothing of ours
  odoo_id   bigint, -- NULL: nothing there
  here      text NOT NULL DEFAULT '',
  there     text NOT NULL DEFAULT '',
  cause     text NOT NULL CONSTRAINT odoo_drift_cause CHECK (cause IN ('odoo', 'refused', 'deleted', 'lost', 'waiting', 'unknown')),
  found_at  timestamptz NOT NULL,
  fix       text CONSTRAINT odoo_drift_fix CHECK (fix IN ('odoo', 'here')), -- which side staff let follow the other
  fix_by    uuid REFERENCES account,
  failure   text NOT NULL DEFAULT '', -- why the fix did not succeed: a message key
  solved_at timestamptz
);
CREATE UNIQUE INDEX odoo_drift_open ON odoo_drift (kind, aspect, local_id, odoo_id) NULLS NOT DISTINCT WHERE solved_at IS NULL;

-- What staff ask Odoo to change. Odoo owns it: here it is true when a pull brings it back.
CREATE TABLE odoo_command (
  id         uuid PRIMARY KEY, -- drawn with the form, so that a double click asks once; a new camp's external id
  kind       text NOT NULL CONSTRAINT odoo_command_kind CHECK (kind IN ('change', 'create')),
  camp_id    uuid REFERENCES camp,
  asked      jsonb NOT NULL, -- {name, begins_at, ends_at, places, description}; what is absent stays as it is
  state      text NOT NULL DEFAULT 'waiting' CONSTRAINT odoo_command_state CHECK (state IN ('waiting', 'sent', 'done', 'refused', 'overtaken')),
  reason     text NOT NULL DEFAULT '', -- message key
  message    text NOT NULL DEFAULT '', -- Odoo's own words
  odoo_id    bigint,
  account_id uuid NOT NULL REFERENCES account,
  created_at timestamptz NOT NULL,
  sent_at    timestamptz,
  ended_at   timestamptz,
  CONSTRAINT odoo_command_camp CHECK (kind = 'create' OR camp_id IS NOT NULL)
);
CREATE INDEX odoo_command_pending ON odoo_command (created_at) WHERE state IN ('waiting', 'sent');
CREATE INDEX odoo_command_of_camp ON odoo_command (camp_id, created_at);

-- +goose Down
DROP TABLE odoo_command, odoo_drift;
DROP INDEX registration_registrant;
DROP TRIGGER registration_shows_itself ON registration;
DROP TRIGGER registration_shows_guardian ON guardian;
DROP TRIGGER registration_shows_child ON child;
DROP FUNCTION registration_shows_itself();
DROP FUNCTION registration_shows_guardian();
DROP FUNCTION registration_shows_child();
ALTER TABLE odoo_refusal DROP COLUMN quiet;
ALTER TABLE odoo_external DROP COLUMN email, DROP COLUMN phone;
ALTER TABLE odoo_cursor DROP COLUMN digest;
ALTER TABLE odoo_link DROP COLUMN adopted;
