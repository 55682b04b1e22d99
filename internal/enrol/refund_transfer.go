package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// fromBank is the source of the lines that a transfer books.
const fromBank = "bank"

// TransferSent notes, in the caller's transaction, that the bank has the order for a refund. Conflict unless it is decided
// and goes by transfer.
func (s *Store) TransferSent(ctx context.Context, tx db.Tx, actor audit.Actor, refundID uuid.UUID) error {
	return s.onTransfer(ctx, tx, refundID, func(_ *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundDecided {
			return problem.Conflict("transfer.not_now")
		}
		if _, err := s.moveRefund(ctx, tx, o, ledger.RefundSent, fromBank, actor); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "refund.sent", "refund", o.ID.String(), map[string]any{"cents": o.Cents})
	})
}

// TransferUnsent notes, in the caller's transaction, that the bank never carried the order out: it waits for another file.
func (s *Store) TransferUnsent(ctx context.Context, tx db.Tx, actor audit.Actor, refundID uuid.UUID) error {
	return s.onTransfer(ctx, tx, refundID, func(_ *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundSent {
			return problem.Conflict("transfer.not_now")
		}
		_, err := ledger.MoveRefund(ctx, tx, o, ledger.RefundDecided, fromBank, actor.String(), s.Now())
		return err
	})
}

// TransferExecuted books a refund that has left the commune's account, in the caller's transaction; day is when the bank
// carried it out, zero for today. Conflict when it is done, failed or given up.
func (s *Store) TransferExecuted(ctx context.Context, tx db.Tx, actor audit.Actor, refundID uuid.UUID, day civil.Date) error {
	return s.onTransfer(ctx, tx, refundID, func(r *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundDecided && o.State != ledger.RefundSent {
			return problem.Conflict("transfer.not_now")
		}
		o, err := ledger.MoveRefund(ctx, tx, o, ledger.RefundDone, fromBank, actor.String(), bookedAt(day, s.Now()))
		if err != nil {
			return err
		}
		if err := s.announceRefund(ctx, tx, o); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "refund.executed", "refund", o.ID.String(), map[string]any{"cents": o.Cents}); err != nil {
			return err
		}
		return s.uncovered(ctx, tx, r, o.DueID, actor)
	})
}

// TransferReturned notes, in the caller's transaction, that a bank did not carry a refund out or sent the money back, and
// makes a task of it. Money that had left is booked back: it is the payer's, and another refund is to be made. why is a
// bank's code or the words of a member of staff.
func (s *Store) TransferReturned(ctx context.Context, tx db.Tx, actor audit.Actor, refundID uuid.UUID, why string) error {
	return s.onTransfer(ctx, tx, refundID, func(r *Registration, o ledger.RefundOrder) error {
		state := ledger.RefundFailed
		switch o.State {
		case ledger.RefundDone:
			state = ledger.RefundDropped
		case ledger.RefundSent:
		default:
			return problem.Conflict("transfer.not_now")
		}
		o.Failure = why
		if _, err := s.moveRefund(ctx, tx, o, state, fromBank, actor); err != nil {
			return err
		}
		detail := map[string]any{"refund": o.ID, "registration": o.RegistrationID, "cents": o.Cents, "why": "refund.bank_returned"}
		if err := task.Open(ctx, tx, task.RefundStuck, "refund", o.ID.String(), detail); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "refund.returned", "refund", o.ID.String(), map[string]any{"cents": o.Cents}); err != nil {
			return err
		}
		return s.owesBack(ctx, tx, r)
	})
}

// onTransfer runs act on a refund by transfer, locked after its registration. NotFound for another refund.
func (s *Store) onTransfer(ctx context.Context, tx db.Tx, id uuid.UUID, act func(*Registration, ledger.RefundOrder) error) error {
	o, err := ledger.ReadRefund(ctx, tx, id)
	if err != nil {
		return err
	}
	r, err := lock(ctx, tx, o.RegistrationID)
	if err != nil {
		return err
	}
	if o, err = ledger.LockRefund(ctx, tx, id); err != nil {
		return err
	}
	if o.Way != ledger.ByTransfer {
		return problem.NotFound("refund.not_found")
	}
	return act(&r, o)
}
