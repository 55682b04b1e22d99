package reports

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/finance"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
)

// StatementOf writes the account of a payer in a year as a document; own leaves out what a decision hides from the payer.
func (s *Store) StatementOf(ctx context.Context, payerID uuid.UUID, year int, own bool) (c ledger.InvoiceContent, err error) {
	err = s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		v, err := f.Statement(ctx, payerID, year, own)
		if err != nil {
			return err
		}
		if c, err = s.head(ctx, q, ledger.CalledStatement, year, payerID); err != nil {
			return err
		}
		loc := locale.For(c.Lang)
		c.Lines = []ledger.InvoiceLine{{Label: "statement.opening", Args: []string{strconv.Itoa(year)}, Cents: v.Opening}}
		for _, e := range v.Entries {
			what := finance.Words(loc.T, e) + " (" + e.Child + ", " + e.Camp + ")"
			if e.Document != "" {
				what += ", " + e.Document
			}
			c.Lines = append(c.Lines, ledger.InvoiceLine{Label: "statement.line", Args: []string{loc.DayNumeric(e.Day()), what}, Cents: e.Signed()})
		}
		c.Total = v.Closing()
		return nil
	})
	return c, err
}

// QuartersFor writes what a payer paid in a year by child and quarter: for separated parents, the own part only.
func (s *Store) QuartersFor(ctx context.Context, payerID uuid.UUID, year int) (c ledger.InvoiceContent, err error) {
	err = s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.QuartersOfPayer(ctx, payerID, year)
		if err != nil {
			return err
		}
		if c, err = s.head(ctx, q, ledger.CalledQuarters, year, payerID); err != nil {
			return err
		}
		fill(&c, list, year, false)
		return nil
	})
	return c, err
}

// QuartersTogether writes who paid what for a child in a year. It returns false, and nothing of it, unless every payer
// shares with the others.
func (s *Store) QuartersTogether(ctx context.Context, childID uuid.UUID, year int) (c ledger.InvoiceContent, shared bool, err error) {
	err = s.finances(ctx, func(f *finance.Store, q db.Querier) error {
		list, err := f.QuartersOfChild(ctx, childID, year)
		if err != nil {
			return err
		}
		if shared, err = f.Shared(ctx, childID, Payers(list)); err != nil || !shared {
			return err
		}
		if c, err = s.head(ctx, q, ledger.CalledQuarters, year, uuid.Nil); err != nil {
			return err
		}
		fill(&c, list, year, true)
		return nil
	})
	return c, shared, err
}

// Payers returns who paid, each once.
func Payers(list []finance.Quarter) []uuid.UUID {
	var all []uuid.UUID
	seen := map[uuid.UUID]bool{}
	for _, v := range list {
		if !seen[v.PayerID] {
			seen[v.PayerID] = true
			all = append(all, v.PayerID)
		}
	}
	return all
}

func fill(c *ledger.InvoiceContent, list []finance.Quarter, year int, payers bool) {
	for _, v := range list {
		line := ledger.InvoiceLine{Label: "statement.quarter", Args: []string{v.Child, strconv.Itoa(v.Quarter), strconv.Itoa(year)}, Cents: v.Cents}
		if payers {
			line.Label, line.Args = "statement.quarter_by", append(line.Args, v.Payer)
		}
		c.Lines = append(c.Lines, line)
		c.Total += v.Cents
	}
}

// head is what a statement prints around its lines; it is a document of today, not a numbered one.
func (s *Store) head(ctx context.Context, q db.Querier, called string, year int, payerID uuid.UUID) (ledger.InvoiceContent, error) {
	settings, err := camp.AllSettings(ctx, q)
	if err != nil {
		return ledger.InvoiceContent{}, err
	}
	c := ledger.Letterhead(settings)
	c.Called, c.IssuedOn, c.VATMention, c.Legal = called, civil.DateOf(s.Now(), civil.Brussels), "", nil
	c.Reference = strconv.Itoa(year)
	if payerID == uuid.Nil {
		return c, nil
	}
	err = q.QueryRow(ctx, `
		SELECT trim(first_name || ' ' || last_name), street, trim(postcode || ' ' || city), bce
		FROM guardian
		WHERE id = @id`,
		pgx.NamedArgs{"id": payerID}).Scan(&c.Payer.Name, &c.Payer.Street, &c.Payer.City, &c.PayerBCE)
	if err != nil {
		return c, fmt.Errorf("reading payer %s: %w", payerID, err)
	}
	return c, nil
}

// StatementFile draws a statement.
func (s *Store) StatementFile(c ledger.InvoiceContent) (File, error) {
	body, err := documentPDF(c, s.Now())
	name := "releve-" + c.Reference + ".pdf"
	if c.Called == ledger.CalledQuarters {
		name = "decompte-" + c.Reference + ".pdf"
	}
	return File{Name: name, ContentType: ContentPDF, Body: body}, err
}
