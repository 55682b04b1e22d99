-- Tariffs: prices by audience, sibling reductions, accorded tariffs, vouchers, prices by day or session.

-- +goose Up
-- Who pays which price. 'everyone' and 'resident' follow from the facts; 'verified' is what staff saw of a guardian.
CREATE TABLE audience (
  code     text PRIMARY KEY CONSTRAINT audience_code CHECK (code ~ '^[a-z][a-z0-9_]{0,39}$'),
  name     text NOT NULL,
  rule     text NOT NULL CONSTRAINT audience_rule CHECK (rule IN ('everyone', 'resident', 'verified')),
  percent  int NOT NULL DEFAULT 100 CONSTRAINT audience_percent CHECK (percent BETWEEN 0 AND 1000), -- of a camp's price, where it sets none for them
  position int NOT NULL DEFAULT 0,
  ended_at timestamptz -- no longer offered
);
INSERT INTO audience (code, name, rule, position)
VALUES ('resident', 'Habitants de la commune', 'resident', 1), ('staff', 'Personnel de la commune', 'verified', 2), ('other', 'Autres familles', 'everyone', 3);

CREATE TABLE guardian_audience (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  guardian_id uuid NOT NULL REFERENCES guardian,
  audience    text NOT NULL REFERENCES audience,
  valid_from  date NOT NULL,
  valid_until date,
  proof       text NOT NULL, -- what staff saw
  granted_by  text NOT NULL,
  created_at  timestamptz NOT NULL,
  ended_at    timestamptz,
  ended_by    text NOT NULL DEFAULT '',
  CONSTRAINT guardian_audience_dates CHECK (valid_until IS NULL OR valid_until >= valid_from)
);
CREATE INDEX guardian_audience_guardian ON guardian_audience (guardian_id);
CREATE UNIQUE INDEX guardian_audience_once ON guardian_audience (guardian_id, audience) WHERE ended_at IS NULL;

-- What an audience pays for a camp, or for one of its tickets; without a row it follows from audience.percent.
CREATE TABLE camp_price (
  camp_id   uuid NOT NULL REFERENCES camp,
  ticket_id uuid REFERENCES ticket,
  audience  text NOT NULL REFERENCES audience,
  cents     bigint NOT NULL CONSTRAINT camp_price_cents CHECK (cents >= 0),
  UNIQUE NULLS NOT DISTINCT (camp_id, ticket_id, audience)
);

ALTER TABLE camp
  ADD COLUMN price_unit text NOT NULL DEFAULT 'camp' CONSTRAINT camp_price_unit CHECK (price_unit IN ('camp', 'session', 'day'));
ALTER TABLE camp_option
  ADD COLUMN unit text NOT NULL DEFAULT 'camp' CONSTRAINT camp_option_unit CHECK (unit IN ('camp', 'session', 'day'));
ALTER TABLE bus_line
  ADD COLUMN unit text NOT NULL DEFAULT 'camp' CONSTRAINT bus_line_unit CHECK (unit IN ('camp', 'day'));

-- Siblings: the commune's rule has no camp; a camp may have one of its own, also "none".
CREATE TABLE sibling_rule (
  camp_id     uuid REFERENCES camp,
  who         text NOT NULL CONSTRAINT sibling_rule_who CHECK (who IN ('none', 'payer', 'household', 'parent')),
  mode        text NOT NULL DEFAULT 'rank' CONSTRAINT sibling_rule_mode CHECK (mode IN ('rank', 'each')),
  scope       text NOT NULL DEFAULT 'season' CONSTRAINT sibling_rule_scope CHECK (scope IN ('season', 'camp')),
  steps       jsonb NOT NULL DEFAULT '[]', -- [{from, percent | cents}]: from the how-manieth child
  cumulate    boolean NOT NULL DEFAULT true,  -- beside an accorded tariff; else the better of the two
  exit_raises boolean NOT NULL DEFAULT false, -- a child that leaves takes the reduction of the others with it
  regulation  text NOT NULL DEFAULT '',
  UNIQUE NULLS NOT DISTINCT (camp_id)
);
INSERT INTO sibling_rule (who)
VALUES ('none');

-- An accorded tariff, confidential: for a family's payers alone, for all its children or one.
CREATE TABLE accorded_tariff (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  household_id   uuid NOT NULL REFERENCES household,
  child_id       uuid REFERENCES child,
  percent        int CONSTRAINT accorded_tariff_percent CHECK (percent BETWEEN 1 AND 100), -- taken off
  cents          bigint CONSTRAINT accorded_tariff_cents CHECK (cents >= 0), -- or what the place costs, by the camp's unit
  valid_from     date NOT NULL,
  valid_until    date NOT NULL,
  reference      text NOT NULL,
  regulation     text NOT NULL DEFAULT '',
  submission_key uuid NOT NULL UNIQUE,
  granted_by     text NOT NULL,
  created_at     timestamptz NOT NULL,
  ended_at       timestamptz,
  ended_by       text NOT NULL DEFAULT '',
  CONSTRAINT accorded_tariff_what CHECK ((percent IS NULL) <> (cents IS NULL)),
  CONSTRAINT accorded_tariff_dates CHECK (valid_until >= valid_from)
);
CREATE INDEX accorded_tariff_household ON accorded_tariff (household_id);

