package enrol

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
)

// Restore takes back an exit, with a reason: to the state before, with the same places when they are still free, else
// to the waiting list at the former rank. A decision that was not paid yet goes back to the queue.
func (s *Store) Restore(ctx context.Context, accountID, id uuid.UUID, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, true); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.State.Info().Exit {
			return s.reopen(ctx, tx, &r, actor, reason)
		}
		return s.undecide(ctx, tx, &r, actor, reason)
	})
	if db.Constraint(err) == "registration_once" {
		return problem.Conflict("registration.registered_again")
	}
	return err
}

// undecide puts a validated registration back into the queue; one for which money came is decided for good.
func (s *Store) undecide(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor, reason string) error {
	if r.State != Validated && r.State != AwaitingPayment && r.State != Confirmed {
		return problem.Conflict("registration.nothing_to_undo", r.State.Info().Label())
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if a.total().Kept() > 0 {
		return problem.Conflict("registration.paid_already")
	}
	if err := s.forgive(ctx, tx, r, 0, actor, reason); err != nil {
		return err
	}
	if err := place.Unconfirm(ctx, tx, r.ID); err != nil {
		return err
	}
	return s.move(ctx, tx, r, ToValidate, nil, actor, reason)
}

func (s *Store) reopen(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor, reason string) error {
	before, err := stateBefore(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
	if err != nil {
		return err
	}
	switch {
	case f.Once:
		return problem.Conflict("registration.registered_again")
	case f.Camp.Cancelled || f.Camp.Archived:
		return problem.Conflict("registration.camp_gone")
	}
	if !before.Info().Place {
		return s.move(ctx, tx, r, before, nil, actor, reason)
	}
	granted, err := s.grant(ctx, tx, r, f)
	if err != nil {
		return err
	}
	if !granted {
		return s.move(ctx, tx, r, Waitlisted, nil, actor, reason)
	}
	if before == ToValidate || before == Offered {
		return s.move(ctx, tx, r, ToValidate, nil, actor, reason)
	}
	return s.chargeAgain(ctx, tx, r, f, actor, reason)
}

// chargeAgain brings a registration that had been decided back to where its money puts it.
func (s *Store) chargeAgain(ctx context.Context, tx db.Tx, r *Registration, f Facts, actor audit.Actor, reason string) error {
	if r.PriceCents > 0 {
		if err := s.charge(ctx, tx, r, actor); err != nil {
			return err
		}
		if err := s.returnFee(ctx, tx, r, actor); err != nil {
			return err
		}
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if err := s.owesBack(ctx, tx, r); err != nil {
		return err
	}
	if !a.covered() {
		return s.awaitPayment(ctx, tx, r, f, actor, reason)
	}
	if err := place.Confirm(ctx, tx, r.ID); err != nil {
		return err
	}
	if err := s.move(ctx, tx, r, Confirmed, nil, actor, reason); err != nil {
		return err
	}
	return ledger.Papers(ctx, tx, s.Jobs, r.ID, ledger.OnConfirmation, "", s.Now())
}

// stateBefore is where a registration stood before it ended, as its history tells.
func stateBefore(ctx context.Context, q db.Querier, id uuid.UUID) (State, error) {
	var before State
	err := q.QueryRow(ctx, `
		SELECT from_state
		FROM registration_event
		WHERE registration_id = @id
		  AND from_state IS DISTINCT FROM to_state
		ORDER BY id DESC
		LIMIT 1`,
		pgx.NamedArgs{"id": id}).Scan(&before)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && before == "" {
		return "", problem.Conflict("registration.nothing_to_undo")
	}
	if err != nil {
		return "", fmt.Errorf("reading the history of registration %s: %w", id, err)
	}
	return before, nil
}

// returnFee takes back the fee that was charged for an exit that did not happen after all.
func (s *Store) returnFee(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	d, err := ledger.DueOf(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	var fee civil.Cents
	err = tx.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE WHEN kind = 'fee' AND label = 'ledger.cancel_fee' THEN cents WHEN kind = 'write_off' AND label = 'ledger.fee_back' THEN -cents END), 0)::bigint
		FROM ledger_line
		WHERE due_id = @due`,
		pgx.NamedArgs{"due": d.ID}).Scan(&fee)
	if err != nil {
		return fmt.Errorf("reading the fees of due %s: %w", d.ID, err)
	}
	if fee <= 0 {
		return nil
	}
	_, err = ledger.Add(ctx, tx, d, ledger.Line{
		Kind: ledger.WriteOff, Cents: fee, Label: "ledger.fee_back", Source: "staff", Actor: actor.String(), At: s.Now(),
	})
	return err
}
