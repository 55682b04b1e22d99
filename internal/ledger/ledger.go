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

// Line is one line of the ledger; Cents is positive.
type Line struct {
	Kind       Kind
	Cents      civil.Cents
	Label      string // message key, or words of the regulation
	Regulation string
	Source     string // tariff, mollie, bank, cash or staff
	PaymentID  *uuid.UUID
	RefundID   *uuid.UUID // that it books
	Reverses   *uuid.UUID // the line that it takes back
	Actor      string
	Key        *uuid.UUID // submission key of the form that books it
	At         time.Time
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
