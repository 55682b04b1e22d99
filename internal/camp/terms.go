package camp

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Terms is how a camp is paid, and on what its prices rest.
type Terms struct {
	DepositPercent int    // of the price, to pay at once; 100 is everything
	RestDays       int    // how many days before the first session the rest is due
	BudgetArticle  string // of the commune's budget, "" when it keeps none
	Regulation     string // the decision of the council that sets the prices and fees
}

// TermsOf returns the terms of a camp.
func TermsOf(ctx context.Context, q db.Querier, campID uuid.UUID) (Terms, error) {
	var t Terms
	err := q.QueryRow(ctx, `
		SELECT deposit_percent, rest_days, budget_article, regulation
		FROM camp
		WHERE id = @id`,
		pgx.NamedArgs{"id": campID}).Scan(&t.DepositPercent, &t.RestDays, &t.BudgetArticle, &t.Regulation)
	if err != nil {
		return t, fmt.Errorf("reading the terms of camp %s: %w", campID, err)
	}
	return t, nil
}
