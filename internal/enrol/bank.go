package enrol

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/task"
)

// SettleBank books money that a bank statement shows on a due, in the caller's transaction, and acts on what is then
// owed: covered, the registration is confirmed; late, double or too much money becomes a task, and so does too little.
// The statement's entry is booked once; day is when the bank booked it, the day on which it counts for the year. It
// returns what is owed before and after, negative when too much was paid. NotFound for an unknown due.
func (s *Store) SettleBank(ctx context.Context, tx db.Tx, actor audit.Actor, dueID, entryID uuid.UUID, cents civil.Cents, day civil.Date) (before, after civil.Cents, err error) {
	if cents <= 0 {
		return 0, 0, fmt.Errorf("settling %d cents of bank entry %s", cents, entryID)
	}
	d, err := ledger.ReadDue(ctx, tx, dueID)
	if err != nil {
		return 0, 0, err
	}
	r, err := lock(ctx, tx, d.RegistrationID)
	if err != nil {
		return 0, 0, err
	}
	b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
	if err != nil {
		return 0, 0, err
	}
	before = b.Owed()
	added, err := ledger.Add(ctx, tx, d, ledger.Line{
		Kind: ledger.Payment, Cents: cents, Label: "ledger.payment", Source: "bank", Actor: actor.String(), Key: &entryID, At: bookedAt(day, s.Now()),
	})
	if err != nil || !added {
		return before, before, err
	}
	detail := map[string]any{"due": dueID, "cents": cents, "source": "bank", "entry": entryID}
	if err := audit.Record(ctx, tx, actor, "payment.recorded", "registration", r.ID.String(), detail); err != nil {
		return 0, 0, err
	}
	if err := s.settle(ctx, tx, &r, d, actor); err != nil {
		return 0, 0, err
	}
	if b, err = ledger.BalanceOf(ctx, tx, d.ID, s.today()); err != nil {
		return 0, 0, err
	}
	after = b.Owed()
	if after > 0 && r.State == AwaitingPayment {
		err = task.Open(ctx, tx, task.PartPaid, "registration", r.ID.String(), map[string]any{"registration": r.ID, "cents": after})
	}
	return before, after, err
}

// bookedAt is noon of the day on which the bank booked money, unless it does not say or the day is not over: then now.
func bookedAt(day civil.Date, now time.Time) time.Time {
	if at := day.At(12*60, civil.Brussels); !day.IsZero() && at.Before(now) {
		return at
	}
	return now
}
