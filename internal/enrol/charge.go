package enrol

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// accounts is the money of a registration: its dues, the first one first, and what stands on each as of today.
type accounts struct {
	dues []ledger.Due
	of   map[uuid.UUID]ledger.Balance
}

func (s *Store) accounts(ctx context.Context, q db.Querier, id uuid.UUID) (accounts, error) {
	var a accounts
	var err error
	if a.dues, err = ledger.DuesOf(ctx, q, id); err != nil || len(a.dues) == 0 {
		return a, err
	}
	a.of, err = ledger.BalancesOf(ctx, q, id, s.today())
	return a, err
}

// total sums every due.
func (a accounts) total() (sum ledger.Balance) {
	for _, b := range a.of {
		sum = sum.Plus(b)
	}
	return sum
}

// covered reports whether what is to be paid by today is: a promise of an organisation counts as paid.
func (a accounts) covered() bool {
	for _, d := range a.dues {
		if d.Kind == ledger.DueFamily && a.of[d.ID].OwedNow() > 0 {
			return false
		}
	}
	return true
}

// promised is what organisations would pay of a price.
func (a accounts) promised(price civil.Cents) (sum civil.Cents) {
	for d, part := range a.parts(price) {
		if a.dues[d].Kind == ledger.DueCover {
			sum += part
		}
	}
	return sum
}

// parts splits a price over the dues, in their order: the first due takes what the others leave, and covers take their
// part before the families share the rest.
func (a accounts) parts(price civil.Cents) []civil.Cents {
	parts := make([]civil.Cents, len(a.dues))
	left := price
	for _, kind := range []string{ledger.DueCover, ledger.DueFamily} {
		base := left
		for i, d := range a.dues {
			if d.Kind != kind || d.First() {
				continue
			}
			parts[i] = min(d.Part(base), left)
			left -= parts[i]
		}
	}
	for i, d := range a.dues {
		if d.First() {
			parts[i] = left
		}
	}
	return parts
}

