-- Registrations with their states as data, places, legs, attendance, and the ledger.

-- +goose Up
CREATE TABLE registration_transition (
  from_state text NOT NULL,
  to_state   text NOT NULL,
  PRIMARY KEY (from_state, to_state)
);
-- domain.md "Registration states"; the same table stands in internal/enrol and a test holds both equal.
INSERT INTO registration_transition (from_state, to_state)
VALUES
  ('submitted', 'validated'), ('submitted', 'to_validate'), ('submitted', 'awaiting_payment'), ('submitted', 'waitlisted'), ('submitted', 'refused'),
  ('to_validate', 'validated'), ('to_validate', 'confirmed'), ('to_validate', 'waitlisted'), ('to_validate', 'refused'),
  ('validated', 'awaiting_payment'), ('validated', 'confirmed'),
  ('awaiting_payment', 'confirmed'), ('awaiting_payment', 'to_validate'), ('awaiting_payment', 'expired'),
  ('waitlisted', 'offered'), ('waitlisted', 'refused'),
  ('offered', 'validated'), ('offered', 'to_validate'), ('offered', 'awaiting_payment'), ('offered', 'waitlisted'), ('offered', 'refused'), ('offered', 'declined'), ('offered', 'expired'),
  ('expired', 'confirmed'), ('expired', 'to_validate'),
  ('confirmed', 'completed'),
  ('validated', 'to_validate'), ('confirmed', 'to_validate');
INSERT INTO registration_transition (from_state, to_state)
SELECT f, t
FROM unnest(ARRAY['submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed']) AS f,
  unnest(ARRAY['withdrawn', 'cancelled', 'camp_cancelled']) AS t;
-- Staff take back an exit to the state before, or to the waiting list when the place is retaken.
INSERT INTO registration_transition (from_state, to_state)
SELECT f, t
FROM unnest(ARRAY['refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled']) AS f,
  unnest(ARRAY['submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed']) AS t
ON CONFLICT DO NOTHING;

CREATE TABLE registration (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  submission_key   uuid NOT NULL UNIQUE,
  child_id         uuid NOT NULL REFERENCES child,
  camp_id          uuid NOT NULL REFERENCES camp,
  ticket_id        uuid REFERENCES ticket,
  registrant_id    uuid NOT NULL REFERENCES guardian,
  payer_id         uuid NOT NULL REFERENCES guardian,
  debtor_id        uuid NOT NULL REFERENCES guardian,
  state            text NOT NULL DEFAULT 'submitted'
                   CONSTRAINT registration_state CHECK (state IN ('submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed',
                     'completed', 'refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')),
  state_since      timestamptz NOT NULL,
  due_at           timestamptz, -- when the family's next act is due; NULL while the commune acts
  waiting_since    timestamptz, -- rank on the waiting list
  price_cents      bigint NOT NULL CONSTRAINT registration_price CHECK (price_cents >= 0),
  price_detail     jsonb NOT NULL, -- [{label, args, cents}], frozen at submission
  stop_out_id      uuid REFERENCES bus_stop,
  stop_back_id     uuid REFERENCES bus_stop,
  remark           text NOT NULL DEFAULT '',
  -- version grows with every change that Odoo shows; what Odoo knows of it is mirrored_version.
  version          bigint NOT NULL DEFAULT 1,
  mirrored_version bigint NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL
);
-- A child is at most once in a camp; an exit leaves room for another try.
CREATE UNIQUE INDEX registration_once ON registration (child_id, camp_id)
  WHERE state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled');
CREATE INDEX registration_child ON registration (child_id);
CREATE INDEX registration_camp ON registration (camp_id, state);
CREATE INDEX registration_payer ON registration (payer_id);
-- The staff queue, oldest first.
CREATE INDEX registration_queue ON registration (state_since) WHERE state IN ('submitted', 'to_validate');
CREATE INDEX registration_due ON registration (due_at) WHERE state IN ('awaiting_payment', 'offered');
CREATE INDEX registration_waiting ON registration (camp_id, waiting_since) WHERE state = 'waitlisted';
CREATE INDEX registration_unmirrored ON registration (created_at) WHERE version > mirrored_version;

-- +goose StatementBegin
CREATE FUNCTION registration_state_moves() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM registration_transition WHERE from_state = OLD.state AND to_state = NEW.state) THEN
    RAISE EXCEPTION 'registration state % does not lead to %', OLD.state, NEW.state
      USING ERRCODE = 'check_violation', CONSTRAINT = 'registration_transition';
  END IF;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER registration_state_moves BEFORE UPDATE OF state ON registration
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION registration_state_moves();

CREATE TABLE registration_event (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  registration_id uuid NOT NULL REFERENCES registration,
  from_state      text,
  to_state        text NOT NULL,
  at              timestamptz NOT NULL,
  actor_kind      text NOT NULL CONSTRAINT registration_event_actor CHECK (actor_kind IN ('account', 'job', 'odoo', 'provider', 'command')),
  actor_id        text NOT NULL,
  reason          text NOT NULL DEFAULT ''
);
CREATE INDEX registration_event_registration ON registration_event (registration_id, id);
CREATE TRIGGER registration_event_append_only BEFORE UPDATE OR DELETE ON registration_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER registration_event_no_truncate BEFORE TRUNCATE ON registration_event EXECUTE FUNCTION refuse_change();

