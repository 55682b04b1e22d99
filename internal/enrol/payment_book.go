package enrol

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/task"
)

// take writes what the provider said of a payment; money is booked once and settled in the same transaction, and so is
// money that the payer's bank took back.
func (s *Store) take(ctx context.Context, id uuid.UUID, p pay.Payment) (after ledger.Attempt, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		settled, err := s.settledBy(ctx, tx, id) // registrations before the payment: every command locks in this order
		if err != nil {
			return err
		}
		a, err := ledger.LockAttempt(ctx, tx, id)
		if err != nil {
			return err
		}
		if after, _, err = ledger.Advance(ctx, tx, a, p, s.Now()); err != nil || after.Status != pay.StatusPaid {
			return err
		}
		if err := s.book(ctx, tx, settled, after); err != nil {
			return err
		}
		return s.bookReturned(ctx, tx, settled, after)
	})
	return after, err
}

// settled is one part of a payment with the due and the locked registration that it settles.
type settled struct {
	part ledger.Part
	due  ledger.Due
	reg  *Registration
}

// settledBy returns the parts of a payment, in their order, and locks their registrations.
func (s *Store) settledBy(ctx context.Context, tx db.Tx, id uuid.UUID) ([]settled, error) {
	parts, err := ledger.PartsOf(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	list := make([]settled, len(parts))
	var ids []uuid.UUID
	for i, p := range parts {
		list[i].part = p
		if list[i].due, err = ledger.ReadDue(ctx, tx, p.DueID); err != nil {
			return nil, err
		}
		ids = append(ids, list[i].due.RegistrationID)
	}
	all, err := lockAll(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	for i := range list {
		at := slices.IndexFunc(all, func(r Registration) bool { return r.ID == list[i].due.RegistrationID })
		list[i].reg = &all[at]
	}
	return list, nil
}

// book enters the money of a paid attempt on its dues in their order: what is too much goes to the last one, what is too
// little leaves it short. Booked before, it stays as it is.
func (s *Store) book(ctx context.Context, tx db.Tx, to []settled, a ledger.Attempt) error {
	actor := audit.Provider(a.Provider)
	left := a.PaidCents
	if left <= 0 { // paid, and nothing came
		detail := map[string]any{"registration": to[0].reg.ID, "asked": a.Cents, "paid": left}
		return task.Open(ctx, tx, task.OtherAmount, "registration", to[0].reg.ID.String(), detail)
	}
	for i, one := range to {
		cents := min(one.part.Cents, left)
		if i == len(to)-1 {
			cents = left
		}
		left -= cents
		if cents <= 0 {
			continue
		}
		added, err := ledger.Add(ctx, tx, one.due, ledger.Line{
			Kind: ledger.Payment, Cents: cents, Label: "ledger.payment", Source: a.Provider, PaymentID: &a.ID, Actor: actor.String(), At: s.Now(),
		})
		if err != nil {
			return err
		}
		if !added {
			continue
		}
		if cents != one.part.Cents {
			detail := map[string]any{"registration": one.reg.ID, "asked": one.part.Cents, "paid": cents}
			if err := task.Open(ctx, tx, task.OtherAmount, "registration", one.reg.ID.String(), detail); err != nil {
				return err
			}
		}
		if err := s.settle(ctx, tx, one.reg, one.due, actor); err != nil {
			return err
		}
	}
	return nil
}

// bookReturned books what the payer's bank took back, and what the provider gave back without us, on the last dues of
// the payment first. The registration keeps its state: staff have a task.
func (s *Store) bookReturned(ctx context.Context, tx db.Tx, to []settled, a ledger.Attempt) error {
	for _, kind := range []struct {
		label string
		cents civil.Cents
	}{{"ledger.chargeback", a.ChargedBack}, {"ledger.refund_outside", a.ReturnedCents - a.ChargedBack}} {
		known, err := ledger.ReturnedBy(ctx, tx, a.ID, kind.label)
		if err != nil {
			return err
		}
		if kind.cents < known { // a bank that gave back what it took
			if err := s.bookGivenAgain(ctx, tx, to, a, kind.label, known-kind.cents); err != nil {
				return err
			}
		}
		for i, one := range slices.Backward(to) {
			there, err := ledger.PaidBy(ctx, tx, a.ID, one.due.ID)
			if err != nil {
				return err
			}
			cents := min(kind.cents-known, there)
			if i == 0 { // a bank may take back what was refunded before: then the payer has it twice, and owes it
				cents = kind.cents - known
			}
			if cents <= 0 {
				continue
			}
			known += cents
			_, err = ledger.Add(ctx, tx, one.due, ledger.Line{
				Kind: ledger.Refund, Cents: cents, Label: kind.label, Source: a.Provider, PaymentID: &a.ID, Actor: audit.Provider(a.Provider).String(), At: s.Now(),
			})
			if err != nil {
				return err
			}
			if err := s.owesBack(ctx, tx, one.reg); err != nil {
				return err
			}
			if err := s.owesAgain(ctx, tx, one.reg, kind.label); err != nil {
				return err
			}
		}
	}
	return nil
}

// bookGivenAgain reverses lines of money taken back, the newest first, as far as whole lines come to cents.
func (s *Store) bookGivenAgain(ctx context.Context, tx db.Tx, to []settled, a ledger.Attempt, label string, cents civil.Cents) error {
	lines, err := ledger.Reversible(ctx, tx, a.ID, label)
	if err != nil {
		return err
	}
	actor := audit.Provider(a.Provider)
	for _, l := range lines {
		at := slices.IndexFunc(to, func(v settled) bool { return v.due.ID == l.DueID })
		if l.Cents > cents || at < 0 {
			continue
		}
		cents -= l.Cents
		_, err := ledger.Add(ctx, tx, to[at].due, ledger.Line{
			Kind: ledger.Payment, Cents: l.Cents, Label: "ledger.given_again", Source: a.Provider, Reverses: &l.ID, Actor: actor.String(), At: s.Now(),
		})
		if err != nil {
			return err
		}
		if err := s.settle(ctx, tx, to[at].reg, to[at].due, actor); err != nil {
			return err
		}
	}
	return nil
}
