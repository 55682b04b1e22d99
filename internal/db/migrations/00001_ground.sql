-- What every room stands on: settings, tasks, the audit, the schedule, and the guard of append-only tables.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd

CREATE TABLE setting (
  key        text PRIMARY KEY,
  value      text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL DEFAULT now(),
  actor_kind   text NOT NULL CONSTRAINT audit_actor_kind CHECK (actor_kind IN ('account', 'job', 'odoo', 'provider', 'command')),
  actor_id     text NOT NULL,
  action       text NOT NULL,
  subject_kind text NOT NULL,
  subject_id   text NOT NULL,
  detail       jsonb NOT NULL DEFAULT '{}'
);
-- A camp's or a child's history is read by subject, newest first.
CREATE INDEX audit_subject ON audit (subject_kind, subject_id, id DESC);
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit EXECUTE FUNCTION refuse_change();

CREATE TABLE task (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind         text NOT NULL,
  subject_kind text NOT NULL,
  subject_id   text NOT NULL,
  detail       jsonb NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL DEFAULT now(),
  done_at      timestamptz,
  done_by      text
);
-- One open task per matter: what happens again refreshes it instead of adding to the pile.
CREATE UNIQUE INDEX task_open ON task (kind, subject_kind, subject_id) WHERE done_at IS NULL;
CREATE INDEX task_open_age ON task (created_at) WHERE done_at IS NULL;

CREATE TABLE schedule (
  name          text PRIMARY KEY,
  enabled       boolean NOT NULL DEFAULT true,
  last_slot     timestamptz,
  last_fired_at timestamptz,
  last_outcome  text
);

CREATE TABLE schedule_fire (
  name     text NOT NULL,
  slot     timestamptz NOT NULL,
  fired_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, slot)
);

-- +goose Down
DROP TABLE schedule_fire;
DROP TABLE schedule;
DROP TABLE task;
DROP TABLE audit;
DROP TABLE setting;
DROP FUNCTION refuse_change();
