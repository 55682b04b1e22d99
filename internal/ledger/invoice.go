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
	"ribambelle/internal/problem"
)

// InvoiceContent is everything that is printed on an invoice or a credit note, frozen at issue: the document and its
// HTML twin draw from it alone.
type InvoiceContent struct {
	Number        string
	Lang          string // of the document, the commune's administrative language; "" on the first ones is French
	Called        string // how the commune calls its invoices: CalledInvoice, or CalledInvitation
	IssuedOn      civil.Date
	Commune       InvoiceParty
	BCE           string // enterprise number of the commune, 10 digits
	Email         string
	Phone         string
	IBAN          string
	Payer         InvoiceParty
	PayerBCE      string // of an organisation that pays
	Reference     string // what the organisation asked to print
	Child         string
	Camp          string
	FirstDay      civil.Date
	LastDay       civil.Date
	Days          int
	Lines         []InvoiceLine
	Whole         civil.Cents // sum of the lines when the payer owes a part of it; 0 when Total is that sum
	Total         civil.Cents // of a credit note what is taken back, positive
	Paid          civil.Cents // already paid at issue, when not all of it
	Instalments   []InvoiceInstalment
	PayBy         civil.Date
	Communication string // +++ddd/dddd/ddddd+++
	PaidOn        civil.Date
	VATMention    string
	Legal         []string // how to contest, what follows a late payment, what becomes of the data
	Credits       string   // of a credit note: the number of the invoice that it takes back
	CreditsOf     civil.Date
	Reason        string     // of a credit note, a message key or words
	Month         civil.Date `json:",omitzero"` // first day of the month for which an organisation is invoiced all at once
	Words         []string   // of a reminder: what it says before the amounts
}

// How a commune calls what it asks to pay (the setting invoice.name).
const (
	CalledInvoice    = "facture"
	CalledInvitation = "invitation"
	CalledReminder   = "reminder" // and these are no invoices: they ask for one again
	CalledNotice     = "notice"
	CalledRecovery   = "recovery"
	CalledStatement  = "statement" // an account, not a demand
	CalledQuarters   = "quarters"
)

// InvoiceParty is a name with a postal address.
type InvoiceParty struct {
	Name   string
	Street string
	City   string // with the postcode
}

// InvoiceLine is one priced line; Label is a message key, filled with Args. A reduction is negative.
type InvoiceLine struct {
	Label string
	Args  []string
	Cents civil.Cents
}

// InvoiceInstalment is a part of the total with the last day to pay it.
type InvoiceInstalment struct {
	On    civil.Date
	Cents civil.Cents
}

// Group reports whether an organisation is invoiced all that a month brought: the lines name the children. What credits a
// part of it names the child.
func (c InvoiceContent) Group() bool { return !c.Month.IsZero() }

// Account reports whether the document only tells what was: nothing is to be paid by it.
func (c InvoiceContent) Account() bool {
	return c.Called == CalledStatement || c.Called == CalledQuarters
}

// TotalLabel is the message key of what the total is.
func (c InvoiceContent) TotalLabel() string {
	switch {
	case c.Credits != "":
		return "reports.invoice.total_credit"
	case c.Called == CalledStatement:
		return "statement.closing"
	case c.Called == CalledQuarters:
		return "statement.paid"
	case c.Whole != 0:
		return "reports.invoice.part"
	}
	return "reports.invoice.total"
}

// Invoice is a numbered, immutable document.
type Invoice struct {
	ID             uuid.UUID
	Year           int
	Number         int
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	IssuedAt       time.Time
	TotalCents     civil.Cents
	Content        InvoiceContent
}