// charge books what a registration costs, unless its lines already amount to that, and splits it over its payers. The
// first time, the lines are those of the price; what changes later is one more line.
func (s *Store) charge(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	terms, err := camp.TermsOf(ctx, tx, r.CampID)
	if err != nil {
		return err
	}
	first, err := ledger.DueOf(ctx, tx, r.ID)
	if problem.Is(err, problem.KindNotFound) {
		first, err = ledger.NewDue(ctx, tx, ledger.Due{RegistrationID: r.ID, PayerID: r.PayerID, DebtorID: r.DebtorID}, s.Now())
	}
	if err != nil {
		return err
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	b := booking{store: s, tx: tx, actor: actor, regulation: terms.Regulation}
	if price := a.total().Price; price == 0 {
		for _, l := range r.PriceDetail {
			line := b
			line.regulation = cmp.Or(l.Regulation, terms.Regulation)
			if err := line.price(ctx, first, l.Cents, l.Label, l.Label); err != nil {
				return err
			}
		}
	} else if err := b.price(ctx, first, r.PriceCents-price, "ledger.rest", "ledger.less"); err != nil {
		return err
	}
	if err := b.split(ctx, r); err != nil {
		return err
	}
	if err := s.plan(ctx, tx, r, terms); err != nil {
		return err
	}
	return s.owesBack(ctx, tx, r)
}

// booking writes lines of a tariff.
type booking struct {
	store      *Store
	tx         db.Tx
	actor      audit.Actor
	regulation string
}

// price books a charge, or for a negative amount a reduction; nothing for zero.
func (b booking) price(ctx context.Context, d ledger.Due, cents civil.Cents, more, less string) error {
	line := ledger.Line{Kind: ledger.Charge, Cents: cents, Label: more, Regulation: b.regulation, Source: "tariff", Actor: b.actor.String(), At: b.store.Now()}
	switch {
	case cents == 0:
		return nil
	case cents < 0:
		line.Kind, line.Cents, line.Label = ledger.Reduction, -cents, less
	}
	_, err := ledger.Add(ctx, b.tx, d, line)
	return err
}

// split brings each due of a charged registration to its part of the price.
func (b booking) split(ctx context.Context, r *Registration) error {
	a, err := b.store.accounts(ctx, b.tx, r.ID)
	if err != nil {
		return err
	}
	parts := a.parts(a.total().Price)
	for i, d := range a.dues {
		if err := b.price(ctx, d, parts[i]-a.of[d.ID].Price, "ledger.part_in", "ledger.part_out"); err != nil {
			return err
		}
	}
	return nil
}

// plan lets a family pay a deposit now and the rest before the camp, where the camp allows it and there is time. A due
// that has a plan keeps it.
func (s *Store) plan(ctx context.Context, tx db.Tx, r *Registration, terms camp.Terms) error {
	if terms.DepositPercent >= 100 {
		return nil
	}
	c, err := campFacts(ctx, tx, []uuid.UUID{r.CampID})
	if err != nil {
		return err
	}
	rest := Facts{Camp: c[0].camp, Sessions: c[0].sessions}.FirstDay().AddDays(-terms.RestDays)
	if !rest.After(s.today().AddDays(c[0].camp.PayDays)) {
		return nil
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	for _, d := range a.dues {
		price := a.of[d.ID].Price
		deposit := (price*civil.Cents(terms.DepositPercent) + 99) / 100
		if d.Kind != ledger.DueFamily || deposit <= 0 || deposit >= price {
			continue
		}
		there, err := ledger.InstalmentsOf(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			continue
		}
		if err := ledger.Plan(ctx, tx, d.ID, []ledger.Instalment{{DueOn: s.today(), Cents: deposit}, {DueOn: rest, Cents: price - deposit}}); err != nil {
			return err
		}
	}
	return nil
}

// forgive takes back the charges of an exit, and books the fee that the regulation keeps, of fee cents, on the first
// due. What was paid beyond is then owed to its payer: a task, until it is given back.
func (s *Store) forgive(ctx context.Context, tx db.Tx, r *Registration, fee civil.Cents, actor audit.Actor, reason string) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil || len(a.dues) == 0 {
		return err
	}
	terms, err := camp.TermsOf(ctx, tx, r.CampID)
	if err != nil {
		return err
	}
	for i, d := range a.dues {
		b := a.of[d.ID]
		if b.Price > 0 {
			_, err := ledger.Add(ctx, tx, d, ledger.Line{
				Kind: ledger.Reduction, Cents: b.Price, Label: "ledger.given_up", Source: "staff", Actor: actor.String(), At: s.Now(),
			})
			if err != nil {
				return err
			}
		}
		if err := ledger.Plan(ctx, tx, d.ID, nil); err != nil {
			return err
		}
		if i > 0 || fee <= 0 {
			continue
		}
		_, err := ledger.Add(ctx, tx, d, ledger.Line{
			Kind: ledger.Fee, Cents: fee, Label: "ledger.cancel_fee", Regulation: terms.Regulation, Source: "tariff", Actor: actor.String(), At: s.Now(),
		})
		if err != nil {
			return err
		}
	}
	if reason == "" {
		reason = "ledger.given_up"
	}
	if err := ledger.Papers(ctx, tx, s.Jobs, r.ID, ledger.OnReduction, reason, s.Now()); err != nil {
		return err
	}
	return s.owesBack(ctx, tx, r)
}

// trimRefunds drops the newest refunds of a due that have not left, until they come to no more than is owed back: the
// money serves again, or its payer's bank took it.
func (s *Store) trimRefunds(ctx context.Context, tx db.Tx, d ledger.Due, owed civil.Cents) error {
	open, err := ledger.RefundsUnderWay(ctx, tx, d.ID)
	if err != nil || open <= owed {
		return err
	}
	all, err := ledger.RefundsOf(ctx, tx, d.RegistrationID)
	if err != nil {
		return err
	}
	for _, o := range slices.Backward(all) {
		if o.DueID != d.ID || open <= owed || o.State == ledger.RefundSent || !o.UnderWay() {
			continue
		}
		open -= o.Cents
		if _, err := s.moveRefund(ctx, tx, o, ledger.RefundDropped, "staff", audit.Job("refund")); err != nil {
			return err
		}
		for _, kind := range []string{task.RefundSecond, task.RefundStuck} {
			if err := task.Close(ctx, tx, kind, "refund", o.ID.String(), "enrol"); err != nil {
				return err
			}
		}
	}
	return nil
}

// owesBack keeps the task of money that a registration owes to its payers, less what is on its way back.
func (s *Store) owesBack(ctx context.Context, tx db.Tx, r *Registration) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	var back civil.Cents
	for _, d := range a.dues {
		if err := s.trimRefunds(ctx, tx, d, max(0, -a.of[d.ID].Owed())); err != nil {
			return err
		}
		open, err := ledger.RefundsUnderWay(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		back += max(0, -a.of[d.ID].Owed()-open)
	}
	if back == 0 {
		kinds := []string{task.OverPaid, task.RefundDue, task.LateMoney}
		if a.covered() {
			kinds = append(kinds, task.OtherAmount)
		}
		for _, kind := range kinds {
			if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), "enrol"); err != nil {
				return err
			}
		}
		return seenStuck(ctx, tx, r.ID, audit.Job("refund"))
	}
	kind := task.OverPaid
	if r.State.Info().Exit {
		kind = task.RefundDue
	}
	return task.Open(ctx, tx, kind, "registration", r.ID.String(), map[string]any{"registration": r.ID, "cents": back})
}
