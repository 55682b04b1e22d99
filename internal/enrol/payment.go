package enrol

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// StartPayment opens a payment for what a registration owes, or returns the one that is open already. back gives the
// address to which the payer's browser returns. Forbidden without the right to pay; Conflict when nothing is to be
// paid now; Unavailable without a provider or while it does not answer: trying again is safe.
func (s *Store) StartPayment(ctx context.Context, guardianID, id uuid.UUID, back func(payment uuid.UUID) string) (ledger.Attempt, error) {
	if s.Provider == nil {
		return ledger.Attempt{}, problem.Unavailable("payment.no_provider")
	}
	a, communication, err := s.attempt(ctx, guardianID, id)
	if err != nil || a.Status != ledger.StatusNew {
		return a, err
	}
	return s.open(ctx, a, communication, back)
}

// attempt stores a new attempt, or finds the one to go on with.
func (s *Store) attempt(ctx context.Context, guardianID, id uuid.UUID) (a ledger.Attempt, communication string, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightPay, s.today()); err != nil {
			return err
		}
		if r.State != AwaitingPayment {
			return problem.Conflict("payment.not_now", r.State.Info().Label())
		}
		d, err := ledger.DueOf(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		communication = d.Communication
		b, err := ledger.BalanceOf(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if b.Owed() <= 0 {
			return problem.Conflict("payment.nothing_due")
		}
		open, err := ledger.OpenAttempt(ctx, tx, d.ID)
		switch {
		case err == nil && open.Cents == b.Owed() && (open.Usable(s.Now()) || open.Status == ledger.StatusNew && !open.Forgotten(s.Now())):
			a = open
			return nil
		case err == nil && open.Status == pay.StatusPending:
			return problem.Conflict("payment.under_way")
		case err != nil && !problem.Is(err, problem.KindNotFound):
			return err
		}
		a, err = ledger.NewAttempt(ctx, tx, d.ID, s.Provider.Name(), b.Owed(), s.Now())
		return err
	})
	return a, communication, err
}

// open asks the provider for a stored attempt. The key makes it the same payment however often it is asked.
func (s *Store) open(ctx context.Context, a ledger.Attempt, communication string, back func(uuid.UUID) string) (ledger.Attempt, error) {
	name, err := camp.Setting(ctx, s.DB, "commune.name")
	if err != nil {
		return a, err
	}
	p, err := s.Provider.Create(ctx, pay.CreateRequest{
		Key: a.IdempotencyKey.String(), Amount: a.Cents, Description: name + " " + communication,
		RedirectURL: back(a.ID), WebhookURL: s.WebhookURL, Language: "fr", Method: "bancontact",
		Metadata: map[string]string{"payment": a.ID.String()},
	})
	if err != nil {
		if pay.Temporary(err) {
			return a, fmt.Errorf("%w: %w", problem.Unavailable("payment.provider_silent"), err)
		}
		failed := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error { return ledger.Fail(ctx, tx, a, s.Now()) })
		if failed != nil {
			return a, failed
		}
		return a, fmt.Errorf("%w: %w", problem.Unavailable("payment.provider_refuses"), err)
	}
	return s.take(ctx, a.ID, p)
}

// CheckPayment asks the provider where a payment stands and acts on it; a callback, the returning browser and the
// sweep all end here. It may be called at any time, any number of times. A temporary failure is returned, to be retried.
func (s *Store) CheckPayment(ctx context.Context, paymentID uuid.UUID) (pay.Status, error) {
	a, err := ledger.ReadAttempt(ctx, s.DB, paymentID)
	if err != nil {
		return "", err
	}
	if s.Provider == nil || a.Provider != s.Provider.Name() || a.Status == pay.StatusPaid {
		return a.Status, nil
	}
	if a.ProviderID == nil {
		return s.unanswered(ctx, a)
	}
	p, err := s.Provider.Fetch(ctx, *a.ProviderID)
	if err != nil {
		return a.Status, s.noAnswer(ctx, a, err)
	}
	after, err := s.take(ctx, a.ID, p)
	return after.Status, err
}

// unanswered deals with an attempt whose creation was never answered: nobody saw its page, so nobody can have paid;
// once the family can no longer reach it, it is closed.
func (s *Store) unanswered(ctx context.Context, a ledger.Attempt) (pay.Status, error) {
	if !a.Forgotten(s.Now()) {
		return a.Status, ledger.Looked(ctx, s.DB, a.ID, s.Now())
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error { return ledger.Fail(ctx, tx, a, s.Now()) })
	return pay.StatusFailed, err
}