// NextNumber draws the next number of a series in a year, in the caller's transaction: the row stays locked until it
// ends, so that a failed transaction leaves no gap.
func NextNumber(ctx context.Context, tx db.Tx, series string, year int) (int, error) {
	var n int
	err := tx.QueryRow(ctx, `
		INSERT INTO document_number (series, year, last)
		VALUES (@series, @year, 1)
		ON CONFLICT (series, year)
		DO UPDATE SET last = document_number.last + 1
		RETURNING last`,
		pgx.NamedArgs{"series": series, "year": year}).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("drawing number of series %s %d: %w", series, year, err)
	}
	return n, nil
}

// issue numbers and stores an invoice of a due, in the caller's transaction. content.Number is filled here as
// prefix-year-number.
func issue(ctx context.Context, tx db.Tx, d Due, prefix string, content InvoiceContent, at time.Time) (Invoice, error) {
	year := content.IssuedOn.Year
	n, err := NextNumber(ctx, tx, "invoice", year)
	if err != nil {
		return Invoice{}, err
	}
	content.Number = documentNumber(prefix, year, n)
	inv := Invoice{Year: year, Number: n, DueID: d.ID, RegistrationID: d.RegistrationID, PayerID: d.PayerID, IssuedAt: at, TotalCents: content.Total, Content: content}
	err = tx.QueryRow(ctx, `
		INSERT INTO invoice (year, number, due_id, registration_id, payer_id, issued_at, total_cents, content)
		VALUES (@year, @number, @due, @registration, @payer, @at, @total, @content)
		RETURNING id`,
		pgx.NamedArgs{
			"year": year, "number": n, "due": d.ID, "registration": d.RegistrationID, "payer": d.PayerID,
			"at": at, "total": content.Total, "content": content,
		}).Scan(&inv.ID)
	if err != nil {
		return inv, fmt.Errorf("issuing an invoice of due %s: %w", d.ID, err)
	}
	return inv, nil
}

// documentNumber writes a number as it is printed and quoted: "F-2026-00012".
func documentNumber(prefix string, year, n int) string {
	return fmt.Sprintf("%s-%d-%05d", prefix, year, n)
}

// Store reads the ledger's documents.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

// Invoice returns an invoice by id; the caller has checked who asks. problem.KindNotFound without it.
func (s *Store) Invoice(ctx context.Context, id uuid.UUID) (Invoice, error) {
	return ReadInvoice(ctx, s.DB, id)
}

const invoiceColumns = `id, year, number, due_id, registration_id, payer_id, issued_at, total_cents, content`

// ReadInvoice returns an invoice by id; problem.KindNotFound without it.
func ReadInvoice(ctx context.Context, q db.Querier, id uuid.UUID) (Invoice, error) {
	rows, err := q.Query(ctx, `
		SELECT `+invoiceColumns+`
		FROM invoice
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Invoice{}, fmt.Errorf("reading an invoice: %w", err)
	}
	inv, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Invoice])
	if errors.Is(err, pgx.ErrNoRows) {
		return Invoice{}, problem.NotFound("invoice.not_found")
	}
	if err != nil {
		return Invoice{}, fmt.Errorf("reading an invoice: %w", err)
	}
	return inv, nil
}

// InvoicesOfDue returns the invoices of a due, newest first. Of an invoice over several dues, the total is what it asks on
// this one.
func InvoicesOfDue(ctx context.Context, q db.Querier, dueID uuid.UUID) ([]Invoice, error) {
	rows, err := q.Query(ctx, `
		SELECT i.id, i.year, i.number, x.due_id, x.registration_id, i.payer_id, i.issued_at, x.cents AS total_cents, i.content
		FROM invoice_split x
		JOIN invoice i ON i.id = x.invoice_id
		WHERE x.due_id = @due
		ORDER BY i.year DESC, i.number DESC`,
		pgx.NamedArgs{"due": dueID})
	if err != nil {
		return nil, fmt.Errorf("reading the invoices of due %s: %w", dueID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Invoice])
	if err != nil {
		return nil, fmt.Errorf("reading the invoices of due %s: %w", dueID, err)
	}
	return list, nil
}
