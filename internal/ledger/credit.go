package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// CreditNote is a numbered, immutable document that takes back an invoice or a part of it.
type CreditNote struct {
	ID             uuid.UUID
	Year           int
	Number         int
	InvoiceID      uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	IssuedAt       time.Time
	TotalCents     civil.Cents // positive
	Content        InvoiceContent
}

const noteColumns = `id, year, number, invoice_id, due_id, registration_id, payer_id, issued_at, total_cents, content`

// IssueCreditNote takes back what the lines amount to of an invoice, in the caller's transaction, which keeps the
// invoice locked so that two credit notes never exceed it together. The lines are what is taken back, positive; a fee
// that stays due is a negative one. reason is printed: a message key or words. It returns problem.KindInvalid when the
// lines amount to nothing or to more than what is left of the invoice.
func IssueCreditNote(ctx context.Context, tx db.Tx, inv Invoice, lines []InvoiceLine, reason string, at time.Time) (CreditNote, error) {
	left, err := leftOf(ctx, tx, inv.ID, inv.DueID)
	if err != nil {
		return CreditNote{}, err
	}
	var sum civil.Cents
	for _, l := range lines {
		sum += l.Cents
	}
	switch {
	case sum <= 0:
		return CreditNote{}, problem.Invalid("credit.nothing")
	case sum > left:
		return CreditNote{}, problem.Invalid("credit.above", left)
	}
	prefix, err := camp.Setting(ctx, tx, "credit.prefix")
	if err != nil {
		return CreditNote{}, err
	}
	day := civil.DateOf(at, civil.Brussels)
	n, err := NextNumber(ctx, tx, "credit_note", day.Year)
	if err != nil {
		return CreditNote{}, err
	}
	c := inv.Content // the parties, the child and the camp stay as the invoice printed them
	c.Credits, c.CreditsOf, c.Reason = c.Number, c.IssuedOn, reason
	c.Number, c.IssuedOn = documentNumber(prefix, day.Year, n), day
	c.Lines, c.Total, c.Whole, c.Paid, c.Instalments, c.PayBy, c.PaidOn = lines, sum, 0, 0, nil, civil.Date{}, civil.Date{}
	note := CreditNote{
		Year: day.Year, Number: n, InvoiceID: inv.ID, DueID: inv.DueID, RegistrationID: inv.RegistrationID, PayerID: inv.PayerID,
		IssuedAt: at, TotalCents: sum, Content: c,
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO credit_note (year, number, invoice_id, due_id, registration_id, payer_id, issued_at, total_cents, content)
		VALUES (@year, @number, @invoice, @due, @registration, @payer, @at, @total, @content)
		RETURNING id`,
		pgx.NamedArgs{
			"year": note.Year, "number": n, "invoice": inv.ID, "due": inv.DueID, "registration": inv.RegistrationID,
			"payer": inv.PayerID, "at": at, "total": sum, "content": c,
		}).Scan(&note.ID)
	if err != nil {
		return note, fmt.Errorf("issuing a credit note on invoice %s: %w", inv.ID, err)
	}
	return note, nil
}

// leftOf locks an invoice and returns what no credit note has taken back of what it asks on a due.
func leftOf(ctx context.Context, tx db.Tx, invoiceID, dueID uuid.UUID) (left civil.Cents, err error) {
	args := pgx.NamedArgs{"id": invoiceID, "due": dueID}
	err = tx.QueryRow(ctx, `
		SELECT COALESCE((SELECT x.cents FROM invoice_split x WHERE x.invoice_id = i.id AND x.due_id = @due), 0)
		FROM invoice i
		WHERE i.id = @id
		FOR UPDATE OF i`, args).Scan(&left)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, problem.NotFound("invoice.not_found")
	}
	if err != nil {
		return 0, fmt.Errorf("locking invoice %s: %w", invoiceID, err)
	}
	var back civil.Cents
	// A statement of its own: it must see what was committed while we waited for the lock.
	err = tx.QueryRow(ctx, `
		SELECT COALESCE(sum(total_cents), 0)::bigint
		FROM credit_note
		WHERE invoice_id = @id
		  AND due_id = @due`, args).Scan(&back)
	if err != nil {
		return 0, fmt.Errorf("summing the credit notes on invoice %s: %w", invoiceID, err)
	}
	return left - back, nil
}

// CreditNote returns a credit note by id; the caller has checked who asks. problem.KindNotFound without it.
func (s *Store) CreditNote(ctx context.Context, id uuid.UUID) (CreditNote, error) {
	list, err := creditNotes(ctx, s.DB, `id = @id`, id)
	if err == nil && len(list) == 0 {
		return CreditNote{}, problem.NotFound("credit.not_found")
	}
	if err != nil {
		return CreditNote{}, err
	}
	return list[0], nil
}

// CreditNotesOn returns the credit notes on an invoice, oldest first.
func (s *Store) CreditNotesOn(ctx context.Context, invoiceID uuid.UUID) ([]CreditNote, error) {
	return creditNotes(ctx, s.DB, `invoice_id = @id`, invoiceID)
}

// CreditNotesOfDue returns the credit notes of a due, oldest first.
func CreditNotesOfDue(ctx context.Context, q db.Querier, dueID uuid.UUID) ([]CreditNote, error) {
	return creditNotes(ctx, q, `due_id = @id`, dueID)
}

func creditNotes(ctx context.Context, q db.Querier, where string, id uuid.UUID) ([]CreditNote, error) {
	rows, err := q.Query(ctx, `
		SELECT `+noteColumns+`
		FROM credit_note
		WHERE `+where+`
		ORDER BY year, number`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading credit notes: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[CreditNote])
	if err != nil {
		return nil, fmt.Errorf("reading credit notes: %w", err)
	}
	return list, nil
}
