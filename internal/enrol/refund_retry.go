package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// RetryRefund lets a refund that failed leave again the way it was decided. A provider keeps what it answered to a key, so
// that its refund is dropped and decided anew; a transfer or cash that two agreed on stays agreed. Conflict when it did
// not fail, or left again already.
func (s *Store) RetryRefund(ctx context.Context, accountID, id uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundFailed {
			return problem.Conflict("refund.not_failed")
		}
		if err := s.resend(ctx, tx, o, actor); err != nil {
			return err
		}
		if err := task.Close(ctx, tx, task.RefundStuck, "refund", o.ID.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "refund.retried", "refund", o.ID.String(), map[string]any{"cents": o.Cents})
	})
}

// resend lets a failed refund leave once more.
func (s *Store) resend(ctx context.Context, tx db.Tx, o ledger.RefundOrder, actor audit.Actor) error {
	if o.Way != ledger.ByProvider {
		o.Failure = ""
		_, err := s.moveRefund(ctx, tx, o, ledger.RefundDecided, "staff", actor)
		return err
	}
	if _, err := s.moveRefund(ctx, tx, o, ledger.RefundDropped, "staff", actor); err != nil {
		return err
	}
	d, err := ledger.ReadDue(ctx, tx, o.DueID)
	if err != nil {
		return err
	}
	return s.giveBack(ctx, tx, d, o.Cents, ledger.RefundOrder{Reason: o.Reason, BatchID: o.BatchID, DecidedBy: actor.String()})
}
