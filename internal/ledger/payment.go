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
	DueID          uuid.UUID
	Provider       string
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
}

// Usable reports whether a family can still pay with this attempt at t.
func (a Attempt) Usable(t time.Time) bool {
	return a.Status == pay.StatusOpen && (a.ExpiresAt == nil || t.Before(*a.ExpiresAt))
}

// Forgotten reports whether the provider may have lost the idempotency key of an attempt that it never answered.
func (a Attempt) Forgotten(t time.Time) bool { return t.Sub(a.CreatedAt) > keyLife }

// keyLife stays below the hour for which Mollie keeps an idempotency key.
const keyLife = 50 * time.Minute

const attemptColumns = `id, due_id, provider, provider_id, idempotency_key, cents, status, checkout_url, app_url, qr, expires_at, created_at, checked_at`

// NewAttempt stores an attempt before its provider is called.
func NewAttempt(ctx context.Context, tx db.Tx, dueID uuid.UUID, provider string, cents civil.Cents, at time.Time) (Attempt, error) {
	return oneAttempt(ctx, tx, `
		INSERT INTO payment (due_id, provider, cents, created_at, checked_at)
		VALUES (@due, @provider, @cents, @at, @at)
		RETURNING `+attemptColumns,
		pgx.NamedArgs{"due": dueID, "provider": provider, "cents": cents, "at": at})
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
		WHERE due_id = @due
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
		WHERE due_id = @due
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
		  checked_at = @at
		WHERE id = @id
		RETURNING `+attemptColumns,
		pgx.NamedArgs{
			"id": a.ID, "provider_id": p.ID, "status": status, "checkout_url": p.CheckoutURL, "app_url": p.AppURL, "qr": p.QR,
			"expires_at": expires, "at": at,
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
