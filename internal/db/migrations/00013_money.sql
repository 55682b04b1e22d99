-- Money in full: several payers of one registration, covers, instalments, one payment for several dues, refunds.

-- +goose Up
-- The first due of a registration has no part: it takes what the others leave. A part is a share of the price in
-- hundredths of a percent, or an amount. A cover is what an organisation promised to pay.
ALTER TABLE due
  ADD COLUMN kind text NOT NULL DEFAULT 'family' CONSTRAINT due_kind CHECK (kind IN ('family', 'cover')),
  ADD COLUMN part_share int CONSTRAINT due_part_share CHECK (part_share BETWEEN 0 AND 10000),
  ADD COLUMN part_cents bigint CONSTRAINT due_part_cents CHECK (part_cents >= 0),
  ADD COLUMN ended_at timestamptz, -- takes no part any more
  ADD CONSTRAINT due_part CHECK (part_share IS NULL OR part_cents IS NULL);
CREATE UNIQUE INDEX due_first ON due (registration_id) WHERE part_share IS NULL AND part_cents IS NULL;

-- An organisation that pays is a guardian without an account; it is known by its enterprise number.
ALTER TABLE guardian
  ADD COLUMN bce text NOT NULL DEFAULT '' CONSTRAINT guardian_bce CHECK (bce ~ '^([01][0-9]{9})?$');
CREATE UNIQUE INDEX guardian_bce_once ON guardian (bce) WHERE bce <> '' AND merged_into IS NULL;

-- What stands behind the due of an organisation. Only finance and agents who were given the right read it.
CREATE TABLE cover (
  due_id     uuid PRIMARY KEY REFERENCES due,
  reference  text NOT NULL, -- the organisation's own
  proof      text NOT NULL DEFAULT '', -- what staff saw: a decision, an order form
  fiscal     boolean NOT NULL DEFAULT false, -- its part counts for the attestation of its debtor
  actor      text NOT NULL,
  created_at timestamptz NOT NULL,
  lost_at    timestamptz, -- the promise was taken back
  lost_by    text NOT NULL DEFAULT '',
  lost_why   text NOT NULL DEFAULT ''
);

-- A due that is paid in parts: what of it is to be paid on which day. Without rows everything is due at once.
CREATE TABLE instalment (
  due_id   uuid NOT NULL REFERENCES due,
  position int NOT NULL,
  due_on   date NOT NULL,
  cents    bigint NOT NULL CONSTRAINT instalment_cents CHECK (cents > 0),
  PRIMARY KEY (due_id, position)
);
CREATE INDEX instalment_due_on ON instalment (due_on);

ALTER TABLE camp
  ADD COLUMN deposit_percent int NOT NULL DEFAULT 100 CONSTRAINT camp_deposit CHECK (deposit_percent BETWEEN 1 AND 100), -- to pay at once
  ADD COLUMN rest_days int NOT NULL DEFAULT 30 CONSTRAINT camp_rest_days CHECK (rest_days BETWEEN 1 AND 365), -- the rest that long before the first session
  ADD COLUMN budget_article text NOT NULL DEFAULT '',
  ADD COLUMN regulation text NOT NULL DEFAULT ''; -- on which its prices and fees rest

-- A payment that settles several dues of one payer, in this order; without rows it is all for payment.due_id.
CREATE TABLE payment_part (
  payment_id uuid NOT NULL REFERENCES payment,
  position   int NOT NULL,
  due_id     uuid NOT NULL REFERENCES due,
  cents      bigint NOT NULL CONSTRAINT payment_part_cents CHECK (cents > 0),
  PRIMARY KEY (payment_id, position),
  UNIQUE (payment_id, due_id)
);
CREATE INDEX payment_part_due ON payment_part (due_id);
-- Which dues a payment settles, whoever wrote it.
CREATE VIEW payment_split AS
SELECT payment_id, position, due_id, cents
FROM payment_part
UNION ALL
SELECT p.id, 0, p.due_id, p.cents
FROM payment p
WHERE NOT EXISTS (SELECT 1 FROM payment_part x WHERE x.payment_id = p.id);

ALTER TABLE payment
  ADD COLUMN method text NOT NULL DEFAULT 'bancontact', -- what the payer chose: bancontact, card
  ADD COLUMN return_url text NOT NULL DEFAULT '',            -- where the payer's browser comes back: the call can be repeated word for word
  ADD COLUMN paid_cents bigint NOT NULL DEFAULT 0,      -- what the provider took in, known once it is paid
  ADD COLUMN returned_cents bigint NOT NULL DEFAULT 0,  -- of it given back or charged back, as the provider last said
  ADD COLUMN charged_back_cents bigint NOT NULL DEFAULT 0; -- of that, taken back by the payer's bank
