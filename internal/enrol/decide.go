package enrol

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
	"ribambelle/internal/transport"
)

// maxReason bounds a reason, in bytes.
const maxReason = 1000

// Decide validates a request, or refuses it with a reason that the family reads. Invalid without the reason of a
// refusal, of an exception, or of going without the other parent's consent; Conflict when the request no longer waits for a decision.
func (s *Store) Decide(ctx context.Context, accountID, id uuid.UUID, accept bool, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, !accept); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if !accept {
			return s.leave(ctx, tx, &r, Refused, 0, actor, reason)
		}
		if r.State != ToValidate {
			return problem.Conflict("registration.not_to_decide", r.State.Info().Label())
		}
		f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
		if err != nil {
			return err
		}
		if err := s.override(ctx, tx, &r, f, accountID, reason); err != nil {
			return err
		}
		if err := s.overrideConsent(ctx, tx, &r, accountID, reason); err != nil {
			return err
		}
		if err := s.move(ctx, tx, &r, Validated, nil, actor, reason); err != nil {
			return err
		}
		return s.askPayment(ctx, tx, &r, f, actor)
	})
}

// override lets a registration pass the bars to which its family asked an exception; the reason is kept with each.
func (s *Store) override(ctx context.Context, tx db.Tx, r *Registration, f Facts, accountID uuid.UUID, reason string) error {
	reasons := withoutWindow(Eligible(f))
	if r.Derogation == "" || !Barred(reasons) {
		return nil
	}
	if err := checkReason(reason, true); err != nil {
		return err
	}
	for _, b := range reasons {
		if !b.Bar {
			continue
		}
		if !b.Derogation {
			return bars(reasons)
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO registration_override (registration_id, rule, reason, account_id, at)
			VALUES (@id, @rule, @reason, @account, @now)
			ON CONFLICT DO NOTHING`,
			pgx.NamedArgs{"id": r.ID, "rule": b.Rule, "reason": reason, "account": accountID, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("overriding %s for registration %s: %w", b.Rule, r.ID, err)
		}
	}
	return audit.Record(ctx, tx, audit.Account(accountID), "registration.overridden", "registration", r.ID.String(), nil)
}

func checkReason(reason string, needed bool) error {
	var f problem.Fields
	if needed && reason == "" {
		f.Add("reason", "registration.reason_needed")
	}
	if len(reason) > maxReason {
		f.Add("reason", "form.too_long")
	}
	return f.Err()
}

// askPayment charges a validated registration and asks the family to pay, or confirms it when nothing is due.
func (s *Store) askPayment(ctx context.Context, tx db.Tx, r *Registration, f Facts, actor audit.Actor) error {
	if r.PriceCents == 0 && r.State != Validated { // nothing to pay first: staff decide at once
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	}
	if r.PriceCents == 0 {
		if err := place.Confirm(ctx, tx, r.ID); err != nil {
			return err
		}
		return s.move(ctx, tx, r, Confirmed, nil, actor, "")
	}
	if err := s.charge(ctx, tx, r, actor); err != nil {
		return err
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if r.State == Validated && a.covered() { // paid before the decision, or promised by an organisation
		return s.confirm(ctx, tx, r, actor)
	}
	return s.awaitPayment(ctx, tx, r, f, actor, "")
}

// awaitPayment asks the family of a charged registration to pay, by a document too where the commune wants it.
func (s *Store) awaitPayment(ctx context.Context, tx db.Tx, r *Registration, f Facts, actor audit.Actor, reason string) error {
	due := payBy(s.Now(), f)
	if err := s.move(ctx, tx, r, AwaitingPayment, &due, actor, reason); err != nil {
		return err
	}
	return ledger.Papers(ctx, tx, s.Jobs, r.ID, ledger.OnCharge, "", s.Now())
}

// leave ends a registration: its places are freed, what was not paid is no longer due, and the next family on the
// waiting list is offered the place. The regulation may keep a fee of that many cents; money that was paid beyond it
// becomes a task until it has gone back.
func (s *Store) leave(ctx context.Context, tx db.Tx, r *Registration, exit State, fee civil.Cents, actor audit.Actor, reason string) error {
	if err := s.move(ctx, tx, r, exit, nil, actor, reason); err != nil {
		return err
	}
	if err := place.Release(ctx, tx, r.ID); err != nil {
		return err
	}
	if err := transport.Leave(ctx, tx, r.ID); err != nil {
		return err
	}
	if err := s.forgive(ctx, tx, r, fee, actor, reason); err != nil {
		return err
	}
	for _, kind := range []string{task.PartPaid, task.OwesAgain, task.CancelAsked, task.SiblingLeft} { // nothing to see to any more
		if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
			return err
		}
	}
	return s.promote(ctx, tx, r.CampID)
}

// Withdraw takes a registration back for a guardian with the right to cancel. Once money was paid, past the camp's
// deadline, or when someone else is the payer, it becomes a request that staff decide: then done is false and nothing
// else has changed.
func (s *Store) Withdraw(ctx context.Context, guardianID, accountID, id uuid.UUID, reason string) (done bool, err error) {
	return s.withdraw(ctx, guardianID, accountID, id, reason, false)
}

// WithdrawCertified asks staff to let the child go without a fee, for a medical certificate that they will see: it is
// always a request.
func (s *Store) WithdrawCertified(ctx context.Context, guardianID, accountID, id uuid.UUID, reason string) error {
	_, err := s.withdraw(ctx, guardianID, accountID, id, reason, true)
	return err
}

func (s *Store) withdraw(ctx context.Context, guardianID, accountID, id uuid.UUID, reason string, certificate bool) (done bool, err error) {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, false); err != nil {
		return false, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		done = false
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightCancel, s.today()); err != nil {
			return err
		}
		if r.State.Info().Exit || r.State == Completed {
			return problem.Conflict("registration.over", r.State.Info().Label())
		}
		v, err := s.leaving(ctx, tx, &r, guardianID, certificate)
		if err != nil {
			return err
		}
		if v.Request || certificate {
			detail := map[string]any{"registration": r.ID, "guardian": guardianID, "reason": reason, "certificate": certificate}
			if err := task.Open(ctx, tx, task.CancelAsked, "registration", r.ID.String(), detail); err != nil {
				return err
			}
			if r.PayerID != guardianID {
				if _, err := s.Jobs.InsertTx(ctx, tx, job.CancelAsked{RegistrationID: r.ID.String(), At: s.Now()}, nil); err != nil {
					return fmt.Errorf("telling the payer of registration %s: %w", r.ID, err)
				}
			}
			return audit.Record(ctx, tx, audit.Account(accountID), "registration.cancel_asked", "registration", r.ID.String(), map[string]any{"guardian": guardianID})
		}
		done = true
		return s.leave(ctx, tx, &r, Withdrawn, v.Fee, audit.Account(accountID), reason)
	})
	return done, err
}

// Ending is how staff end a registration.
type Ending struct {
	Reason   string      // that the family reads
	Fee      civil.Cents // that the commune keeps; LeavingFor computes it, staff may ask less
	GiveBack bool        // decide at once that what was paid beyond the fee goes back the way it came
}

// Cancel ends a registration by the commune, without a fee, with a reason that the family reads.
func (s *Store) Cancel(ctx context.Context, accountID, id uuid.UUID, reason string) error {
	return s.End(ctx, accountID, id, Ending{Reason: reason})
}

// End ends a registration, by the commune or in answer to a family's request. Invalid without a reason, or with a fee above
// what the registration costs.
func (s *Store) End(ctx context.Context, accountID, id uuid.UUID, e Ending) error {
	e.Reason = strings.TrimSpace(e.Reason)
	if err := checkReason(e.Reason, true); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		a, err := s.accounts(ctx, tx, id)
		if err != nil {
			return err
		}
		if e.Fee < 0 || e.Fee > max(0, a.total().Price) {
			var f problem.Fields
			f.Add("fee", "registration.fee_too_high")
			return f.Err()
		}
		if err := s.leave(ctx, tx, &r, Cancelled, e.Fee, actor, e.Reason); err != nil {
			return err
		}
		if e.GiveBack {
			all, err := s.returnable(ctx, tx, id)
			if err != nil {
				return err
			}
			for _, v := range all {
				if err := s.giveBack(ctx, tx, v.Due, v.Cents, ledger.RefundOrder{Reason: e.Reason, DecidedBy: actor.String()}); err != nil {
					return err
				}
			}
			if err := s.owesBack(ctx, tx, &r); err != nil {
				return err
			}
		}
		return task.Close(ctx, tx, task.CancelAsked, "registration", r.ID.String(), accountID.String())
	})
}

// Answer takes an offered place, or declines it, for a guardian with the right to register.
func (s *Store) Answer(ctx context.Context, guardianID, accountID, id uuid.UUID, take bool) error {
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightRegister, s.today()); err != nil {
			return err
		}
		if r.State != Offered || r.DueAt != nil && s.Now().After(*r.DueAt) {
			return problem.Gone("registration.offer_over")
		}
		if !take {
			return s.leave(ctx, tx, &r, Declined, 0, actor, "")
		}
		f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
		if err != nil {
			return err
		}
		return s.accept(ctx, tx, &r, f, actor)
	})
}
