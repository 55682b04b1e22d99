package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Regive gives a registration whose deadline passed its place again, as staff decide for money that came late: confirmed
// when the money covers it, to be paid for the rest otherwise. Conflict when it is not expired, when its camp is full,
// gone or has begun, or when the child is registered again.
func (s *Store) Regive(ctx context.Context, accountID, id uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.State != Expired {
			return problem.Conflict("registration.not_expired")
		}
		f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
		if err != nil {
			return err
		}
		switch {
		case f.Once:
			return problem.Conflict("registration.registered_again")
		case f.Camp.Cancelled || f.Camp.Archived || !s.Now().Before(f.Camp.BeginsAt):
			return problem.Conflict("registration.camp_gone")
		}
		granted, err := s.grant(ctx, tx, &r, f)
		if err != nil {
			return err
		}
		if !granted {
			return problem.Conflict("registration.no_place_again")
		}
		if err := s.standAgain(ctx, tx, &r, f, actor); err != nil {
			return err
		}
		return task.Close(ctx, tx, task.LateMoney, "registration", r.ID.String(), actor.String())
	})
}

// standAgain charges a registration that has its place again, and brings it to where its money puts it.
func (s *Store) standAgain(ctx context.Context, tx db.Tx, r *Registration, f Facts, actor audit.Actor) error {
	first, err := paysFirst(ctx, tx, r.ID)
	if err != nil || !first {
		if err != nil {
			return err
		}
		return s.chargeAgain(ctx, tx, r, f, actor, "")
	}
	if err := s.charge(ctx, tx, r, actor); err != nil {
		return err
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if a.covered() { // paid, and not decided yet
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	}
	return s.awaitPayment(ctx, tx, r, f, actor, "")
}
