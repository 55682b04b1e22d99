package enrol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Way is a way to pay over the network.
type Way struct {
	Provider string
	Method   string // bancontact and the like
}

// provider returns the provider of that name, or nil.
func (s *Store) provider(name string) pay.Provider {
	for _, p := range s.Providers {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Ways returns the ways to pay that are offered now, each method by the first provider that has it; the setting
// payment.prefer names the one that is asked first. A provider that does not answer offers nothing.
func (s *Store) Ways(ctx context.Context) []Way {
	var ways []Way
	providers := slices.Clone(s.Providers)
	if len(providers) > 1 {
		if prefer, err := camp.Setting(ctx, s.DB, "payment.prefer"); err == nil {
			at := slices.IndexFunc(providers, func(p pay.Provider) bool { return p.Name() == prefer })
			if at > 0 {
				providers = append(slices.Clone(providers[at:at+1]), slices.Delete(providers, at, at+1)...)
			}
		}
	}
	for _, p := range providers {
		methods, err := p.Methods(ctx)
		if err != nil {
			continue
		}
		for _, m := range methods {
			if !slices.ContainsFunc(ways, func(w Way) bool { return w.Method == m }) {
				ways = append(ways, Way{Provider: p.Name(), Method: m})
			}
		}
	}
	return ways
}

// Payable is what a guardian can pay now of a registration: the own due, or the family's first one. More than what is
// to be paid by today is taken when nothing is: an instalment of a later day.
func (s *Store) Payable(ctx context.Context, q db.Querier, r *Registration, guardianID uuid.UUID) (ledger.Due, civil.Cents, error) {
	d, err := ledger.DueFor(ctx, q, r.ID, guardianID)
	if problem.Is(err, problem.KindNotFound) {
		d, err = ledger.DueOf(ctx, q, r.ID)
	}
	if err != nil {
		return d, 0, err
	}
	b, err := ledger.BalanceOf(ctx, q, d.ID, s.today())
	if err != nil || r.undecided() || r.State == Submitted || b.Owed() <= 0 {
		return d, 0, err
	}
	if now := b.OwedNow(); now > 0 {
		return d, now, nil
	}
	return d, b.Owed(), nil
}

// StartPayment opens one payment for what a guardian owes for some registrations, or returns the one that is open
// already. back gives the address to which the payer's browser returns. Forbidden without the right to pay; Conflict
// when nothing is to be paid now, or the outcome of another payment is awaited; Unavailable without a provider of that
// method or while it does not answer: trying again is safe.
func (s *Store) StartPayment(ctx context.Context, guardianID uuid.UUID, ids []uuid.UUID, method string, back func(payment uuid.UUID) string) (ledger.Attempt, error) {
	ways := s.Ways(ctx)
	at := slices.IndexFunc(ways, func(w Way) bool { return w.Method == method })
	switch {
	case len(s.Providers) == 0:
		return ledger.Attempt{}, problem.Unavailable("payment.no_provider")
	case at < 0:
		return ledger.Attempt{}, problem.Unavailable("payment.provider_silent")
	}
	for range 2 { // the second time without the payments that stood in the way
		o, err := s.attempt(ctx, guardianID, ids, ways[at], back)
		if err != nil {
			return o.attempt, err
		}
		if len(o.others) > 0 {
			if err := s.cancelOthers(ctx, o.others); err != nil {
				return ledger.Attempt{}, err
			}
			continue
		}
		if o.attempt.Status != ledger.StatusNew {
			return o.attempt, nil
		}
		return s.open(ctx, o.attempt)
	}
	return ledger.Attempt{}, problem.Conflict("payment.under_way")
}

// cancelOthers closes open payments of the same dues, so that nobody pays twice; Conflict when one is paid or under way.
func (s *Store) cancelOthers(ctx context.Context, others []ledger.Attempt) error {
	for _, a := range others {
		status, err := s.cancelAttempt(ctx, a)
		if err != nil {
			return fmt.Errorf("%w: %w", problem.Unavailable("payment.provider_silent"), err)
		}
		if !status.Final() || status == pay.StatusPaid {
			return problem.Conflict("payment.under_way")
		}
	}
	return nil
}

// opening is a stored attempt with what stands in its way.
type opening struct {
	attempt ledger.Attempt
	others  []ledger.Attempt // open payments of other amounts or ways
}

// attempt stores a new attempt, or finds the one to go on with. With others in the way nothing is stored.
func (s *Store) attempt(ctx context.Context, guardianID uuid.UUID, ids []uuid.UUID, way Way, back func(uuid.UUID) string) (o opening, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		o = opening{}
		all, err := lockAll(ctx, tx, ids)
		if err != nil {
			return err
		}
		var parts []ledger.Part
		for _, r := range all {
			if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightPay, s.today()); err != nil {
				return err
			}
			d, owed, err := s.Payable(ctx, tx, &r, guardianID)
			if err != nil {
				return err
			}
			if owed <= 0 {
				if len(all) > 1 {
					continue
				}
				return problem.Conflict("payment.not_now", r.State.Info().Label())
			}
			parts = append(parts, ledger.Part{DueID: d.ID, Cents: owed})
		}
		if len(parts) == 0 {
			return problem.Conflict("payment.nothing_due")
		}
		if err := s.findOpen(ctx, tx, &o, parts, way); err != nil || o.attempt.ID != uuid.Nil || len(o.others) > 0 {
			return err
		}
		id := uuid.New()
		o.attempt, err = ledger.NewAttempt(ctx, tx, ledger.Attempt{ID: id, Provider: way.Provider, Method: way.Method, ReturnURL: back(id)}, parts, s.Now())
		return err
	})
	return o, err
}

