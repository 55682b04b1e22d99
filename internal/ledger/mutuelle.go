package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// MutuelleContent is what an attestation for a health fund says beside the rest. It holds nothing about health.
type MutuelleContent struct {
	Camp     string
	Activity string // kind of activity, in the commune's words
	ONE      string // number that the ONE gave the organiser
	Phone    string
	Email    string
	From     civil.Date // first and last day that the child came
	Until    civil.Date
	Days     int
	PerDay   civil.Cents
	PaidOn   civil.Date // the last payment
}

// mutuellePrefix begins the numbers of attestations for health funds.
const mutuellePrefix = "MUT"

// Participation is a camp of which a debtor may ask an attestation for its health fund.
type Participation struct {
	RegistrationID uuid.UUID
	Child          string
	Camp           string
	LastDay        civil.Date
	Why            string // why there is none yet; "" when it can be made
}

// Participations returns the camps that a debtor paid for, of the last three years, the newest first.
func (s *Attestations) Participations(ctx context.Context, debtor uuid.UUID) ([]Participation, error) {
	f, err := s.paid(ctx, s.DB, debtor, uuid.Nil)
	if err != nil {
		return nil, err
	}
	since := s.today().AddDays(-3 * 366)
	var list []Participation
	seen := map[uuid.UUID]bool{}
	for i := len(f.cares) - 1; i >= 0; i-- {
		c := f.cares[i]
		why := c.took(f.terms, s.today())
		if seen[c.RegistrationID] || why == WhyLeft || c.lastDay.Before(since) {
			continue
		}
		seen[c.RegistrationID] = true
		list = append(list, Participation{RegistrationID: c.RegistrationID, Child: f.children[c.ChildID].FirstName, Camp: c.Camp, LastDay: c.lastDay, Why: why})
	}
	return list, nil
}

// took returns why a health fund gets no attestation: only a camp that is over, attended and wholly paid counts.
func (c care) took(t terms, today civil.Date) string {
	came, unmarked := c.days(t.unmarked)
	switch {
	case c.State != "confirmed" && c.State != "completed":
		return WhyLeft
	case c.lastDay.IsZero() || !c.lastDay.Before(today):
		return WhyNotOver
	case !c.Settled || c.After <= 0:
		return WhyUnpaid
	case unmarked > 0:
		return WhyUnmarked
	case len(came) == 0:
		return WhyAbsent
	}
	return ""
}

// paid reads the dues of a debtor on which anything was ever paid, of one registration or of all.
func (s *Attestations) paid(ctx context.Context, q db.Querier, debtor, registration uuid.UUID) (facts, error) {
	f := facts{}
	var err error
	if f.terms, err = readTerms(ctx, q); err != nil {
		return f, err
	}
	rows, err := q.Query(ctx, `
		SELECT `+careColumns+`
		FROM due d
		JOIN guardian g ON g.id = d.debtor_id
		JOIN registration r ON r.id = d.registration_id
		JOIN camp c ON c.id = r.camp_id
		`+careSums+`
		WHERE d.debtor_id = @debtor
		  AND d.kind = 'family'
		  AND (@registration::uuid = '00000000-0000-0000-0000-000000000000' OR d.registration_id = @registration)
		  AND EXISTS (SELECT 1 FROM ledger_line p WHERE p.due_id = d.id AND p.kind = 'payment')
		ORDER BY c.begins_at, d.registration_id, d.created_at, d.id`,
		pgx.NamedArgs{"from": time.Time{}, "until": s.Now().AddDate(1, 0, 0), "debtor": debtor, "registration": registration})
	if err != nil {
		return f, fmt.Errorf("reading what debtor %s paid: %w", debtor, err)
	}
	if f.cares, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[care]); err != nil {
		return f, fmt.Errorf("reading what debtor %s paid: %w", debtor, err)
	}
	return f, s.fill(ctx, q, &f)
}

