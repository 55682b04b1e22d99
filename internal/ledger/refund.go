package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The ways in which money goes back.
const (
	ByProvider = "provider" // by the payment that it came by
	ByTransfer = "transfer" // to a bank account
	ByCash     = "cash"     // at the counter
	ByCredit   = "credit"   // to another registration of the payer
	ByChoice   = "choice"   // the payer has not chosen yet
)

// The states of a refund. A line is booked when it is done.
const (
	RefundToChoose  = "to_choose"  // the payer chooses between money and another camp
	RefundToConfirm = "to_confirm" // a second member of staff must agree
	RefundDecided   = "decided"
	RefundSent      = "sent" // the provider or the bank has it
	RefundDone      = "done"
	RefundFailed    = "failed" // a person must act
	RefundDropped   = "dropped"
)

// refundMoves says where a refund may go from a state.
var refundMoves = map[string][]string{
	RefundToChoose:  {RefundDecided, RefundDone, RefundDropped},
	RefundToConfirm: {RefundDecided, RefundDropped},
	RefundDecided:   {RefundSent, RefundDone, RefundFailed, RefundDropped},
	RefundSent:      {RefundDone, RefundFailed, RefundDecided}, // decided again: a file that the bank never carried out
	RefundFailed:    {RefundDecided, RefundDropped},
	RefundDone:      {RefundDropped}, // a transfer that its bank returned
}

// RefundOrder is money that goes back to a payer.
type RefundOrder struct {
	ID             uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Cents          civil.Cents
	Way            string
	State          string
	PaymentID      *uuid.UUID // the payment it goes back by
	ProviderID     *string    // the provider's refund
	IdempotencyKey uuid.UUID
	IBAN           string
	Beneficiary    string
	OtherWay       string // why not by the way it came
	Proof          string
	CreditTo       *uuid.UUID // the registration that it pays
	Reason         string
	Regulation     string
	BatchID        *uuid.UUID
	Failure        string
	SubmissionKey  *uuid.UUID
	DecidedBy      string // actor
	SecondBy       string
	CreatedAt      time.Time
	SentAt         *time.Time
	DoneAt         *time.Time
	CheckedAt      time.Time
}

// UnderWay reports whether the money is still to go back.
func (o RefundOrder) UnderWay() bool { return o.State != RefundDone && o.State != RefundDropped }

const refundColumns = `id, due_id, registration_id, payer_id, cents, way, state, payment_id, provider_id, idempotency_key, iban, beneficiary,
		  other_way, proof, credit_to, reason, regulation, batch_id, failure, submission_key, decided_by, second_by, created_at, sent_at, done_at, checked_at`

func refunds(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]RefundOrder, error) {
	rows, err := q.Query(ctx, `
		SELECT `+refundColumns+`
		FROM refund
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading refunds: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[RefundOrder])
	if err != nil {
		return nil, fmt.Errorf("reading refunds: %w", err)
	}
	return list, nil
}

func oneRefund(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) (RefundOrder, error) {
	list, err := refunds(ctx, q, where, args)
	if err != nil {
		return RefundOrder{}, err
	}
	if len(list) == 0 {
		return RefundOrder{}, problem.NotFound("refund.not_found")
	}
	return list[0], nil
}

// ReadRefund returns a refund by id.
func ReadRefund(ctx context.Context, q db.Querier, id uuid.UUID) (RefundOrder, error) {
	return oneRefund(ctx, q, `id = @id`, pgx.NamedArgs{"id": id})
}

// LockRefund returns a refund and keeps it for the caller's transaction; its registration is locked before.
func LockRefund(ctx context.Context, tx db.Tx, id uuid.UUID) (RefundOrder, error) {
	return oneRefund(ctx, tx, `id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
}

// RefundByKey returns the first refund that a form made; NotFound without one.
func RefundByKey(ctx context.Context, q db.Querier, key uuid.UUID) (RefundOrder, error) {
	return oneRefund(ctx, q, `submission_key = @key`, pgx.NamedArgs{"key": key})
}

// RefundsOf returns the refunds of a registration, oldest first.
func RefundsOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]RefundOrder, error) {
	return refunds(ctx, q, `registration_id = @id ORDER BY created_at, id`, pgx.NamedArgs{"id": registrationID})
}

// RefundsInState returns refunds in a state that were last looked at before an instant, oldest first, at most limit.
func RefundsInState(ctx context.Context, q db.Querier, way, state string, before time.Time, limit int) ([]RefundOrder, error) {
	return refunds(ctx, q, `state = @state AND way = @way AND checked_at < @before ORDER BY created_at, id LIMIT @limit`,
		pgx.NamedArgs{"state": state, "way": way, "before": before, "limit": limit})
}

