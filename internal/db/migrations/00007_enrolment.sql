-- Seasons, audiences, rules between camps, options, baskets, derogations, cancellation fees and the queue of the opening.

-- +goose Up
CREATE TABLE season (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name           text NOT NULL,
  first_day      date NOT NULL,
  last_day       date NOT NULL,
  most_per_child int CONSTRAINT season_most CHECK (most_per_child > 0), -- NULL: as many camps as wanted
  CONSTRAINT season_days CHECK (last_day >= first_day)
);

-- When a camp opens, and for whom. Without a row it opens as camp.opens_at says, for everyone.
CREATE TABLE camp_audience (
  camp_id  uuid NOT NULL REFERENCES camp,
  audience text NOT NULL CONSTRAINT camp_audience_audience CHECK (audience IN ('resident', 'everyone')),
  opens_at timestamptz NOT NULL,
  PRIMARY KEY (camp_id, audience)
);

-- A camp that asks for another one, or that excludes it.
CREATE TABLE camp_rule (
  camp_id  uuid NOT NULL REFERENCES camp,
  kind     text NOT NULL CONSTRAINT camp_rule_kind CHECK (kind IN ('requires', 'excludes')),
  other_id uuid NOT NULL REFERENCES camp,
  PRIMARY KEY (camp_id, kind, other_id),
  CONSTRAINT camp_rule_other CHECK (other_id <> camp_id)
);

ALTER TABLE camp
  DROP CONSTRAINT camp_decision,
  ADD CONSTRAINT camp_decision CHECK (decision IN ('manual', 'automatic', 'pay_first')),
  ADD COLUMN min_gap int NOT NULL DEFAULT 0 CONSTRAINT camp_min_gap CHECK (min_gap BETWEEN 0 AND 600), -- minutes between two sessions of a child
  ADD COLUMN derogations boolean NOT NULL DEFAULT true, -- a family may ask for an exception
  -- Until when a family may cancel by itself: that many days before the first session, at that minute of the day.
  ADD COLUMN leave_days int NOT NULL DEFAULT 7 CONSTRAINT camp_leave_days CHECK (leave_days BETWEEN 0 AND 90),
  ADD COLUMN leave_working boolean NOT NULL DEFAULT false, -- count working days
  ADD COLUMN leave_minute int NOT NULL DEFAULT 1200 CONSTRAINT camp_leave_minute CHECK (leave_minute BETWEEN 0 AND 1439);

CREATE TABLE camp_option (
  id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  camp_id   uuid NOT NULL REFERENCES camp,
  name      text NOT NULL,
  cents     bigint NOT NULL CONSTRAINT camp_option_cents CHECK (cents >= 0),
  fiscal    boolean NOT NULL DEFAULT false, -- counts for the 281.86 (care does, meals and material do not)
  until     timestamptz,
  position  int NOT NULL DEFAULT 0,
  withdrawn boolean NOT NULL DEFAULT false,
  pool_id   uuid NOT NULL UNIQUE REFERENCES pool
);
CREATE INDEX camp_option_camp ON camp_option (camp_id);

CREATE TABLE registration_option (
  registration_id uuid NOT NULL REFERENCES registration,
  option_id       uuid NOT NULL REFERENCES camp_option,
  PRIMARY KEY (registration_id, option_id)
);

ALTER TABLE registration
  ADD COLUMN without_bus boolean NOT NULL DEFAULT false, -- the place counts more than the bus
  ADD COLUMN derogation text NOT NULL DEFAULT '', -- what the family asks, in its words
  ADD COLUMN together_id uuid; -- siblings who go all or none
CREATE INDEX registration_together ON registration (together_id) WHERE together_id IS NOT NULL;

-- Staff let a registration pass a rule; it then holds for promotion and payment too.
CREATE TABLE registration_override (
  registration_id uuid NOT NULL REFERENCES registration,
  rule            text NOT NULL,
  reason          text NOT NULL,
  account_id      uuid NOT NULL REFERENCES account,
  at              timestamptz NOT NULL,
  PRIMARY KEY (registration_id, rule)
);
CREATE TRIGGER registration_override_append_only BEFORE UPDATE OR DELETE ON registration_override FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER registration_override_no_truncate BEFORE TRUNCATE ON registration_override EXECUTE FUNCTION refuse_change();

-- What staff did in a family's name: who asked, and how they agreed.
CREATE TABLE registration_consent (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  registration_id uuid NOT NULL REFERENCES registration,
  action          text NOT NULL,
  guardian_id     uuid NOT NULL REFERENCES guardian,
  how             text NOT NULL CONSTRAINT registration_consent_how CHECK (how IN ('signature', 'code', 'phone', 'in_person')),
  account_id      uuid NOT NULL REFERENCES account,
  at              timestamptz NOT NULL
);
CREATE INDEX registration_consent_registration ON registration_consent (registration_id);
CREATE TRIGGER registration_consent_append_only BEFORE UPDATE OR DELETE ON registration_consent FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER registration_consent_no_truncate BEFORE TRUNCATE ON registration_consent EXECUTE FUNCTION refuse_change();

-- A line prepared before the opening. Its id is the submission key of the registration it becomes.
CREATE TABLE basket_line (
  id           uuid PRIMARY KEY,
  guardian_id  uuid NOT NULL REFERENCES guardian,
  child_id     uuid NOT NULL REFERENCES child,
  camp_id      uuid NOT NULL REFERENCES camp,
  ticket_id    uuid REFERENCES ticket,
  stop_out_id  uuid REFERENCES bus_stop,
  stop_back_id uuid REFERENCES bus_stop,
  options      uuid[] NOT NULL DEFAULT '{}',
  without_bus  boolean NOT NULL DEFAULT false,
  derogation   text NOT NULL DEFAULT '',
  remark       text NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL,
  UNIQUE (guardian_id, child_id, camp_id)
);

-- The regulation's ladder: leaving fewer than days_before days before the first session costs percent of the price.
CREATE TABLE cancel_fee (
  days_before int PRIMARY KEY CONSTRAINT cancel_fee_days CHECK (days_before BETWEEN 0 AND 365),
  percent     int NOT NULL CONSTRAINT cancel_fee_percent CHECK (percent BETWEEN 0 AND 100)
);

-- Who waits for a turn in the rush, in order of arrival.
CREATE UNLOGGED TABLE waiting_turn (
  id         uuid PRIMARY KEY,
  arrived_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  served_at  timestamptz
);
CREATE INDEX waiting_turn_arrival ON waiting_turn (arrived_at, id) WHERE served_at IS NULL;

-- +goose Down
DROP TABLE waiting_turn, cancel_fee, basket_line, registration_consent, registration_override;
ALTER TABLE registration
  DROP COLUMN without_bus,
  DROP COLUMN derogation,
  DROP COLUMN together_id;
DROP TABLE registration_option, camp_option, camp_rule, camp_audience, season;
UPDATE camp
SET decision = 'manual'
WHERE decision = 'pay_first';
ALTER TABLE camp
  DROP CONSTRAINT camp_decision,
  ADD CONSTRAINT camp_decision CHECK (decision IN ('manual', 'automatic')),
  DROP COLUMN min_gap,
  DROP COLUMN derogations,
  DROP COLUMN leave_days,
  DROP COLUMN leave_working,
  DROP COLUMN leave_minute;
