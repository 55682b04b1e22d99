package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// InvoiceContent is everything that is printed on an invoice, frozen at issue: the document and its HTML twin draw
// from it alone.
type InvoiceContent struct {
	Number        string
	IssuedOn      civil.Date
	Commune       InvoiceParty
	BCE           string // enterprise number of the commune, 10 digits
	Email         string
	Phone         string
	IBAN          string
	Payer         InvoiceParty
	Child         string
	Camp          string
	FirstDay      civil.Date
	LastDay       civil.Date
	Days          int
	Lines         []InvoiceLine
	Total         civil.Cents
	Communication string // +++ddd/dddd/ddddd+++
	PaidOn        civil.Date
	VATMention    string
}

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

// Issue numbers and stores the invoice of a due, in the caller's transaction. content.Number is filled here as
// prefix-year-number. A due has one invoice: issued again, the first one is returned with false.
func Issue(ctx context.Context, tx db.Tx, d Due, prefix string, content InvoiceContent, at time.Time) (inv Invoice, issued bool, err error) {
	if inv, err = oneInvoice(ctx, tx, `due_id = @id`, d.ID); err == nil {
		return inv, false, nil
	}
	if !problem.Is(err, problem.KindNotFound) {
		return inv, false, err
	}
	year := content.IssuedOn.Year
	n, err := NextNumber(ctx, tx, "invoice", year)
	if err != nil {
		return inv, false, err
	}
	content.Number = fmt.Sprintf("%s-%d-%05d", prefix, year, n)
	inv = Invoice{Year: year, Number: n, DueID: d.ID, RegistrationID: d.RegistrationID, PayerID: d.PayerID, IssuedAt: at, TotalCents: content.Total, Content: content}
	err = tx.QueryRow(ctx, `
		INSERT INTO invoice (year, number, due_id, registration_id, payer_id, issued_at, total_cents, content)
		VALUES (@year, @number, @due, @registration, @payer, @at, @total, @content)
		RETURNING id`,
		pgx.NamedArgs{
			"year": year, "number": n, "due": d.ID, "registration": d.RegistrationID, "payer": d.PayerID,
			"at": at, "total": content.Total, "content": content,
		}).Scan(&inv.ID)
	if err != nil {
		return inv, false, fmt.Errorf("issuing the invoice of due %s: %w", d.ID, err)
	}
	return inv, true, nil
}

// Store reads the ledger's documents.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

// Invoice returns an invoice by id; the caller has checked who asks.
func (s *Store) Invoice(ctx context.Context, id uuid.UUID) (Invoice, error) {
	return oneInvoice(ctx, s.DB, `id = @id`, id)
}

func oneInvoice(ctx context.Context, q db.Querier, where string, id uuid.UUID) (Invoice, error) {
	rows, err := q.Query(ctx, `
		SELECT id, year, number, due_id, registration_id, payer_id, issued_at, total_cents, content
		FROM invoice
		WHERE `+where,
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

// InvoiceFile returns the drawn document; NotFound until it was drawn.
func (s *Store) InvoiceFile(ctx context.Context, id uuid.UUID) ([]byte, error) {
	var pdf, sum []byte
	err := s.DB.QueryRow(ctx, `
		SELECT pdf, sha256
		FROM invoice_file
		WHERE invoice_id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&pdf, &sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("invoice.not_drawn")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the file of invoice %s: %w", id, err)
	}
	if got := sha256.Sum256(pdf); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("the file of invoice %s does not match its hash", id)
	}
	return pdf, nil
}

// KeepInvoiceFile stores the drawn document once and returns the one that is kept: the first drawing wins.
func (s *Store) KeepInvoiceFile(ctx context.Context, id uuid.UUID, pdf []byte) ([]byte, error) {
	sum := sha256.Sum256(pdf)
	_, err := s.DB.Exec(ctx, `
		INSERT INTO invoice_file (invoice_id, pdf, sha256)
		VALUES (@id, @pdf, @sum)
		ON CONFLICT (invoice_id) DO NOTHING`,
		pgx.NamedArgs{"id": id, "pdf": pdf, "sum": sum[:]})
	if err != nil {
		return nil, fmt.Errorf("keeping the file of invoice %s: %w", id, err)
	}
	return s.InvoiceFile(ctx, id)
}