// findOpen looks at the open payments of some dues: one that pays just these is gone on with, others stand in the way.
func (s *Store) findOpen(ctx context.Context, tx db.Tx, o *opening, parts []ledger.Part, way Way) error {
	for _, part := range parts {
		a, err := ledger.OpenAttempt(ctx, tx, part.DueID)
		if problem.Is(err, problem.KindNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if a.Status == pay.StatusPending || a.Status == pay.StatusAuthorized {
			return problem.Conflict("payment.under_way")
		}
		of, err := ledger.PartsOf(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		going := a.Usable(s.Now()) || a.Status == ledger.StatusNew && !a.Forgotten(s.Now())
		if going && slices.Equal(of, parts) && a.Provider == way.Provider && a.Method == way.Method {
			o.attempt = a
			return nil
		}
		if a.Usable(s.Now()) && !slices.ContainsFunc(o.others, func(b ledger.Attempt) bool { return b.ID == a.ID }) {
			o.others = append(o.others, a)
		}
	}
	return nil
}

// lockAll locks registrations in the order of their ids.
func lockAll(ctx context.Context, tx db.Tx, ids []uuid.UUID) ([]Registration, error) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var all []Registration
	for _, id := range slices.Compact(ids) {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// open asks the provider for a stored attempt. The key makes it the same payment however often it is asked.
func (s *Store) open(ctx context.Context, a ledger.Attempt) (ledger.Attempt, error) {
	name, err := camp.Setting(ctx, s.DB, "commune.name")
	if err != nil {
		return a, err
	}
	d, err := ledger.ReadDue(ctx, s.DB, a.DueID)
	if err != nil {
		return a, err
	}
	provider := s.provider(a.Provider)
	p, err := provider.Create(ctx, pay.CreateRequest{
		Key: a.IdempotencyKey.String(), Amount: a.Cents, Description: name + " " + d.Communication,
		RedirectURL: a.ReturnURL, WebhookURL: s.WebhookURLs[a.Provider], Language: "fr", Method: a.Method,
		Metadata: map[string]string{metadataPayment: a.ID.String()},
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
	provider := s.provider(a.Provider)
	if provider == nil {
		return a.Status, nil
	}
	if a.ProviderID == nil {
		return s.unanswered(ctx, a)
	}
	p, err := provider.Fetch(ctx, *a.ProviderID)
	if err != nil {
		return a.Status, s.noAnswer(ctx, a, err)
	}
	after, err := s.take(ctx, a.ID, p)
	if err == nil && after.Status == pay.StatusPaid { // a provider signals its refunds under the payment's id
		err = s.CheckRefunds(ctx, a.ID)
	}
	return after.Status, err
}

// metadataPayment is the name under which a provider keeps our id of a payment.
const metadataPayment = "payment"

// unanswered deals with an attempt whose creation was never answered: it is asked for again, as the same payment. Once
// the provider may have forgotten the key it is closed: nobody saw its page, so nobody can have paid.
func (s *Store) unanswered(ctx context.Context, a ledger.Attempt) (pay.Status, error) {
	if a.Status != ledger.StatusNew {
		return a.Status, nil
	}
	if !a.Forgotten(s.Now()) && a.ReturnURL != "" {
		after, err := s.open(ctx, a)
		return after.Status, err
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
	return s.cancelAttempt(ctx, a)
}

func (s *Store) cancelAttempt(ctx context.Context, a ledger.Attempt) (pay.Status, error) {
	provider := s.provider(a.Provider)
	if provider == nil || a.ProviderID == nil || a.Status.Final() {
		return a.Status, nil
	}
	p, err := provider.Cancel(ctx, *a.ProviderID)
	if pay.KindOf(err) == pay.ErrKindRefused {
		return s.CheckPayment(ctx, a.ID)
	}
	if err != nil {
		return a.Status, s.noAnswer(ctx, a, err)
	}
	after, err := s.take(ctx, a.ID, p)
	return after.Status, err
}

// PaymentByProvider returns the id of the attempt that a provider's callback names; NotFound for a foreign one. One that
// was created while our process died is known by what the provider kept of it.
func (s *Store) PaymentByProvider(ctx context.Context, name, providerID string) (uuid.UUID, error) {
	a, err := ledger.AttemptByProvider(ctx, s.DB, name, providerID)
	provider := s.provider(name)
	if !problem.Is(err, problem.KindNotFound) || provider == nil {
		return a.ID, err
	}
	waits, failed := ledger.AnyUnanswered(ctx, s.DB, name)
	if failed != nil || !waits { // a stranger's signal asks the provider nothing
		return uuid.Nil, errors.Join(failed, err)
	}
	p, unknown := provider.Fetch(ctx, providerID)
	id, bad := uuid.Parse(p.Metadata[metadataPayment])
	if unknown != nil || bad != nil {
		return uuid.Nil, err
	}
	if a, err = ledger.ReadAttempt(ctx, s.DB, id); err != nil {
		return uuid.Nil, err
	}
	if a.Provider != name || a.ProviderID != nil {
		return uuid.Nil, problem.NotFound("ledger.payment_not_found")
	}
	_, err = s.take(ctx, id, p)
	return id, err
}

// paidLook is how often a paid payment is looked at, and paidLife for how long.
const (
	paidLook = 3 * 24 * time.Hour
	paidLife = 120 * 24 * time.Hour
)

// sweepAfter is how long a payment may be silent before the sweep asks after it.
const sweepAfter = 5 * time.Minute

// SweepPayments asks after every payment that has been silent for a while, in case its callback was lost, and returns
// how many it asked for. A failure of one does not keep it from the next.
func (s *Store) SweepPayments(ctx context.Context) (int, error) {
	ids, err := ledger.Unsettled(ctx, s.DB, s.Now().Add(-sweepAfter), 100)
	if err != nil {
		return 0, err
	}
	// A bank takes money back for weeks: what is paid is looked at now and then too, if that was never signalled.
	paid, err := ledger.PaidSilent(ctx, s.DB, s.Now().Add(-paidLook), s.Now().Add(-paidLife), 20)
	if err != nil {
		return 0, err
	}
	ids = append(ids, paid...)
	var first error
	for _, id := range ids {
		if _, err := s.CheckPayment(ctx, id); err != nil && first == nil {
			first = err
		}
	}
	return len(ids), first
}