// RefundsUnderWay sums the refunds of a due that are neither done nor dropped.
func RefundsUnderWay(ctx context.Context, q db.Querier, dueID uuid.UUID) (cents civil.Cents, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE(sum(cents), 0)::bigint
		FROM refund
		WHERE due_id = @due
		  AND state IN ('to_choose', 'to_confirm', 'decided', 'sent', 'failed')`,
		pgx.NamedArgs{"due": dueID}).Scan(&cents)
	if err != nil {
		return 0, fmt.Errorf("summing the refunds of due %s: %w", dueID, err)
	}
	return cents, nil
}

// NewRefund stores a refund in the caller's transaction.
func NewRefund(ctx context.Context, tx db.Tx, o RefundOrder, at time.Time) (RefundOrder, error) {
	rows, err := tx.Query(ctx, `
		INSERT INTO refund (due_id, registration_id, payer_id, cents, way, state, payment_id, iban, beneficiary, other_way, proof, reason, regulation,
		  batch_id, submission_key, decided_by, created_at, checked_at)
		VALUES (@due, @registration, @payer, @cents, @way, @state, @payment, @iban, @beneficiary, @other_way, @proof, @reason, @regulation,
		  @batch, @key, @by, @at, @at)
		RETURNING `+refundColumns,
		pgx.NamedArgs{
			"due": o.DueID, "registration": o.RegistrationID, "payer": o.PayerID, "cents": o.Cents, "way": o.Way, "state": o.State,
			"payment": o.PaymentID, "iban": o.IBAN, "beneficiary": o.Beneficiary, "other_way": o.OtherWay, "proof": o.Proof,
			"reason": o.Reason, "regulation": o.Regulation, "batch": o.BatchID, "key": o.SubmissionKey, "by": o.DecidedBy, "at": at,
		})
	if err != nil {
		return o, fmt.Errorf("storing a refund of due %s: %w", o.DueID, err)
	}
	o, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[RefundOrder])
	if err != nil {
		return o, fmt.Errorf("storing a refund of due %s: %w", o.DueID, err)
	}
	return o, nil
}

// MoveRefund brings a locked refund to another state with what is now known of it (provider's id, way, account, second
// member of staff, failure); Conflict when the state does not lead there. Done books the line of the ledger, of that
// source and actor, once; a done refund that is
// dropped, because its bank returned it, books the money back, and is made anew as another refund.
func MoveRefund(ctx context.Context, tx db.Tx, o RefundOrder, state, source, actor string, at time.Time) (RefundOrder, error) {
	if !slices.Contains(refundMoves[o.State], state) {
		return o, problem.Conflict("refund.no_such_move", o.State, state)
	}
	before := o.State
	rows, err := tx.Query(ctx, `
		UPDATE refund
		SET state = @state, way = @way, provider_id = @provider, payment_id = @payment, iban = @iban, beneficiary = @beneficiary,
		  credit_to = @credit, second_by = @second, failure = @failure, checked_at = @at,
		  sent_at = CASE WHEN @state = 'sent' THEN @at ELSE sent_at END,
		  done_at = CASE @state WHEN 'done' THEN @at END
		WHERE id = @id
		RETURNING `+refundColumns,
		pgx.NamedArgs{
			"id": o.ID, "state": state, "way": o.Way, "provider": o.ProviderID, "payment": o.PaymentID, "iban": o.IBAN, "beneficiary": o.Beneficiary,
			"credit": o.CreditTo, "second": o.SecondBy, "failure": o.Failure, "at": at,
		})
	if err != nil {
		return o, fmt.Errorf("moving refund %s: %w", o.ID, err)
	}
	after, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[RefundOrder])
	if err != nil {
		return o, fmt.Errorf("moving refund %s: %w", o.ID, err)
	}
	d, err := ReadDue(ctx, tx, o.DueID)
	if err != nil {
		return after, err
	}
	line := Line{Cents: o.Cents, Source: source, PaymentID: o.PaymentID, RefundID: &o.ID, Actor: actor, At: at}
	switch {
	case state == RefundDone:
		line.Kind, line.Label = Refund, "ledger.refund"
		_, err = Add(ctx, tx, d, line)
	case before == RefundDone:
		line.Kind, line.Label, line.PaymentID = Payment, "ledger.refund_returned", nil
		_, err = Add(ctx, tx, d, line)
	}
	return after, err
}

// RefundLooked notes that the provider was asked after a refund and could not say.
func RefundLooked(ctx context.Context, q db.Querier, id uuid.UUID, at time.Time) error {
	_, err := q.Exec(ctx, `
		UPDATE refund
		SET checked_at = @at
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "at": at})
	if err != nil {
		return fmt.Errorf("noting a look at refund %s: %w", id, err)
	}
	return nil
}

