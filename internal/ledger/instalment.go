package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// Instalment is what of a due is to be paid on a day.
type Instalment struct {
	DueOn civil.Date
	Cents civil.Cents
}

// InstalmentsOf returns the plan of a due in the order of its days; none means that everything is due at once.
func InstalmentsOf(ctx context.Context, q db.Querier, dueID uuid.UUID) ([]Instalment, error) {
	rows, err := q.Query(ctx, `
		SELECT due_on, cents
		FROM instalment
		WHERE due_id = @due
		ORDER BY due_on, position`,
		pgx.NamedArgs{"due": dueID})
	if err != nil {
		return nil, fmt.Errorf("reading the instalments of due %s: %w", dueID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Instalment])
}

// Plan replaces the instalments of a due in the caller's transaction.
func Plan(ctx context.Context, tx db.Tx, dueID uuid.UUID, plan []Instalment) error {
	if _, err := tx.Exec(ctx, `DELETE FROM instalment WHERE due_id = @due`, pgx.NamedArgs{"due": dueID}); err != nil {
		return fmt.Errorf("clearing the instalments of due %s: %w", dueID, err)
	}
	for i, v := range plan {
		_, err := tx.Exec(ctx, `
			INSERT INTO instalment (due_id, position, due_on, cents)
			VALUES (@due, @position, @on, @cents)`,
			pgx.NamedArgs{"due": dueID, "position": i, "on": v.DueOn, "cents": v.Cents})
		if err != nil {
			return fmt.Errorf("planning due %s: %w", dueID, err)
		}
	}
	return nil
}

// Fit makes a plan come to total: what is less is taken from the last parts, what is more is added to the last one.
func Fit(plan []Instalment, total civil.Cents) []Instalment {
	var fit []Instalment
	left := total
	for i, v := range plan {
		cents := min(v.Cents, left)
		if i == len(plan)-1 {
			cents = left
		}
		if cents > 0 {
			fit = append(fit, Instalment{DueOn: v.DueOn, Cents: cents})
			left -= cents
		}
	}
	return fit
}

// Left returns what of an owed amount is to be paid on days after a day: what was paid covers the earlier parts first.
func Left(plan []Instalment, owed civil.Cents, after civil.Date) []Instalment {
	var left []Instalment
	for _, v := range slices.Backward(plan) {
		if !v.DueOn.After(after) || owed <= 0 {
			break
		}
		v.Cents = min(v.Cents, owed)
		owed -= v.Cents
		left = append(left, v)
	}
	slices.Reverse(left)
	return left
}
