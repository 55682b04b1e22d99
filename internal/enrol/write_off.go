package enrol

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// WriteOff gives up cents of what a payer owes: a rest that costs more to ask for than it brings. The reason, or the
// decision it rests on, stands on the line. It is no reduction: no credit note follows. The submission key books it once.
// Invalid without a reason, or for more than is owed.
func (s *Store) WriteOff(ctx context.Context, accountID, dueID uuid.UUID, cents civil.Cents, reason string, key uuid.UUID) error {
	reason = strings.TrimSpace(reason)
	var f problem.Fields
	if cents <= 0 {
		f.Add("amount", "payment.amount_out_of_range")
	}
	if reason == "" {
		f.Add("reason", "registration.reason_needed")
	}
	if len(reason) > maxReason {
		f.Add("reason", "form.too_long")
	}
	if err := f.Err(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		d, err := ledger.ReadDue(ctx, tx, dueID)
		if err != nil {
			return err
		}
		r, err := lock(ctx, tx, d.RegistrationID)
		if err != nil {
			return err
		}
		if _, err := ledger.LineByKey(ctx, tx, key); err == nil || !problem.Is(err, problem.KindNotFound) {
			return err // the form, sent twice
		}
		b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
		if err != nil {
			return err
		}
		if cents > b.Owed() {
			var f problem.Fields
			f.Add("amount", "payment.write_off_too_much", max(0, b.Owed()).Euros())
			return f.Err()
		}
		_, err = ledger.Add(ctx, tx, d, ledger.Line{
			Kind: ledger.WriteOff, Cents: cents, Label: "ledger.written_off", Regulation: reason, Source: "staff", Actor: actor.String(), Key: &key, At: s.Now(),
		})
		if err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "due.written_off", "registration", r.ID.String(), map[string]any{"due": d.ID, "cents": cents}); err != nil {
			return err
		}
		return s.settle(ctx, tx, &r, d, actor)
	})
}
