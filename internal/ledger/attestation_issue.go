package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
)

// IssueOptions narrow what issuing makes.
type IssueOptions struct {
	WithoutNumber bool      // makes those too on which a national number is missing
	Debtor        uuid.UUID // of this debtor alone; the zero id is everybody
}

// Issued counts what issuing made.
type Issued struct {
	New, Changed, Withdrawn, Held, Unchanged int
	Total                                    civil.Cents // of new and changed ones
	IDs                                      []uuid.UUID
}

// IssueAttestations makes the 281.86 of a year that are new or changed, all or none, and tells their debtors. Issued
// again it makes nothing until something has changed. Issuers of one year follow each other. Invalid for a year out of
// range.
func (s *Attestations) IssueAttestations(ctx context.Context, actor audit.Actor, year int, o IssueOptions) (Issued, error) {
	if err := s.CheckYear(year); err != nil {
		return Issued{}, err
	}
	var done Issued
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		done = Issued{}
		if err := lockSeries(ctx, tx, SeriesFiscal, year); err != nil {
			return err
		}
		p, err := s.plan(ctx, tx, year, o.Debtor)
		if err != nil {
			return err
		}
		done.Unchanged = p.Unchanged
		for _, v := range p.Planned {
			if v.Held(o.WithoutNumber) {
				done.Held++
				continue
			}
			a, err := s.issueOne(ctx, tx, actor, p, v)
			if err != nil {
				return err
			}
			done.count(a)
		}
		return audit.Record(ctx, tx, actor, "attestation.batch", "attestation", fmt.Sprint(year), map[string]any{
			"new": done.New, "changed": done.Changed, "withdrawn": done.Withdrawn, "held": done.Held, "unchanged": done.Unchanged,
		})
	})
	return done, err
}

func (d *Issued) count(a Attestation) {
	d.IDs = append(d.IDs, a.ID)
	d.Total += a.TotalCents
	switch a.Treatment {
	case TreatmentChange:
		d.Changed++
	case TreatmentCancel:
		d.Withdrawn++
	default:
		d.New++
	}
}

// lockSeries makes issuers of one series and year follow each other, so that each sees what the one before it made.
func lockSeries(ctx context.Context, tx db.Tx, series string, year int) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(@key, 0))`, pgx.NamedArgs{"key": fmt.Sprintf("%s:%d", series, year)})
	if err != nil {
		return fmt.Errorf("waiting for other issuers of %s %d: %w", series, year, err)
	}
	return nil
}

// issueOne makes one planned attestation.
func (s *Attestations) issueOne(ctx context.Context, tx db.Tx, actor audit.Actor, p plan, v Planned) (Attestation, error) {
	a := Attestation{
		ID: uuid.New(), Series: SeriesFiscal, Year: p.Year, DebtorID: v.DebtorID, ChildID: v.ChildID, Treatment: v.Treatment,
		TotalCents: v.Total, Content: p.facts.terms.head,
	}
	a.Content.Lines = v.Lines
	debtor, child := p.facts.debtors[v.DebtorID], p.facts.children[v.ChildID]
	if v.Before != nil {
		a.Replaces, a.Content.Replaces = &v.Before.ID, v.Before.Content.Reference
		debtorNumber, childNumber, err := s.Numbers(*v.Before)
		if err != nil {
			return a, err
		}
		debtor, child = known(debtor, v.Before.Content.Debtor, debtorNumber), known(child, v.Before.Content.Child, childNumber)
	}
	var err error
	if a.Content.Debtor, a.Content.Child, err = s.people(a.ID, debtor, child); err != nil {
		return a, err
	}
	if v.Before != nil && a.Content.Child.Street == "" {
		c := v.Before.Content.Child
		a.Content.Child.Street, a.Content.Child.Postcode, a.Content.Child.City = c.Street, c.Postcode, c.City
	}
	if err := s.insert(ctx, tx, actor, p.facts.terms.prefix, &a); err != nil {
		return a, err
	}
	return a, s.tell(ctx, tx, a)
}

// known fills what is not known any more of a person with what the attestation before said.
func known(now person, before AttestationPerson, number household.NationalNumber) person {
	if now.ID == uuid.Nil {
		now = person{
			FirstName: before.FirstName, LastName: before.LastName, BirthDate: before.BirthDate,
			Street: before.Street, Postcode: before.Postcode, City: before.City,
		}
	}
	if now.number.IsZero() {
		now.number = number
	}
	return now
}

// people names the debtor and the child. A child has the address of the debtor when it belongs to its household; else
// none is printed, as it would show a debtor where another guardian lives.
func (s *Attestations) people(id uuid.UUID, debtor, child person) (d, c AttestationPerson, err error) {
	d = AttestationPerson{FirstName: debtor.FirstName, LastName: debtor.LastName, Street: debtor.Street, Postcode: debtor.Postcode, City: debtor.City}
	c = AttestationPerson{FirstName: child.FirstName, LastName: child.LastName, BirthDate: child.BirthDate}
	if slices.Contains(child.Households, debtor.Household) {
		c.Street, c.Postcode, c.City = d.Street, d.Postcode, d.City
	}
	if d.Number, err = s.sealNumber(id, "debtor", debtor.number); err != nil {
		return d, c, err
	}
	c.Number, err = s.sealNumber(id, "child", child.number)
	return d, c, err
}

// insert numbers and stores an attestation; the caller holds the lock of its series.
func (s *Attestations) insert(ctx context.Context, tx db.Tx, actor audit.Actor, prefix string, a *Attestation) error {
	n, err := NextNumber(ctx, tx, a.Series, a.Year)
	if err != nil {
		return err
	}
	now := s.Now()
	a.Number, a.IssuedAt, a.IssuedBy = n, now, actor.String()
	a.Content.Reference = fmt.Sprintf("%s-%d-%05d", prefix, a.Year, n)
	a.Content.IssuedOn = civil.DateOf(now, civil.Brussels)
	_, err = tx.Exec(ctx, `
		INSERT INTO attestation (id, series, year, number, debtor_id, child_id, registration_id, treatment, replaces, issued_at, issued_by,
		  total_cents, content)
		VALUES (@id, @series, @year, @number, @debtor, @child, @registration, @treatment, @replaces, @at, @by, @total, @content)`,
		pgx.NamedArgs{
			"id": a.ID, "series": a.Series, "year": a.Year, "number": n, "debtor": a.DebtorID, "child": a.ChildID, "registration": a.RegistrationID,
			"treatment": a.Treatment, "replaces": a.Replaces, "at": now, "by": a.IssuedBy, "total": a.TotalCents, "content": a.Content,
		})
	if err != nil {
		return fmt.Errorf("issuing attestation %d of %s %d: %w", n, a.Series, a.Year, err)
	}
	return audit.Record(ctx, tx, actor, "attestation.issued", "attestation", a.ID.String(), map[string]any{
		"series": a.Series, "year": a.Year, "number": n, "treatment": a.Treatment, "replaces": a.Replaces,
	})
}

func (s *Attestations) tell(ctx context.Context, tx db.Tx, a Attestation) error {
	if _, err := s.Jobs.InsertTx(ctx, tx, job.AttestationIssued{AttestationID: a.ID.String()}, nil); err != nil {
		return fmt.Errorf("announcing attestation %s: %w", a.ID, err)
	}
	return nil
}
