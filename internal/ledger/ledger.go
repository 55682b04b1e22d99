// Package ledger keeps money: what is due, the append-only lines, attempts to pay, and invoices. It alone writes
// their tables. Amounts are integer cents; a correction is another line.
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
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// Kind says which way a line counts.
type Kind string

// The kinds of line. Charges and fees raise what is owed; reductions, write-offs and payments lower it; a refund gives
// money back and so raises it again.
const (
	Charge    Kind = "charge"
	Fee       Kind = "fee"
	Reduction Kind = "reduction"
	WriteOff  Kind = "write_off"
	Payment   Kind = "payment"
	Refund    Kind = "refund"
)

// Due is what one payer owes for one registration, under one structured communication.
type Due struct {
	ID             uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	DebtorID       uuid.UUID
	Communication  string // 12 digits
}

// Line is one line of the ledger; Cents is positive.
type Line struct {
	Kind       Kind
	Cents      civil.Cents
	Label      string // message key, or words of the regulation
	Regulation string
	Source     string // tariff, mollie, bank, cash or staff
	PaymentID  *uuid.UUID
	Actor      string
	Key        *uuid.UUID // submission key of the form that books it
	RefundID   *uuid.UUID // the refund that it books
	Reverses   *uuid.UUID // the line that it takes back
	At         time.Time
}

// Balance sums the lines of a due.
type Balance struct {
	Charged  civil.Cents // charges and fees less reductions and write-offs
	Paid     civil.Cents
	Refunded civil.Cents
}

// Owed is what is still to pay; negative when too much was paid.
func (b Balance) Owed() civil.Cents { return b.Charged - b.Paid + b.Refunded }

// NewDue opens a due with the next structured communication, in the caller's transaction.
func NewDue(ctx context.Context, tx db.Tx, registrationID, payerID, debtorID uuid.UUID, at time.Time) (Due, error) {
	d := Due{RegistrationID: registrationID, PayerID: payerID, DebtorID: debtorID}
	var n int64
	if err := tx.QueryRow(ctx, `SELECT nextval('communication_number')`).Scan(&n); err != nil {
		return d, fmt.Errorf("drawing a communication: %w", err)
	}
	c, err := transfer.New(n)
	if err != nil {
		return d, fmt.Errorf("drawing a communication: %w", err)
	}
	d.Communication = c.Digits()
	err = tx.QueryRow(ctx, `
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, created_at)
		VALUES (@registration, @payer, @debtor, @communication, @at)
		RETURNING id`,
		pgx.NamedArgs{"registration": registrationID, "payer": payerID, "debtor": debtorID, "communication": d.Communication, "at": at}).Scan(&d.ID)
	if err != nil {
		return d, fmt.Errorf("opening what is due for registration %s: %w", registrationID, err)
	}
	return d, nil
}

const dueColumns = `id, registration_id, payer_id, debtor_id, communication`

// DueOf returns what is due for a registration; NotFound for one without a price.
func DueOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) (Due, error) {
	return oneDue(ctx, q, `registration_id = @id`, registrationID)
}

// ReadDue returns a due by its id.
func ReadDue(ctx context.Context, q db.Querier, id uuid.UUID) (Due, error) {
	return oneDue(ctx, q, `id = @id`, id)
}

func oneDue(ctx context.Context, q db.Querier, where string, id uuid.UUID) (Due, error) {
	rows, err := q.Query(ctx, `
		SELECT `+dueColumns+`
		FROM due
		WHERE `+where,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Due{}, fmt.Errorf("reading a due: %w", err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Due])
	if errors.Is(err, pgx.ErrNoRows) {
		return Due{}, problem.NotFound("ledger.due_not_found")
	}
	if err != nil {
		return Due{}, fmt.Errorf("reading a due: %w", err)
	}
	return d, nil
}

// Add books a line on a due in the caller's transaction. It returns false when the line's payment, refund or submission
// key was booked before: then nothing is added. What goes over the counter gets a receipt and its place in the open day
// of the desk; Invalid when there is none and notes or coins change hands.
func Add(ctx context.Context, tx db.Tx, d Due, l Line) (added bool, err error) {
	if l.Cents <= 0 {
		return false, fmt.Errorf("a ledger line of %d cents", l.Cents)
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, regulation, source, payment_id, actor,
		  submission_key, refund_id, reverses, at)
		VALUES (@due, @registration, @payer, @debtor, @kind, @cents, @label, @regulation, @source, @payment, @actor,
		  @key, @refund, @reverses, @at)
		ON CONFLICT DO NOTHING
		RETURNING id`,
		pgx.NamedArgs{
			"due": d.ID, "registration": d.RegistrationID, "payer": d.PayerID, "debtor": d.DebtorID,
			"kind": l.Kind, "cents": l.Cents, "label": l.Label, "regulation": l.Regulation, "source": l.Source,
			"payment": l.PaymentID, "actor": l.Actor, "key": l.Key, "refund": l.RefundID, "reverses": l.Reverses, "at": l.At,
		}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("booking a %s on due %s: %w", l.Kind, d.ID, err)
	}
	return true, counted(ctx, tx, id, l)
}

// BalanceOf sums the lines of a due.
func BalanceOf(ctx context.Context, q db.Querier, dueID uuid.UUID) (Balance, error) {
	var b Balance
	err := q.QueryRow(ctx, `
		SELECT
		  COALESCE(sum(CASE WHEN kind IN ('charge', 'fee') THEN cents WHEN kind IN ('reduction', 'write_off') THEN -cents END), 0)::bigint,
		  COALESCE(sum(cents) FILTER (WHERE kind = 'payment'), 0)::bigint,
		  COALESCE(sum(cents) FILTER (WHERE kind = 'refund'), 0)::bigint
		FROM ledger_line
		WHERE due_id = @due`,
		pgx.NamedArgs{"due": dueID}).Scan(&b.Charged, &b.Paid, &b.Refunded)
	if err != nil {
		return b, fmt.Errorf("summing due %s: %w", dueID, err)
	}
	return b, nil
}
