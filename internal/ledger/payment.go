package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
)

// StatusNew is an attempt whose idempotency key is stored and whose provider has not answered yet.
const StatusNew pay.Status = "new"

// Attempt is one attempt to pay a due through a provider.
type Attempt struct {
	ID             uuid.UUID
	DueID          uuid.UUID // the first that it settles; PartsOf tells all
	Provider       string
	Method         string // bancontact and the like
	ReturnURL      string // where the payer's browser comes back
	ProviderID     *string
	IdempotencyKey uuid.UUID
	Cents          civil.Cents
	Status         pay.Status
	CheckoutURL    string
	AppURL         string
	QR             string
	ExpiresAt      *time.Time
	CreatedAt      time.Time
	CheckedAt      time.Time
	PaidCents      civil.Cents // what the provider took in, known once it is paid
	ReturnedCents  civil.Cents // of it given back or charged back, as the provider last said
	ChargedBack    civil.Cents `db:"charged_back_cents"` // of that, taken back by the payer's bank
}

// Part is what an attempt pays of a due.
type Part struct {
	DueID uuid.UUID
	Cents civil.Cents
}

// Usable reports whether a family can still pay with this attempt at t.
func (a Attempt) Usable(t time.Time) bool {
	return a.Status == pay.StatusOpen && (a.ExpiresAt == nil || t.Before(*a.ExpiresAt))
}

// Forgotten reports whether the provider may have lost the idempotency key of an attempt that it never answered.
func (a Attempt) Forgotten(t time.Time) bool { return t.Sub(a.CreatedAt) > keyLife }

// keyLife stays below the hour for which Mollie keeps an idempotency key.
const keyLife = 50 * time.Minute

const attemptColumns = `id, due_id, provider, method, return_url, provider_id, idempotency_key, cents, status, checkout_url, app_url, qr, expires_at, created_at, checked_at,
		  paid_cents, returned_cents, charged_back_cents`

// NewAttempt stores an attempt to pay one or more dues of one payer, before its provider is called. Of a, the id, the
// provider, the method and the return count.
func NewAttempt(ctx context.Context, tx db.Tx, a Attempt, parts []Part, at time.Time) (Attempt, error) {
	var sum civil.Cents
	for _, p := range parts {
		sum += p.Cents
	}
	a, err := oneAttempt(ctx, tx, `
		INSERT INTO payment (id, due_id, provider, method, return_url, cents, created_at, checked_at)
		VALUES (@id, @due, @provider, @method, @return, @cents, @at, @at)
		RETURNING `+attemptColumns,
		pgx.NamedArgs{
			"id": a.ID, "due": parts[0].DueID, "provider": a.Provider, "method": a.Method, "return": a.ReturnURL, "cents": sum, "at": at,
		})
	if err != nil || len(parts) == 1 {
		return a, err
	}
	for i, p := range parts {
		_, err := tx.Exec(ctx, `
			INSERT INTO payment_part (payment_id, position, due_id, cents)
			VALUES (@payment, @position, @due, @cents)`,
			pgx.NamedArgs{"payment": a.ID, "position": i, "due": p.DueID, "cents": p.Cents})
		if err != nil {
			return a, fmt.Errorf("storing the parts of payment %s: %w", a.ID, err)
		}
	}
	return a, nil
}

// PartsOf returns what an attempt pays of each due, in the order in which its money is booked.
func PartsOf(ctx context.Context, q db.Querier, paymentID uuid.UUID) ([]Part, error) {
	rows, err := q.Query(ctx, `
		SELECT due_id, cents
		FROM payment_split
		WHERE payment_id = @id
		ORDER BY position`,
		pgx.NamedArgs{"id": paymentID})
	if err != nil {
		return nil, fmt.Errorf("reading the parts of payment %s: %w", paymentID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Part])
	if err != nil {
		return nil, fmt.Errorf("reading the parts of payment %s: %w", paymentID, err)
	}
	return list, nil
}

