package cli

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ribambelle/internal/problem"
	"ribambelle/reports"
)

// invoicePDF returns the kept file of an invoice, drawn at the first call. Two that draw at once keep the same one.
func (a *app) invoicePDF(ctx context.Context, id uuid.UUID) ([]byte, error) {
	pdf, err := a.ledger.InvoiceFile(ctx, id)
	if err == nil || !problem.Is(err, problem.KindNotFound) {
		return pdf, err
	}
	invoice, err := a.ledger.Invoice(ctx, id)
	if err != nil {
		return nil, err
	}
	if pdf, err = reports.InvoicePDF(invoice); err != nil {
		return nil, fmt.Errorf("drawing invoice %s: %w", id, err)
	}
	return a.ledger.KeepInvoiceFile(ctx, id, pdf)
}

func parseID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return id, fmt.Errorf("the id %q is no UUID", s)
	}
	return id, nil
}
