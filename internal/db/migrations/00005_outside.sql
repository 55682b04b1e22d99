-- What leaves the house and what comes from Odoo: links, cursors, outside registrations; reminder rules and messages.

-- +goose Up
CREATE TABLE odoo_link (
  model    text NOT NULL,
  odoo_id  bigint NOT NULL,
  kind     text NOT NULL CONSTRAINT odoo_link_kind CHECK (kind IN ('camp', 'ticket', 'registration', 'guardian')),
  local_id uuid NOT NULL,
  digest   bytea, -- of what was last applied here, so that an unchanged record costs nothing
  made_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model, odoo_id),
  UNIQUE (kind, local_id)
);

CREATE TABLE odoo_cursor (
  model      text PRIMARY KEY,
  changed_at timestamptz, -- newest write_date seen, as Odoo shows it
  pulled_at  timestamptz, -- last pull that ended well
  swept_at   timestamptz  -- last comparison of all ids
);

-- A registration that someone made in Odoo itself: it takes a place that is not ours.
CREATE TABLE odoo_external (
  odoo_id   bigint PRIMARY KEY,
  camp_id   uuid NOT NULL REFERENCES camp,
  ticket_id uuid REFERENCES ticket,
  name      text NOT NULL,
  state     text NOT NULL,
  seen_at   timestamptz NOT NULL
);
CREATE INDEX odoo_external_camp ON odoo_external (camp_id);

-- What Odoo does not take: not sent again until it changes here or staff ask for it.
CREATE TABLE odoo_refusal (
  kind       text NOT NULL CONSTRAINT odoo_refusal_kind CHECK (kind IN ('registration', 'guardian')),
  local_id   uuid NOT NULL,
  version    bigint NOT NULL,
  message    text NOT NULL,
  refused_at timestamptz NOT NULL,
  PRIMARY KEY (kind, local_id)
);

CREATE TABLE reminder_rule (
  code       text PRIMARY KEY,
  trigger    text NOT NULL CONSTRAINT reminder_rule_trigger CHECK (trigger IN ('sheet_stale', 'camp_soon', 'payment_due')),
  first_days int NOT NULL CONSTRAINT reminder_rule_first CHECK (first_days BETWEEN 1 AND 365), -- days before the camp (or the due date)
  every_days int NOT NULL CONSTRAINT reminder_rule_every CHECK (every_days BETWEEN 1 AND 365),
  at_most    int NOT NULL CONSTRAINT reminder_rule_most CHECK (at_most BETWEEN 1 AND 50),
  enabled    boolean NOT NULL DEFAULT true,
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO reminder_rule (code, trigger, first_days, every_days, at_most)
VALUES
  ('fiche-medicale', 'sheet_stale', 30, 7, 5),
  ('stage-bientot', 'camp_soon', 3, 3, 1),
  ('paiement', 'payment_due', 3, 2, 2);

-- A mail to one person about one thing. (template, subject, recipient, slot) is computed, so it is enqueued exactly once.
CREATE TABLE message (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  template   text NOT NULL,
  rule_code  text REFERENCES reminder_rule,
  subject_id text NOT NULL, -- the registration, registration event, invoice or account code that it is about
  recipient  text NOT NULL, -- guardian:<id> or account:<id>; the address is read at sending
  slot       timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  sent_at    timestamptz,
  dropped_at timestamptz, -- no longer wanted when its turn came
  failed_at  timestamptz,
  failure    text NOT NULL DEFAULT '',
  UNIQUE (template, subject_id, recipient, slot)
);
CREATE INDEX message_unsent ON message (created_at) WHERE sent_at IS NULL AND dropped_at IS NULL AND failed_at IS NULL;

-- +goose Down
DROP TABLE message, reminder_rule, odoo_refusal, odoo_external, odoo_cursor, odoo_link;