CREATE TABLE voucher (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  code           text NOT NULL UNIQUE CONSTRAINT voucher_code CHECK (code ~ '^[A-Z0-9]{6,20}$'),
  name           text NOT NULL,
  percent        int CONSTRAINT voucher_percent CHECK (percent BETWEEN 1 AND 100),
  cents          bigint CONSTRAINT voucher_cents CHECK (cents > 0),
  max_uses       int CONSTRAINT voucher_max_uses CHECK (max_uses > 0), -- NULL is no bound
  valid_from     date NOT NULL,
  valid_until    date NOT NULL,
  regulation     text NOT NULL DEFAULT '',
  submission_key uuid NOT NULL,
  created_by     text NOT NULL,
  created_at     timestamptz NOT NULL,
  ended_at       timestamptz,
  CONSTRAINT voucher_what CHECK ((percent IS NULL) <> (cents IS NULL)),
  CONSTRAINT voucher_dates CHECK (valid_until >= valid_from)
);
CREATE INDEX voucher_submission ON voucher (submission_key);
CREATE INDEX voucher_running ON voucher (valid_until) WHERE ended_at IS NULL;
CREATE INDEX voucher_created ON voucher (created_at DESC);
-- Without rows a voucher counts for every camp.
CREATE TABLE voucher_camp (
  voucher_id uuid NOT NULL REFERENCES voucher,
  camp_id    uuid NOT NULL REFERENCES camp,
  PRIMARY KEY (voucher_id, camp_id)
);
CREATE TABLE voucher_use (
  registration_id uuid PRIMARY KEY REFERENCES registration,
  voucher_id      uuid NOT NULL REFERENCES voucher,
  at              timestamptz NOT NULL,
  returned_at     timestamptz -- the registration ended
);
CREATE INDEX voucher_use_voucher ON voucher_use (voucher_id);
-- Codes that were tried and did not count, to stop guessing.
CREATE TABLE voucher_try (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  guardian_id uuid NOT NULL REFERENCES guardian,
  at          timestamptz NOT NULL
);
CREATE INDEX voucher_try_guardian ON voucher_try (guardian_id, at);

ALTER TABLE basket_line
  ADD COLUMN voucher text NOT NULL DEFAULT '';
-- What a price was computed from, frozen with it, so that a change of bus or options computes from the same.
ALTER TABLE registration
  ADD COLUMN price_facts jsonb;
-- Lines of before say whether they count for the 281.86: the place by its label, an option as its camp says.
UPDATE registration r
SET price_detail = (
  SELECT jsonb_agg(CASE
    WHEN l ->> 'label' IN ('price.camp', 'price.formula') THEN l || '{"fiscal": true}'
    WHEN l ->> 'label' = 'price.option' THEN l || jsonb_build_object('fiscal', EXISTS (
      SELECT 1 FROM camp_option o WHERE o.camp_id = r.camp_id AND o.fiscal AND o.name = l -> 'args' ->> 0))
    ELSE l || '{"fiscal": false}' END ORDER BY n)
  FROM jsonb_array_elements(r.price_detail) WITH ORDINALITY AS x (l, n))
WHERE jsonb_typeof(price_detail) = 'array'
  AND jsonb_array_length(price_detail) > 0;

ALTER TABLE account
  DROP CONSTRAINT account_roles,
  ADD CONSTRAINT account_roles CHECK (roles <@ ARRAY['agent', 'finance', 'leader', 'coordinator', 'organiser', 'administrator', 'social']);

-- +goose Down
UPDATE account
SET roles = array_remove(roles, 'social')
WHERE 'social' = ANY(roles);
ALTER TABLE account
  DROP CONSTRAINT account_roles,
  ADD CONSTRAINT account_roles CHECK (roles <@ ARRAY['agent', 'finance', 'leader', 'coordinator', 'organiser', 'administrator']);
ALTER TABLE registration
  DROP COLUMN price_facts;
ALTER TABLE basket_line
  DROP COLUMN voucher;
DROP TABLE voucher_try, voucher_use, voucher_camp, voucher, accorded_tariff, sibling_rule;
ALTER TABLE bus_line
  DROP COLUMN unit;
ALTER TABLE camp_option
  DROP COLUMN unit;
ALTER TABLE camp
  DROP COLUMN price_unit;
DROP TABLE camp_price, guardian_audience, audience;