// IssueMutuelle makes the attestation of one registration for the debtor's health fund, and returns the one that stands
// when nothing has changed since. NotFound when the debtor paid nothing for it, Conflict with the reason while it cannot
// be made. The amount is what this debtor paid; what others paid is theirs.
func (s *Attestations) IssueMutuelle(ctx context.Context, actor audit.Actor, debtor, registration uuid.UUID) (Attestation, error) {
	var a Attestation
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// Every series of these has one lock: the year is known later.
		if err := lockSeries(ctx, tx, SeriesMutuelle, 0); err != nil {
			return err
		}
		f, err := s.paid(ctx, tx, debtor, registration)
		if err != nil {
			return err
		}
		if len(f.cares) == 0 {
			return problem.NotFound("attestation.not_found")
		}
		if why := f.cares[0].took(f.terms, s.today()); why != "" {
			return problem.Conflict("attestation.why." + why)
		}
		if a, err = s.mutuelle(ctx, tx, f); err != nil {
			return err
		}
		before, err := s.standing(ctx, tx, debtor, registration)
		if err != nil {
			return err
		}
		if before != nil {
			if sameMutuelle(*before, a) {
				a = *before
				return nil
			}
			a.Treatment, a.Replaces, a.Content.Replaces = TreatmentChange, &before.ID, before.Content.Reference
		}
		return s.insert(ctx, tx, actor, mutuellePrefix, &a)
	})
	return a, err
}

// mutuelle fills an attestation from the dues of one registration.
func (s *Attestations) mutuelle(ctx context.Context, q db.Querier, f facts) (Attestation, error) {
	c := f.cares[0]
	came, _ := c.days(f.terms.unmarked)
	a := Attestation{
		ID: uuid.New(), Series: SeriesMutuelle, Year: c.lastDay.Year, DebtorID: c.DebtorID, ChildID: c.ChildID, RegistrationID: &c.RegistrationID,
		Content: f.terms.head,
	}
	for _, c := range f.cares {
		a.TotalCents += min(c.After, c.Charged+c.Fees)
	}
	m := &MutuelleContent{
		Camp: c.Camp, Activity: f.terms.activity, ONE: f.terms.one, Phone: f.terms.phone, Email: f.terms.email,
		From: came[0], Until: came[len(came)-1], Days: len(came),
	}
	m.PerDay = proportion(a.TotalCents, product(1), product(civil.Cents(len(came))))
	a.Content.Mutuelle = m
	var paid time.Time
	err := q.QueryRow(ctx, `
		SELECT max(at)
		FROM ledger_line
		WHERE registration_id = @registration
		  AND debtor_id = @debtor
		  AND kind = 'payment'`,
		pgx.NamedArgs{"registration": c.RegistrationID, "debtor": c.DebtorID}).Scan(&paid)
	if err != nil {
		return a, fmt.Errorf("reading when registration %s was paid: %w", c.RegistrationID, err)
	}
	m.PaidOn = civil.DateOf(paid, civil.Brussels)
	a.Content.Debtor, a.Content.Child, err = s.people(a.ID, f.debtors[c.DebtorID], f.children[c.ChildID])
	a.Content.Debtor.Number = nil // the fund asks for the child's alone
	return a, err
}

// standing returns the attestation for a health fund that stands for a registration, nil without.
func (s *Attestations) standing(ctx context.Context, q db.Querier, debtor, registration uuid.UUID) (*Attestation, error) {
	list, err := listAttestations(ctx, q, `a.series = 'mutuelle' AND a.registration_id = @registration AND a.debtor_id = @debtor
		AND NOT EXISTS (SELECT 1 FROM attestation n WHERE n.replaces = a.id)`,
		pgx.NamedArgs{"registration": registration, "debtor": debtor, "limit": 1, "skip": 0})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// sameMutuelle reports whether two say the same of the child, the camp and the money.
func sameMutuelle(a, b Attestation) bool {
	x, y := *a.Content.Mutuelle, *b.Content.Mutuelle
	return a.TotalCents == b.TotalCents && x.From == y.From && x.Until == y.Until && x.Days == y.Days && x.Camp == y.Camp && x.PaidOn == y.PaidOn &&
		a.Content.Child.Name() == b.Content.Child.Name() && a.Content.Debtor.Name() == b.Content.Debtor.Name() &&
		(len(a.Content.Child.Number) > 0) == (len(b.Content.Child.Number) > 0)
}
