package camp

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// validate notes what is wrong with the terms, on the inputs deposit, rest_days, budget_article and regulation.
func (t Terms) validate(f *problem.Fields) {
	if t.DepositPercent < 1 || t.DepositPercent > 100 {
		f.Add("deposit", "camp.deposit_out_of_range")
	}
	if t.RestDays < 1 || t.RestDays > 365 {
		f.Add("rest_days", "camp.rest_days_out_of_range")
	}
	if len(t.BudgetArticle) > 50 {
		f.Add("budget_article", "form.too_long")
	}
	if len(t.Regulation) > 300 {
		f.Add("regulation", "form.too_long")
	}
}

func saveTerms(ctx context.Context, tx db.Tx, campID uuid.UUID, t Terms) error {
	_, err := tx.Exec(ctx, `
		UPDATE camp
		SET deposit_percent = @deposit, rest_days = @rest, budget_article = @article, regulation = @regulation
		WHERE id = @id`,
		pgx.NamedArgs{
			"id": campID, "deposit": t.DepositPercent, "rest": t.RestDays,
			"article": strings.TrimSpace(t.BudgetArticle), "regulation": strings.TrimSpace(t.Regulation),
		})
	if err != nil {
		return fmt.Errorf("saving the terms of camp %s: %w", campID, err)
	}
	return nil
}
