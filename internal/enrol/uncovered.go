package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/task"
)

// uncovered looks at a registration after money went out of one of its dues: what was late or short is so no more, and
// what was covered may be so no more, which is a task and never another state.
func (s *Store) uncovered(ctx context.Context, tx db.Tx, r *Registration, dueID uuid.UUID, actor audit.Actor) error {
	b, err := ledger.BalanceOf(ctx, tx, dueID, s.today())
	if err != nil {
		return err
	}
	if b.Kept() <= 0 {
		for _, kind := range []string{task.LateMoney, task.PartPaid} {
			if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
				return err
			}
		}
	}
	if err := s.owesBack(ctx, tx, r); err != nil || r.State.Info().Exit {
		return err
	}
	return s.owesAgain(ctx, tx, r, "reversal")
}
