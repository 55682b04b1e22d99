package cli

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
)

// invoicePDF returns the kept file of an invoice, drawn at the first call.
func (a *app) invoicePDF(ctx context.Context, id uuid.UUID) ([]byte, error) {
	f, err := a.reports.Invoice(ctx, id, audit.Job("portal"))
	return f.Body, err
}

func parseID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return id, fmt.Errorf("the id %q is no UUID", s)
	}
	return id, nil
}
