package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/task"
)

// uncovered looks at a registration after money went out of one of its dues: what was too much or late is so no more,
// and what was covered may be so no more, which is a task and never another state.
func (s *Store) uncovered(ctx context.Context, tx db.Tx, r *Registration, dueID uuid.UUID, actor audit.Actor) error {
	b, err := ledger.BalanceOf(ctx, tx, dueID)
	if err != nil {
		return err
	}
	if b.Owed() >= 0 {
		if err := task.Close(ctx, tx, task.OverPaid, "registration", r.ID.String(), actor.String()); err != nil {
			return err
		}
	}
	if b.Paid <= b.Refunded {
		for _, kind := range []string{task.LateMoney, task.PartPaid, task.RefundDue} {
			if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
				return err
			}
		}
	}
	if b.Owed() > 0 && r.State != AwaitingPayment && !r.State.Info().Exit {
		return task.Open(ctx, tx, "owes_again", "registration", r.ID.String(), map[string]any{"registration": r.ID, "cents": b.Owed(), "why": "reversal"})
	}
	return nil
}