func (s *Store) noAnswer(ctx context.Context, a ledger.Attempt, cause error) error {
	if err := ledger.Looked(ctx, s.DB, a.ID, s.Now()); err != nil {
		return err
	}
	if !pay.Temporary(cause) {
		err := task.Open(ctx, s.DB, task.PaymentUnsure, "payment", a.ID.String(), map[string]any{"payment": a.ID, "provider": a.Provider})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("asking %s for payment %s: %w", a.Provider, a.ID, cause)
}

// take writes what the provider said of a payment; money is booked once and settled in the same transaction.
func (s *Store) take(ctx context.Context, id uuid.UUID, p pay.Payment) (after ledger.Attempt, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		d, err := dueOfPayment(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := lock(ctx, tx, d.RegistrationID) // before the payment: every command locks in this order
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
		return s.book(ctx, tx, &r, d, after, p)
	})
	return after, err
}

func dueOfPayment(ctx context.Context, tx db.Tx, id uuid.UUID) (ledger.Due, error) {
	a, err := ledger.ReadAttempt(ctx, tx, id)
	if err != nil {
		return ledger.Due{}, err
	}
	return ledger.ReadDue(ctx, tx, a.DueID)
}

func (s *Store) book(ctx context.Context, tx db.Tx, r *Registration, d ledger.Due, a ledger.Attempt, p pay.Payment) error {
	actor := audit.Provider(a.Provider)
	added, err := ledger.Add(ctx, tx, d, ledger.Line{
		Kind: ledger.Payment, Cents: p.Amount, Label: "ledger.payment", Source: a.Provider, PaymentID: &a.ID, Actor: actor.String(), At: s.Now(),
	})
	if err != nil || !added {
		return err
	}
	if p.Amount != a.Cents {
		if err := task.Open(ctx, tx, task.OtherAmount, "registration", r.ID.String(), map[string]any{"registration": r.ID, "asked": a.Cents, "paid": p.Amount}); err != nil {
			return err
		}
	}
	return s.settle(ctx, tx, r, d, actor)
}

// CancelPayment closes a payment that the family no longer wants. One that was paid meanwhile stays paid.
func (s *Store) CancelPayment(ctx context.Context, guardianID, paymentID uuid.UUID) (pay.Status, error) {
	a, err := ledger.ReadAttempt(ctx, s.DB, paymentID)
	if err != nil {
		return "", err
	}
	d, err := ledger.ReadDue(ctx, s.DB, a.DueID)
	if err != nil {
		return "", err
	}
	r, err := s.Registration(ctx, d.RegistrationID)
	if err != nil {
		return "", err
	}
	if err := s.Households.Right(ctx, s.DB, guardianID, r.ChildID, household.RightPay, s.today()); err != nil {
		return "", err
	}
	if s.Provider == nil || a.ProviderID == nil || a.Status.Final() {
		return a.Status, nil
	}
	p, err := s.Provider.Cancel(ctx, *a.ProviderID)
	if pay.KindOf(err) == pay.ErrKindRefused {
		return s.CheckPayment(ctx, paymentID)
	}
	if err != nil {
		return a.Status, s.noAnswer(ctx, a, err)
	}
	after, err := s.take(ctx, a.ID, p)
	return after.Status, err
}

// PaymentByProvider returns the id of the attempt that the provider's callback names; NotFound for a foreign one.
func (s *Store) PaymentByProvider(ctx context.Context, providerID string) (uuid.UUID, error) {
	if s.Provider == nil {
		return uuid.Nil, problem.NotFound("ledger.payment_not_found")
	}
	a, err := ledger.AttemptByProvider(ctx, s.DB, s.Provider.Name(), providerID)
	return a.ID, err
}

// sweepAfter is how long a payment may be silent before the sweep asks after it.
const sweepAfter = 5 * time.Minute

// SweepPayments asks after every payment that has been silent for a while, in case its callback was lost, and returns
// how many it asked for. A failure of one does not keep it from the next.
func (s *Store) SweepPayments(ctx context.Context) (int, error) {
	ids, err := ledger.Unsettled(ctx, s.DB, s.Now().Add(-sweepAfter), 100)
	if err != nil {
		return 0, err
	}
	var first error
	for _, id := range ids {
		if _, err := s.CheckPayment(ctx, id); err != nil && first == nil {
			first = err
		}
	}
	return len(ids), first
}
