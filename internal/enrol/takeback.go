package enrol

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// maxTakenBack bounds the words that say why money is taken back, in characters.
const maxTakenBack = 500

// TakeBackAtDesk takes back money that was booked at the counter by mistake: by the same way, in the day of the desk
// that is still open. The registration keeps its state; one that is covered no more is a task. Invalid without a reason;
// Conflict once the day is closed, or when it was taken back before.
func (s *Store) TakeBackAtDesk(ctx context.Context, accountID, lineID uuid.UUID, reason string) error {
	reason = strings.TrimSpace(reason)
	var f problem.Fields
	switch {
	case reason == "":
		f.Add("reason", "form.required")
	case utf8.RuneCountInString(reason) > maxTakenBack:
		f.Add("reason", "form.too_long")
	}
	if err := f.Err(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		b, err := ledger.ReadLine(ctx, tx, lineID)
		if err != nil {
			return err
		}
		if b.Source != ledger.SourceCash && b.Source != ledger.SourceTerminal || !b.DayOpen {
			return problem.Conflict("cash.closed")
		}
		return s.takeBack(ctx, tx, b, "ledger.reversal", actor, nil, map[string]any{"line": b.ID, "cents": b.Cents, "source": b.Source, "reason": reason})
	})
}

// UnsettleBank takes back money that a movement of the bank had booked under a submission key on a due that was not the
// right one, in the caller's transaction. The registration keeps its state; one that is covered no more is a task.
func (s *Store) UnsettleBank(ctx context.Context, tx db.Tx, actor audit.Actor, entryID, key uuid.UUID) error {
	b, err := ledger.LineByKey(ctx, tx, key)
	if err != nil {
		return err
	}
	return s.takeBack(ctx, tx, b, "ledger.reversal", actor, nil, map[string]any{"line": b.ID, "cents": b.Cents, "source": b.Source, "entry": entryID})
}

// BankTookBack books that a payer's bank took a payment back, in the caller's transaction: entryID is the movement by
// which the money left. Conflict for what is no payment on the account, or was taken back before.
func (s *Store) BankTookBack(ctx context.Context, tx db.Tx, actor audit.Actor, entryID, key, lineID uuid.UUID) (dueID uuid.UUID, err error) {
	b, err := ledger.ReadLine(ctx, tx, lineID)
	if err != nil {
		return dueID, err
	}
	if b.Source != "bank" {
		return dueID, problem.Conflict("ledger.no_payment")
	}
	return b.DueID, s.takeBack(ctx, tx, b, "ledger.chargeback", actor, &key, map[string]any{"line": b.ID, "cents": b.Cents, "source": b.Source, "entry": entryID})
}

// takeBack books the line that takes a payment back, and looks at what that means for the registration.
func (s *Store) takeBack(ctx context.Context, tx db.Tx, b ledger.Booked, label string, actor audit.Actor, key *uuid.UUID, detail map[string]any) error {
	r, err := lock(ctx, tx, b.RegistrationID)
	if err != nil {
		return err
	}
	if err := ledger.Reverse(ctx, tx, b, label, actor.String(), key, s.Now()); err != nil {
		return err
	}
	if err := audit.Record(ctx, tx, actor, "payment.taken_back", "registration", r.ID.String(), detail); err != nil {
		return err
	}
	return s.uncovered(ctx, tx, &r, b.DueID, actor)
}
