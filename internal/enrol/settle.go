package enrol

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// settle looks at what a registration owes after money came in on one of its dues: covered, it is confirmed and invoiced;
// an expired one gets its place back if there still is one; everything else that is paid becomes a task.
func (s *Store) settle(ctx context.Context, tx db.Tx, r *Registration, d ledger.Due, actor audit.Actor) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	b := a.of[d.ID]
	if r.State == Expired && b.Kept() > 0 {
		return s.late(ctx, tx, r, actor)
	}
	if a.covered() {
		kinds := []string{task.PartPaid, task.OwesAgain}
		if a.total().Owed() >= 0 {
			kinds = append(kinds, task.OtherAmount)
		}
		for _, kind := range kinds {
			if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
				return err
			}
		}
	}
	if b.Owed() < 0 {
		if err := s.owesBack(ctx, tx, r); err != nil {
			return err
		}
	}
	return s.advance(ctx, tx, r, a, actor)
}

// advance leads a registration on whose payment was awaited, once it is covered.
func (s *Store) advance(ctx context.Context, tx db.Tx, r *Registration, a accounts, actor audit.Actor) error {
	if r.State != AwaitingPayment || !a.covered() {
		return nil
	}
	first, err := paysFirst(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if first { // paid, and not decided yet
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	}
	return s.confirm(ctx, tx, r, actor)
}

// owesAgain keeps a task while a registration that was covered is so no more: a bank took money back, a promise was
// withdrawn, an instalment passed. Its state stays.
func (s *Store) owesAgain(ctx context.Context, tx db.Tx, r *Registration, why string) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil || a.covered() || r.State == AwaitingPayment {
		return err
	}
	return task.Open(ctx, tx, task.OwesAgain, "registration", r.ID.String(), map[string]any{"registration": r.ID, "cents": a.total().OwedNow(), "why": why})
}

// paysFirst reports whether nobody has decided on a registration yet: its camp asks for the money before.
func paysFirst(ctx context.Context, q db.Querier, id uuid.UUID) (bool, error) {
	var decided bool
	err := q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM registration_event WHERE registration_id = @id AND to_state = 'validated')`,
		pgx.NamedArgs{"id": id}).Scan(&decided)
	if err != nil {
		return false, fmt.Errorf("reading the history of registration %s: %w", id, err)
	}
	return !decided, nil
}

// confirm makes a covered registration certain, and invoices each family that pays for it.
func (s *Store) confirm(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	if err := place.Confirm(ctx, tx, r.ID); err != nil {
		return err
	}
	if err := s.move(ctx, tx, r, Confirmed, nil, actor, ""); err != nil {
		return err
	}
	return ledger.Papers(ctx, tx, s.Jobs, r.ID, ledger.OnConfirmation, "", s.Now())
}

// late handles money for a place that was given up: the place again if it is still free, else a task for staff.
func (s *Store) late(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if missing := r.PriceCents - a.promised(r.PriceCents) - a.total().Kept(); missing > 0 { // no place for a part of the price
		return task.Open(ctx, tx, task.LateMoney, "registration", r.ID.String(), map[string]any{"registration": r.ID, "owed": missing})
	}
	f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
	if err != nil && !problem.Is(err, problem.KindInvalid) {
		return err
	}
	ok := err == nil && !f.Once && s.Now().Before(f.Camp.BeginsAt) && r.mayStillCome(f)
	if ok {
		if ok, err = s.grant(ctx, tx, r, f); err != nil {
			return err
		}
	}
	if !ok {
		return task.Open(ctx, tx, task.LateMoney, "registration", r.ID.String(), map[string]any{"registration": r.ID})
	}
	if err := s.charge(ctx, tx, r, actor); err != nil {
		return err
	}
	return s.confirm(ctx, tx, r, actor)
}

// Sources are the ways in which staff see money arrive: on the account, in notes and coins, by the counter's terminal.
var Sources = []string{"bank", "cash", "terminal"}

// RecordPayment books money that staff saw: on the account, or at the counter. The submission key books it once.
func (s *Store) RecordPayment(ctx context.Context, accountID, dueID uuid.UUID, cents civil.Cents, source string, key uuid.UUID) error {
	var f problem.Fields
	if cents <= 0 || cents > maxPayment {
		f.Add("amount", "payment.amount_out_of_range")
	}
	if !slices.Contains(Sources, source) {
		f.Add("source", "payment.source_unknown")
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
		added, err := ledger.Add(ctx, tx, d, ledger.Line{
			Kind: ledger.Payment, Cents: cents, Label: "ledger.payment", Source: source, Actor: actor.String(), Key: &key, At: s.Now(),
		})
		if err != nil || !added {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "payment.recorded", "registration", r.ID.String(), map[string]any{"due": dueID, "cents": cents, "source": source}); err != nil {
			return err
		}
		return s.settle(ctx, tx, &r, d, actor)
	})
}

// maxPayment is a bound against a slip of the keyboard: 10 000,00 €.
const maxPayment = 1_000_000