-- A place that a registration has in a pool. The pool's counters are the sums of these rows.
CREATE TABLE place (
  pool_id         uuid NOT NULL REFERENCES pool,
  registration_id uuid NOT NULL REFERENCES registration,
  state           text NOT NULL CONSTRAINT place_state CHECK (state IN ('held', 'confirmed')),
  PRIMARY KEY (pool_id, registration_id)
);
CREATE INDEX place_registration ON place (registration_id);

-- One child on one trip at one stop.
CREATE TABLE leg (
  registration_id uuid NOT NULL REFERENCES registration,
  trip_id         uuid NOT NULL REFERENCES trip,
  stop_id         uuid NOT NULL REFERENCES bus_stop,
  PRIMARY KEY (registration_id, trip_id)
);
CREATE INDEX leg_trip ON leg (trip_id);

CREATE TABLE attendance (
  registration_id uuid NOT NULL REFERENCES registration,
  session_id      uuid NOT NULL REFERENCES camp_session,
  present         boolean NOT NULL,
  marked_by       uuid NOT NULL REFERENCES account,
  marked_at       timestamptz NOT NULL,
  PRIMARY KEY (registration_id, session_id)
);

-- What one payer owes for one registration, under one structured communication.
CREATE SEQUENCE communication_number MINVALUE 1 MAXVALUE 9999999999;
CREATE TABLE due (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  debtor_id       uuid NOT NULL REFERENCES guardian,
  communication   char(12) NOT NULL UNIQUE,
  created_at      timestamptz NOT NULL,
  UNIQUE (registration_id, payer_id)
);
CREATE INDEX due_payer ON due (payer_id);

-- One attempt to pay through a provider. The idempotency key is stored before the call.
CREATE TABLE payment (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  due_id          uuid NOT NULL REFERENCES due,
  provider        text NOT NULL,
  provider_id     text,
  idempotency_key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  cents           bigint NOT NULL CONSTRAINT payment_cents CHECK (cents > 0),
  status          text NOT NULL DEFAULT 'new'
                  CONSTRAINT payment_status CHECK (status IN ('new', 'open', 'pending', 'authorized', 'paid', 'canceled', 'expired', 'failed')),
  checkout_url    text NOT NULL DEFAULT '',
  app_url         text NOT NULL DEFAULT '',
  qr              text NOT NULL DEFAULT '',
  expires_at      timestamptz,
  created_at      timestamptz NOT NULL,
  checked_at      timestamptz NOT NULL,
  UNIQUE (provider, provider_id)
);
CREATE INDEX payment_due ON payment (due_id);
-- The sweep asks again after payments that no final callback has closed.
CREATE INDEX payment_unsettled ON payment (checked_at) WHERE status IN ('new', 'open', 'pending', 'authorized');

-- The ledger: never changed, a correction is another line. cents is positive; the kind says which way it counts.
CREATE TABLE ledger_line (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  debtor_id       uuid NOT NULL REFERENCES guardian,
  kind            text NOT NULL CONSTRAINT ledger_line_kind CHECK (kind IN ('charge', 'fee', 'reduction', 'write_off', 'payment', 'refund')),
  cents           bigint NOT NULL CONSTRAINT ledger_line_cents CHECK (cents > 0),
  label           text NOT NULL,
  regulation      text NOT NULL DEFAULT '',
  source          text NOT NULL, -- tariff, mollie, bank, cash, staff
  payment_id      uuid REFERENCES payment,
  actor           text NOT NULL,
  submission_key  uuid UNIQUE, -- a form that books money books it once
  at              timestamptz NOT NULL
);
CREATE INDEX ledger_line_due ON ledger_line (due_id);
CREATE INDEX ledger_line_registration ON ledger_line (registration_id);
CREATE INDEX ledger_line_payer ON ledger_line (payer_id);
-- A provider's payment is booked once, whatever is called twice.
CREATE UNIQUE INDEX ledger_line_payment ON ledger_line (payment_id) WHERE kind = 'payment';
CREATE TRIGGER ledger_line_append_only BEFORE UPDATE OR DELETE ON ledger_line FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_line_no_truncate BEFORE TRUNCATE ON ledger_line EXECUTE FUNCTION refuse_change();

-- Locked row by row, so that numbers follow without a gap even when a transaction fails.
CREATE TABLE document_number (
  series text NOT NULL,
  year   int NOT NULL,
  last   int NOT NULL,
  PRIMARY KEY (series, year)
);

CREATE TABLE invoice (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  year            int NOT NULL,
  number          int NOT NULL,
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  issued_at       timestamptz NOT NULL,
  total_cents     bigint NOT NULL,
  content         jsonb NOT NULL, -- everything that is printed, frozen
  UNIQUE (year, number),
  UNIQUE (due_id)
);
CREATE INDEX invoice_payer ON invoice (payer_id);
CREATE TRIGGER invoice_append_only BEFORE UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_no_truncate BEFORE TRUNCATE ON invoice EXECUTE FUNCTION refuse_change();

-- The rendered document: drawn once, the same bytes for ever.
CREATE TABLE invoice_file (
  invoice_id uuid PRIMARY KEY REFERENCES invoice,
  pdf        bytea NOT NULL,
  sha256     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER invoice_file_append_only BEFORE UPDATE OR DELETE ON invoice_file FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_file_no_truncate BEFORE TRUNCATE ON invoice_file EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE invoice_file, invoice, document_number, ledger_line, payment, due;
DROP SEQUENCE communication_number;
DROP TABLE attendance, leg, place, registration_event, registration, registration_transition;
DROP FUNCTION registration_state_moves();