CREATE INDEX payment_paid ON payment (checked_at) WHERE status = 'paid';

-- Money back to a payer. A line of the ledger is booked when the money has left.
CREATE TABLE refund (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  due_id          uuid NOT NULL REFERENCES due,
  registration_id uuid NOT NULL REFERENCES registration,
  payer_id        uuid NOT NULL REFERENCES guardian,
  cents           bigint NOT NULL CONSTRAINT refund_cents CHECK (cents > 0),
  -- provider: by the payment it came by; transfer: to the account it came from; cash: at the counter; credit: to
  -- another registration; choice: the payer has not chosen yet between money and another camp.
  way             text NOT NULL CONSTRAINT refund_way CHECK (way IN ('provider', 'transfer', 'cash', 'credit', 'choice')),
  state           text NOT NULL CONSTRAINT refund_state CHECK (state IN ('to_choose', 'to_confirm', 'decided', 'sent', 'done', 'failed', 'dropped')),
  payment_id      uuid REFERENCES payment, -- the payment it goes back by
  provider_id     text, -- the provider's refund
  idempotency_key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  iban            text NOT NULL DEFAULT '',
  beneficiary     text NOT NULL DEFAULT '',
  -- Another way than the one it came by, only when that is closed: by two staff with proof.
  other_way       text NOT NULL DEFAULT '',
  proof           text NOT NULL DEFAULT '',
  credit_to       uuid REFERENCES registration,
  reason          text NOT NULL,
  regulation      text NOT NULL DEFAULT '',
  batch_id        uuid, -- the decision for a whole camp that it belongs to
  failure         text NOT NULL DEFAULT '',
  submission_key  uuid UNIQUE,
  decided_by      text NOT NULL,
  second_by       text NOT NULL DEFAULT '',
  created_at      timestamptz NOT NULL,
  sent_at         timestamptz,
  done_at         timestamptz,
  checked_at      timestamptz NOT NULL,
  CONSTRAINT refund_second CHECK (second_by = '' OR second_by <> decided_by)
);
CREATE INDEX refund_due ON refund (due_id);
CREATE INDEX refund_registration ON refund (registration_id);
CREATE INDEX refund_payment ON refund (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX refund_open ON refund (state, created_at) WHERE state NOT IN ('done', 'dropped');
CREATE INDEX refund_batch ON refund (batch_id) WHERE batch_id IS NOT NULL;

-- A line says which refund it books, and which line it takes back: a correction is another line.
ALTER TABLE ledger_line
  ADD COLUMN refund_id uuid REFERENCES refund,
  ADD COLUMN reverses uuid REFERENCES ledger_line;
CREATE UNIQUE INDEX ledger_line_refund ON ledger_line (refund_id) WHERE kind = 'refund';
CREATE UNIQUE INDEX ledger_line_credit ON ledger_line (refund_id) WHERE kind = 'payment';
CREATE UNIQUE INDEX ledger_line_reverses ON ledger_line (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ledger_line_at ON ledger_line (at);
DROP INDEX ledger_line_payment;
-- A provider's payment is booked once on each due that it settles, whatever is called twice.
CREATE UNIQUE INDEX ledger_line_payment ON ledger_line (payment_id, due_id) WHERE kind = 'payment';

-- +goose Down
DROP INDEX ledger_line_payment;
CREATE UNIQUE INDEX ledger_line_payment ON ledger_line (payment_id) WHERE kind = 'payment';
DROP INDEX ledger_line_at, ledger_line_reverses;
ALTER TABLE ledger_line
  DROP COLUMN refund_id,
  DROP COLUMN reverses;
DROP TABLE refund;
DROP VIEW payment_split;
DROP INDEX payment_paid;
ALTER TABLE payment
  DROP COLUMN method,
  DROP COLUMN return_url,
  DROP COLUMN paid_cents,
  DROP COLUMN returned_cents,
  DROP COLUMN charged_back_cents;
DROP TABLE payment_part;
ALTER TABLE camp
  DROP COLUMN deposit_percent,
  DROP COLUMN rest_days,
  DROP COLUMN budget_article,
  DROP COLUMN regulation;
DROP TABLE instalment, cover;
ALTER TABLE guardian
  DROP COLUMN bce;
DROP INDEX due_first;
ALTER TABLE due
  DROP CONSTRAINT due_part,
  DROP COLUMN kind,
  DROP COLUMN part_share,
  DROP COLUMN part_cents,
  DROP COLUMN ended_at;