// Source is a payment of a due with what of it can still go back.
type Source struct {
	LineID    uuid.UUID
	Source    string // mollie and the like, bank, cash, terminal, credit
	PaymentID *uuid.UUID
	IBAN      string // the account that a transfer came from
	Holder    string
	Cents     civil.Cents
	At        time.Time
}

// SourcesOf returns the payments of a due that are not given back, newest first. What went back, or is on its way, and
// names no payment is taken from the newest ones.
func SourcesOf(ctx context.Context, q db.Querier, dueID uuid.UUID) ([]Source, error) {
	rows, err := q.Query(ctx, `
		SELECT l.id, l.source, l.payment_id, COALESCE(e.counterparty_iban, ''), COALESCE(e.counterparty_name, ''),
		  (l.cents - COALESCE((
		    SELECT sum(r.cents)
		    FROM ledger_line r
		    WHERE r.kind = 'refund'
		      AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = r.id)
		      AND (r.reverses = l.id OR l.payment_id IS NOT NULL AND r.payment_id = l.payment_id AND r.due_id = l.due_id)), 0)
		  - COALESCE((
		    SELECT sum(f.cents)
		    FROM refund f
		    WHERE f.payment_id = l.payment_id
		      AND f.due_id = l.due_id
		      AND f.state IN ('to_choose', 'to_confirm', 'decided', 'sent', 'failed')), 0))::bigint AS cents,
		  l.at
		FROM ledger_line l
		LEFT JOIN (
		  SELECT COALESCE(booking_key, id) AS key, counterparty_iban, counterparty_name
		  FROM bank_entry
		  UNION ALL
		  SELECT p.booking_key, b.counterparty_iban, b.counterparty_name
		  FROM bank_entry_part p
		  JOIN bank_entry b ON b.id = p.entry_id) e ON e.key = l.submission_key
		WHERE l.due_id = @due
		  AND l.kind = 'payment'
		  AND l.label NOT IN ('ledger.refund_returned', 'ledger.given_again')
		ORDER BY l.at DESC, l.id`,
		pgx.NamedArgs{"due": dueID})
	if err != nil {
		return nil, fmt.Errorf("reading the payments of due %s: %w", dueID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Source])
	if err != nil {
		return nil, fmt.Errorf("reading the payments of due %s: %w", dueID, err)
	}
	var loose civil.Cents
	err = q.QueryRow(ctx, `
		SELECT (COALESCE((
		  SELECT sum(CASE l.kind WHEN 'refund' THEN l.cents ELSE -l.cents END)
		  FROM ledger_line l
		  WHERE l.due_id = @due
		    AND (l.kind = 'refund' AND l.payment_id IS NULL AND l.reverses IS NULL OR l.label = 'ledger.refund_returned')), 0)
		+ COALESCE((
		  SELECT sum(cents)
		  FROM refund
		  WHERE due_id = @due
		    AND payment_id IS NULL
		    AND state IN ('to_choose', 'to_confirm', 'decided', 'sent', 'failed')), 0))::bigint`,
		pgx.NamedArgs{"due": dueID}).Scan(&loose)
	if err != nil {
		return nil, fmt.Errorf("reading the payments of due %s: %w", dueID, err)
	}
	for i := range list {
		if list[i].PaymentID == nil {
			take := max(0, min(loose, list[i].Cents))
			list[i].Cents -= take
			loose -= take
		}
	}
	return slices.DeleteFunc(list, func(s Source) bool { return s.Cents <= 0 }), nil
}

// RefundsByPayment returns the refunds of a payment that the provider has and may still speak of.
func RefundsByPayment(ctx context.Context, q db.Querier, paymentID uuid.UUID) ([]RefundOrder, error) {
	return refunds(ctx, q, `payment_id = @id AND way = 'provider' AND state IN ('sent', 'done') ORDER BY created_at, id`, pgx.NamedArgs{"id": paymentID})
}

// CreditRefund lets a refund that waits for a choice pay cents of what is due elsewhere: one line takes them from the one
// due, one brings them to the other.
func CreditRefund(ctx context.Context, tx db.Tx, o RefundOrder, cents civil.Cents, to Due, actor string, at time.Time) (RefundOrder, error) {
	_, err := tx.Exec(ctx, `
		UPDATE refund
		SET cents = @cents
		WHERE id = @id`,
		pgx.NamedArgs{"id": o.ID, "cents": cents})
	if err != nil {
		return o, fmt.Errorf("crediting refund %s: %w", o.ID, err)
	}
	o.Way, o.CreditTo, o.Cents = ByCredit, &to.RegistrationID, cents
	if o, err = MoveRefund(ctx, tx, o, RefundDone, "credit", actor, at); err != nil {
		return o, err
	}
	_, err = Add(ctx, tx, to, Line{Kind: Payment, Cents: cents, Label: "ledger.credit", Source: "credit", RefundID: &o.ID, Actor: actor, At: at})
	return o, err
}