// ReadAttempt returns an attempt by id.
func ReadAttempt(ctx context.Context, q db.Querier, id uuid.UUID) (Attempt, error) {
	return oneAttempt(ctx, q, `
		SELECT `+attemptColumns+`
		FROM payment
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
}

// LockAttempt returns an attempt and keeps it for the caller's transaction.
func LockAttempt(ctx context.Context, tx db.Tx, id uuid.UUID) (Attempt, error) {
	return oneAttempt(ctx, tx, `
		SELECT `+attemptColumns+`
		FROM payment
		WHERE id = @id
		FOR UPDATE`,
		pgx.NamedArgs{"id": id})
}

// AttemptByProvider returns the attempt that a provider knows as providerID.
func AttemptByProvider(ctx context.Context, q db.Querier, provider, providerID string) (Attempt, error) {
	return oneAttempt(ctx, q, `
		SELECT `+attemptColumns+`
		FROM payment
		WHERE provider = @provider
		  AND provider_id = @provider_id`,
		pgx.NamedArgs{"provider": provider, "provider_id": providerID})
}

// OpenAttempt returns the newest attempt of a due that no final status has closed; NotFound without one.
func OpenAttempt(ctx context.Context, q db.Querier, dueID uuid.UUID) (Attempt, error) {
	return oneAttempt(ctx, q, `
		SELECT `+attemptColumns+`
		FROM payment
		WHERE id IN (SELECT payment_id FROM payment_split WHERE due_id = @due)
		  AND status IN ('new', 'open', 'pending', 'authorized')
		ORDER BY created_at DESC, id
		LIMIT 1`,
		pgx.NamedArgs{"due": dueID})
}

// NewestAttempt returns the attempt of a due that was opened last, whatever became of it; NotFound without one.
func NewestAttempt(ctx context.Context, q db.Querier, dueID uuid.UUID) (Attempt, error) {
	return oneAttempt(ctx, q, `
		SELECT `+attemptColumns+`
		FROM payment
		WHERE id IN (SELECT payment_id FROM payment_split WHERE due_id = @due)
		ORDER BY created_at DESC, id
		LIMIT 1`,
		pgx.NamedArgs{"due": dueID})
}

func oneAttempt(ctx context.Context, q db.Querier, sql string, args pgx.NamedArgs) (Attempt, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return Attempt{}, fmt.Errorf("reading a payment: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Attempt])
	if errors.Is(err, pgx.ErrNoRows) {
		return Attempt{}, problem.NotFound("ledger.payment_not_found")
	}
	if err != nil {
		return Attempt{}, fmt.Errorf("reading a payment: %w", err)
	}
	return a, nil
}

// Unsettled returns the ids of attempts without a final status that were last looked at before the given instant.
func Unsettled(ctx context.Context, q db.Querier, before time.Time, limit int) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT id
		FROM payment
		WHERE status IN ('new', 'open', 'pending', 'authorized')
		  AND checked_at < @before
		ORDER BY checked_at
		LIMIT @limit`,
		pgx.NamedArgs{"before": before, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the unsettled payments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// rank orders the statuses: an attempt only ever moves up. Paid is above every other end, because money that came
// after all is money.
var rank = map[pay.Status]int{
	StatusNew: 0, pay.StatusOpen: 1, pay.StatusPending: 2, pay.StatusAuthorized: 3,
	pay.StatusCanceled: 4, pay.StatusExpired: 4, pay.StatusFailed: 4, pay.StatusPaid: 5,
}

// Advance writes what the provider said of a locked attempt. A status that would move it back is ignored; it returns
// the attempt as it then is and whether its status changed. The code to scan is given once and therefore kept.
func Advance(ctx context.Context, tx db.Tx, a Attempt, p pay.Payment, at time.Time) (after Attempt, changed bool, err error) {
	status := a.Status
	if p.Status.Known() && rank[p.Status] > rank[a.Status] {
		status = p.Status
	}
	var expires *time.Time
	if !p.ExpiresAt.IsZero() {
		expires = &p.ExpiresAt
	}
	after, err = oneAttempt(ctx, tx, `
		UPDATE payment
		SET provider_id = COALESCE(provider_id, @provider_id), status = @status,
		  checkout_url = COALESCE(NULLIF(@checkout_url, ''), checkout_url),
		  app_url = COALESCE(NULLIF(@app_url, ''), app_url),
		  qr = COALESCE(NULLIF(@qr, ''), qr),
		  expires_at = COALESCE(@expires_at, expires_at),
		  paid_cents = CASE WHEN @status = 'paid' THEN @paid ELSE paid_cents END,
		  returned_cents = CASE WHEN @status = 'paid' THEN @returned ELSE returned_cents END,
		  charged_back_cents = CASE WHEN @status = 'paid' THEN @charged_back ELSE charged_back_cents END,
		  checked_at = @at
		WHERE id = @id
		RETURNING `+attemptColumns,
		pgx.NamedArgs{
			"id": a.ID, "provider_id": p.ID, "status": status, "checkout_url": p.CheckoutURL, "app_url": p.AppURL, "qr": p.QR,
			"expires_at": expires, "paid": p.Amount, "returned": p.Refunded + p.ChargedBack, "charged_back": p.ChargedBack, "at": at,
		})
	return after, status != a.Status, err
}

// Fail closes an attempt that its provider never took.
func Fail(ctx context.Context, tx db.Tx, a Attempt, at time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE payment
		SET status = 'failed', checked_at = @at
		WHERE id = @id
		  AND status = 'new'`,
		pgx.NamedArgs{"id": a.ID, "at": at})
	if err != nil {
		return fmt.Errorf("closing payment %s: %w", a.ID, err)
	}
	return nil
}

// Looked notes that the provider was asked and could not say.
func Looked(ctx context.Context, q db.Querier, id uuid.UUID, at time.Time) error {
	_, err := q.Exec(ctx, `
		UPDATE payment
		SET checked_at = @at
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "at": at})
	if err != nil {
		return fmt.Errorf("noting a look at payment %s: %w", id, err)
	}
	return nil
}

// ReturnedBy sums the lines of that label that take money of an attempt back; for what was refunded without us, the
// refunds that we asked for count too, since the provider's total holds them.
func ReturnedBy(ctx context.Context, q db.Querier, paymentID uuid.UUID, label string) (cents civil.Cents, err error) {
	err = q.QueryRow(ctx, `
		SELECT (COALESCE((
		  SELECT sum(cents)
		  FROM ledger_line l
		  WHERE payment_id = @payment
		    AND kind = 'refund'
		    AND label = @label
		    AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id)), 0)
		+ CASE WHEN @label = 'ledger.refund_outside' THEN COALESCE((
		  SELECT sum(cents)
		  FROM refund
		  WHERE payment_id = @payment
		    AND way = 'provider'
		    AND state IN ('decided', 'sent', 'done')), 0) ELSE 0 END)::bigint`,
		pgx.NamedArgs{"payment": paymentID, "label": label}).Scan(&cents)
	if err != nil {
		return 0, fmt.Errorf("summing what came back of payment %s: %w", paymentID, err)
	}
	return cents, nil
}

// PaidBy is what an attempt brought to a due and what has not gone back.
func PaidBy(ctx context.Context, q db.Querier, paymentID, dueID uuid.UUID) (cents civil.Cents, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE kind WHEN 'payment' THEN cents WHEN 'refund' THEN -cents END), 0)::bigint
		FROM ledger_line l
		WHERE payment_id = @payment
		  AND due_id = @due
		  AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id)`,
		pgx.NamedArgs{"payment": paymentID, "due": dueID}).Scan(&cents)
	if err != nil {
		return 0, fmt.Errorf("summing what payment %s brought: %w", paymentID, err)
	}
	return cents, nil
}

// PaidSilent returns the ids of paid attempts made since an instant that were last looked at before another.
func PaidSilent(ctx context.Context, q db.Querier, before, since time.Time, limit int) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT id
		FROM payment
		WHERE status = 'paid'
		  AND checked_at < @before
		  AND created_at > @since
		ORDER BY checked_at
		LIMIT @limit`,
		pgx.NamedArgs{"before": before, "since": since, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the paid payments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// TakenBack is a line that takes money of a payment back.
type TakenBack struct {
	ID    uuid.UUID
	DueID uuid.UUID
	Cents civil.Cents
}

// Reversible returns the lines of that label that take money of an attempt back and were not reversed, newest first.
func Reversible(ctx context.Context, q db.Querier, paymentID uuid.UUID, label string) ([]TakenBack, error) {
	rows, err := q.Query(ctx, `
		SELECT id, due_id, cents
		FROM ledger_line l
		WHERE payment_id = @payment
		  AND kind = 'refund'
		  AND label = @label
		  AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id)
		ORDER BY at DESC, id`,
		pgx.NamedArgs{"payment": paymentID, "label": label})
	if err != nil {
		return nil, fmt.Errorf("reading what came back of payment %s: %w", paymentID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[TakenBack])
}

// AnyUnanswered reports whether a provider has not answered the creation of some payment.
func AnyUnanswered(ctx context.Context, q db.Querier, provider string) (yes bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (
		  SELECT 1
		  FROM payment
		  WHERE status = 'new'
		    AND provider = @provider
		    AND provider_id IS NULL
		)`,
		pgx.NamedArgs{"provider": provider}).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("looking for payments without an answer: %w", err)
	}
	return yes, nil
}
