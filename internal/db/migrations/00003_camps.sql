-- Camps as Odoo's events adapted, their capacity and their bus.

-- +goose Up
CREATE TABLE camp (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- What Odoo owns: written by the pull alone.
  name         text NOT NULL,
  description  text NOT NULL DEFAULT '', -- sanitised HTML
  location     text NOT NULL DEFAULT '',
  begins_at    timestamptz NOT NULL,
  ends_at      timestamptz NOT NULL,
  zone         text NOT NULL DEFAULT 'Europe/Brussels',
  tag_levels   text[] NOT NULL DEFAULT '{}',
  tag_themes   text[] NOT NULL DEFAULT '{}',
  tag_age_min  int,
  tag_age_max  int,
  archived     boolean NOT NULL DEFAULT false,
  cancelled    boolean NOT NULL DEFAULT false,
  -- What the portal owns: its settings.
  set_levels   text[] NOT NULL DEFAULT '{}',
  set_themes   text[] NOT NULL DEFAULT '{}',
  set_age_min  int,
  set_age_max  int,
  published    boolean NOT NULL DEFAULT false,
  opens_at     timestamptz,
  closes_at    timestamptz,
  decision     text NOT NULL DEFAULT 'manual' CONSTRAINT camp_decision CHECK (decision IN ('manual', 'automatic')),
  pay_days     int NOT NULL DEFAULT 7 CONSTRAINT camp_pay_days CHECK (pay_days BETWEEN 1 AND 90),
  price_cents  bigint NOT NULL DEFAULT 0 CONSTRAINT camp_price CHECK (price_cents >= 0),
  sheet_days   int NOT NULL DEFAULT 180 CONSTRAINT camp_sheet_days CHECK (sheet_days BETWEEN 1 AND 730),
  bring        text NOT NULL DEFAULT '',
  contact      text NOT NULL DEFAULT '',
  -- What counts: the tags where the commune uses them, the settings otherwise.
  levels       text[] NOT NULL GENERATED ALWAYS AS (CASE WHEN cardinality(tag_levels) > 0 THEN tag_levels ELSE set_levels END) STORED,
  themes       text[] NOT NULL GENERATED ALWAYS AS (CASE WHEN cardinality(tag_themes) > 0 THEN tag_themes ELSE set_themes END) STORED,
  age_min      int GENERATED ALWAYS AS (CASE WHEN tag_age_min IS NULL AND tag_age_max IS NULL THEN set_age_min ELSE tag_age_min END) STORED,
  age_max      int GENERATED ALWAYS AS (CASE WHEN tag_age_min IS NULL AND tag_age_max IS NULL THEN set_age_max ELSE tag_age_max END) STORED,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT camp_dates CHECK (ends_at >= begins_at)
);
-- The catalogue reads coming camps in order of their beginning.
CREATE INDEX camp_begins ON camp (begins_at) WHERE published AND NOT archived;

CREATE TABLE camp_session (
  id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  camp_id  uuid NOT NULL REFERENCES camp,
  day      date NOT NULL,
  starts   time NOT NULL,
  ends     time NOT NULL,
  state    text NOT NULL DEFAULT 'planned' CONSTRAINT camp_session_state CHECK (state IN ('planned', 'held', 'shortened', 'cancelled')),
  reason   text NOT NULL DEFAULT '',
  by_staff boolean NOT NULL DEFAULT false,
  UNIQUE (camp_id, day, starts)
);
CREATE INDEX camp_session_day ON camp_session (day);

CREATE TABLE camp_leader (
  camp_id     uuid NOT NULL REFERENCES camp,
  account_id  uuid NOT NULL REFERENCES account,
  coordinator boolean NOT NULL DEFAULT false,
  PRIMARY KEY (camp_id, account_id)
);
CREATE INDEX camp_leader_account ON camp_leader (account_id);

-- Capacity. A grant takes a place in every pool that a request needs, or in none.
CREATE TABLE pool (
  id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  kind      text NOT NULL CONSTRAINT pool_kind CHECK (kind IN ('camp', 'ticket', 'trip', 'option')),
  max       int CONSTRAINT pool_max CHECK (max >= 0), -- NULL is unlimited
  held      int NOT NULL DEFAULT 0 CONSTRAINT pool_held CHECK (held >= 0),
  confirmed int NOT NULL DEFAULT 0 CONSTRAINT pool_confirmed CHECK (confirmed >= 0),
  external  int NOT NULL DEFAULT 0 CONSTRAINT pool_external CHECK (external >= 0),
  closed    boolean NOT NULL DEFAULT false
);

ALTER TABLE camp
  ADD COLUMN pool_id uuid NOT NULL UNIQUE REFERENCES pool;

-- A ticket of the event: a kind of place with its own price and capacity.
CREATE TABLE ticket (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  camp_id     uuid NOT NULL REFERENCES camp,
  name        text NOT NULL,
  description text NOT NULL DEFAULT '',
  odoo_cents  bigint, -- NULL when the commune's Odoo has no prices on tickets
  set_cents   bigint CONSTRAINT ticket_set_cents CHECK (set_cents >= 0),
  sale_from   timestamptz,
  sale_until  timestamptz,
  position    int NOT NULL DEFAULT 0,
  withdrawn   boolean NOT NULL DEFAULT false,
  pool_id     uuid NOT NULL UNIQUE REFERENCES pool
);
CREATE INDEX ticket_camp ON ticket (camp_id);

CREATE TABLE bus_line (
  id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name     text NOT NULL,
  seats    int NOT NULL CONSTRAINT bus_line_seats CHECK (seats > 0),
  cents    bigint NOT NULL DEFAULT 0 CONSTRAINT bus_line_cents CHECK (cents >= 0), -- price of one direction for a whole camp
  operator text NOT NULL DEFAULT '',
  phone    text NOT NULL DEFAULT ''
);

CREATE TABLE bus_stop (
  id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  line_id  uuid NOT NULL REFERENCES bus_line,
  name     text NOT NULL,
  position int NOT NULL,
  out_at   time, -- NULL: the bus does not stop here on the way to the camp
  back_at  time,
  UNIQUE (line_id, position)
);

CREATE TABLE camp_line (
  camp_id uuid NOT NULL REFERENCES camp,
  line_id uuid NOT NULL REFERENCES bus_line,
  PRIMARY KEY (camp_id, line_id)
);

-- A trip is line × date × direction, shared by every camp that the line serves that day.
CREATE TABLE trip (
  id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  line_id   uuid NOT NULL REFERENCES bus_line,
  day       date NOT NULL,
  direction text NOT NULL CONSTRAINT trip_direction CHECK (direction IN ('out', 'back')),
  state     text NOT NULL DEFAULT 'planned' CONSTRAINT trip_state CHECK (state IN ('planned', 'held', 'cancelled')),
  reason    text NOT NULL DEFAULT '',
  pool_id   uuid NOT NULL UNIQUE REFERENCES pool,
  UNIQUE (line_id, day, direction)
);

-- +goose Down
DROP TABLE trip, camp_line, bus_stop, bus_line, ticket, camp_leader, camp_session, camp, pool;
