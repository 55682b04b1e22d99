package enrol

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// PartForm is what somebody beside the first payer takes of a price: a share in hundredths of a percent, or an amount.
type PartForm struct {
	PayerID uuid.UUID
	Share   int         // hundredths of a percent; 0 when Cents says it
	Cents   civil.Cents // 0 when Share says it
}

func (f PartForm) check(p *problem.Fields) {
	if f.Share < 0 || f.Share > 10000 {
		p.Add("share", "payer.share_out_of_range")
	}
	if f.Cents < 0 || f.Cents > maxPayment {
		p.Add("cents", "payment.amount_out_of_range")
	}
	if (f.Share > 0) == (f.Cents > 0) {
		p.Add("share", "payer.share_or_amount")
	}
}

// due returns the part as it stands on a due.
func (f PartForm) due(r *Registration, kind string) ledger.Due {
	d := ledger.Due{RegistrationID: r.ID, PayerID: f.PayerID, DebtorID: f.PayerID, Kind: kind}
	if f.Share > 0 {
		d.PartShare = &f.Share
	} else {
		d.PartCents = &f.Cents
	}
	return d
}

// CoverForm is an organisation's promise to pay.
type CoverForm struct {
	PartForm
	Reference string // the organisation's own
	Proof     string // what staff saw
	Fiscal    bool   // its part counts for the attestation
}

// AddCover notes what an organisation promised to pay of a registration: its part leaves what the family owes, and counts
// as paid. Invalid with every faulty input; Conflict when the organisation pays for it already.
func (s *Store) AddCover(ctx context.Context, accountID, id uuid.UUID, f CoverForm) error {
	f.Reference, f.Proof = strings.TrimSpace(f.Reference), strings.TrimSpace(f.Proof)
	var p problem.Fields
	f.check(&p)
	if f.Reference == "" {
		p.Add("reference", "payer.reference_needed")
	}
	for name, text := range map[string]string{"reference": f.Reference, "proof": f.Proof} {
		if len(text) > maxReason {
			p.Add(name, "form.too_long")
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.repart(ctx, id, actor, "registration.covered", func(ctx context.Context, tx db.Tx, r *Registration) error {
		if err := isOrganisation(ctx, tx, f.PayerID); err != nil {
			return err
		}
		d, err := s.takePart(ctx, tx, f.due(r, ledger.DueCover))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO cover (due_id, reference, proof, fiscal, actor, created_at)
			VALUES (@due, @reference, @proof, @fiscal, @actor, @now)
			ON CONFLICT (due_id)
			DO UPDATE SET reference = EXCLUDED.reference, proof = EXCLUDED.proof, fiscal = EXCLUDED.fiscal, actor = EXCLUDED.actor,
			  created_at = EXCLUDED.created_at, lost_at = NULL, lost_by = '', lost_why = ''`,
			pgx.NamedArgs{"due": d.ID, "reference": f.Reference, "proof": f.Proof, "fiscal": f.Fiscal, "actor": actor.String(), "now": s.Now()})
		if err != nil {
			return fmt.Errorf("storing the cover of due %s: %w", d.ID, err)
		}
		return nil
	})
}

func isOrganisation(ctx context.Context, q db.Querier, id uuid.UUID) error {
	var kind string
	err := q.QueryRow(ctx, `
		SELECT COALESCE((SELECT kind FROM guardian WHERE id = @id AND merged_into IS NULL), '')`,
		pgx.NamedArgs{"id": id}).Scan(&kind)
	if err != nil {
		return fmt.Errorf("reading guardian %s: %w", id, err)
	}
	if kind != "organisation" {
		var p problem.Fields
		p.Add("payer", "payer.organisation_needed")
		return p.Err()
	}
	return nil
}

// AddShare lets another guardian of the child pay a part of a registration, under an own communication. The guardian has
// the right to pay for the child, or Forbidden.
func (s *Store) AddShare(ctx context.Context, accountID, id uuid.UUID, f PartForm) error {
	var p problem.Fields
	f.check(&p)
	if err := p.Err(); err != nil {
		return err
	}
	return s.repart(ctx, id, audit.Account(accountID), "registration.shared", func(ctx context.Context, tx db.Tx, r *Registration) error {
		if f.PayerID == r.PayerID {
			return problem.Conflict("ledger.payer_twice")
		}
		if err := s.Households.Right(ctx, tx, f.PayerID, r.ChildID, household.RightPay, s.today()); err != nil {
			return err
		}
		d, err := s.takePart(ctx, tx, f.due(r, ledger.DueFamily))
		if err != nil || r.undecided() || r.State == Submitted {
			return err // asked with everybody else, once it is decided
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, job.PaymentAsked{DueID: d.ID.String(), At: s.Now()}, nil); err != nil {
			return fmt.Errorf("asking for due %s: %w", d.ID, err)
		}
		return nil
	})
}

// takePart opens a due, or lets one that ended take part again.
func (s *Store) takePart(ctx context.Context, tx db.Tx, d ledger.Due) (ledger.Due, error) {
	old, err := ledger.DueFor(ctx, tx, d.RegistrationID, d.PayerID)
	switch {
	case problem.Is(err, problem.KindNotFound):
		return ledger.NewDue(ctx, tx, d, s.Now())
	case err != nil:
		return d, err
	case old.EndedAt == nil || old.Kind != d.Kind:
		return d, problem.Conflict("ledger.payer_twice")
	}
	old.PartShare, old.PartCents, old.EndedAt = d.PartShare, d.PartCents, nil
	return old, ledger.SetPart(ctx, tx, old)
}

// EndPart takes a share or a cover off a registration: the first payer owes it again. What was paid on it is owed back. A
// covered registration keeps its place; staff have a task while it is not paid.
func (s *Store) EndPart(ctx context.Context, accountID, dueID uuid.UUID, why string) error {
	why = strings.TrimSpace(why)
	if err := checkReason(why, true); err != nil {
		return err
	}
	d, err := ledger.ReadDue(ctx, s.DB, dueID)
	if err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.repart(ctx, d.RegistrationID, actor, "registration.part_ended", func(ctx context.Context, tx db.Tx, r *Registration) error {
		if d, err = ledger.ReadDue(ctx, tx, dueID); err != nil {
			return err
		}
		if d.First() || d.EndedAt != nil {
			return problem.Conflict("payer.not_a_part")
		}
		now := s.Now()
		d.EndedAt = &now
		if err := ledger.SetPart(ctx, tx, d); err != nil || d.Kind != ledger.DueCover {
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE cover
			SET lost_at = @now, lost_by = @by, lost_why = @why
			WHERE due_id = @due`,
			pgx.NamedArgs{"due": d.ID, "now": now, "by": actor.String(), "why": why})
		if err != nil {
			return fmt.Errorf("ending the cover of due %s: %w", d.ID, err)
		}
		return nil
	})
}

// repart changes who pays what of a registration, books the difference, and looks at what follows from it.
func (s *Store) repart(ctx context.Context, id uuid.UUID, actor audit.Actor, action string, change func(context.Context, db.Tx, *Registration) error) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.State.Info().Exit || r.PriceCents == 0 {
			return problem.Conflict("payer.nothing_to_share")
		}
		if _, err := ledger.DueOf(ctx, tx, r.ID); problem.Is(err, problem.KindNotFound) {
			_, err = ledger.NewDue(ctx, tx, ledger.Due{RegistrationID: r.ID, PayerID: r.PayerID, DebtorID: r.DebtorID}, s.Now())
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if err := change(ctx, tx, &r); err != nil {
			return err
		}
		terms, err := camp.TermsOf(ctx, tx, r.CampID)
		if err != nil {
			return err
		}
		if err := (booking{store: s, tx: tx, actor: actor, regulation: terms.Regulation}).split(ctx, &r); err != nil {
			return err
		}
		if err := s.replan(ctx, tx, &r); err != nil {
			return err
		}
		occasion := ledger.OnCharge
		if r.State == Confirmed || r.State == Completed { // a payer who comes later is invoiced too
			occasion = ledger.OnConfirmation
		}
		if err := ledger.Papers(ctx, tx, s.Jobs, r.ID, occasion, "credit.reason.part", s.Now()); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, action, "registration", r.ID.String(), nil); err != nil {
			return err
		}
		a, err := s.accounts(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if err := s.owesBack(ctx, tx, &r); err != nil {
			return err
		}
		if err := s.owesAgain(ctx, tx, &r, action); err != nil || a.total().Price == 0 {
			return err
		}
		return s.advance(ctx, tx, &r, a, actor)
	})
}

// replan scales the instalments of the dues whose part changed to what they now owe: those of later days first.
func (s *Store) replan(ctx context.Context, tx db.Tx, r *Registration) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	for _, d := range a.dues {
		plan, err := ledger.InstalmentsOf(ctx, tx, d.ID)
		if err != nil || len(plan) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		if err := ledger.Plan(ctx, tx, d.ID, ledger.Fit(plan, a.of[d.ID].Price)); err != nil {
			return err
		}
	}
	return nil
}

// PlanDue lets a payer pay in parts, as staff agreed with the family: the parts come to what is owed, on days that
// follow. Invalid otherwise.
func (s *Store) PlanDue(ctx context.Context, accountID, dueID uuid.UUID, plan []ledger.Instalment) error {
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
		b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
		if err != nil {
			return err
		}
		var p problem.Fields
		var sum civil.Cents
		for i, v := range plan {
			sum += v.Cents
			if v.Cents <= 0 {
				p.Add("cents", "payment.amount_out_of_range")
			}
			if i > 0 && !plan[i-1].DueOn.Before(v.DueOn) {
				p.Add("due_on", "payer.plan_order")
			}
		}
		if len(plan) > 0 && sum != b.Owed() {
			p.Add("cents", "payer.plan_sum", b.Owed().Euros())
		}
		if len(plan) > 12 {
			p.Add("cents", "payer.plan_long")
		}
		if err := p.Err(); err != nil {
			return err
		}
		if err := ledger.Plan(ctx, tx, d.ID, plan); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "due.planned", "registration", r.ID.String(), map[string]any{"due": d.ID, "parts": len(plan)}); err != nil {
			return err
		}
		return s.asked(ctx, tx, &r, actor)
	})
}

// asked looks at what follows when a plan asks for money on other days: who awaited it may be covered now, and who was
// covered may owe again.
func (s *Store) asked(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if !a.covered() {
		if r.State.Info().Exit {
			return nil
		}
		return s.owesAgain(ctx, tx, r, "plan")
	}
	for _, kind := range []string{task.PartPaid, task.OwesAgain} {
		if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
			return err
		}
	}
	return s.advance(ctx, tx, r, a, actor)
}

// Instalments gives to staff every registration of which an instalment passed unpaid, and returns how many.
func (s *Store) Instalments(ctx context.Context) (int, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT DISTINCT d.registration_id
		FROM instalment i
		JOIN due d ON d.id = i.due_id
		WHERE i.due_on < @today
		  AND i.due_on > @since
		  AND d.ended_at IS NULL`,
		pgx.NamedArgs{"today": s.today(), "since": s.today().AddDays(-instalmentLook)})
	if err != nil {
		return 0, fmt.Errorf("reading the instalments that passed: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("reading the instalments that passed: %w", err)
	}
	n := 0
	for _, id := range ids {
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			r, err := lock(ctx, tx, id)
			if err != nil || r.State.Info().Exit {
				return err
			}
			n++
			return s.owesAgain(ctx, tx, &r, "instalment")
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// instalmentLook is for how many days an unpaid instalment is looked for.
const instalmentLook = 400

// Cover is what an organisation promised, as staff with the right read it.
type Cover struct {
	ledger.Due
	Organisation string
	BCE          string
	Reference    string
	Proof        string
	Fiscal       bool
	LostAt       *time.Time
	LostWhy      string
}

// CoversOf returns the covers of a registration. The caller has checked the right to see them.
func (s *Store) CoversOf(ctx context.Context, id uuid.UUID) ([]Cover, error) {
	all, err := ledger.DuesOf(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	var list []Cover
	for _, d := range all {
		if d.Kind != ledger.DueCover {
			continue
		}
		c := Cover{Due: d}
		err := s.DB.QueryRow(ctx, `
			SELECT g.last_name, g.bce, c.reference, c.proof, c.fiscal, c.lost_at, c.lost_why
			FROM cover c
			JOIN due d ON d.id = c.due_id
			JOIN guardian g ON g.id = d.payer_id
			WHERE c.due_id = @due`,
			pgx.NamedArgs{"due": d.ID}).Scan(&c.Organisation, &c.BCE, &c.Reference, &c.Proof, &c.Fiscal, &c.LostAt, &c.LostWhy)
		if err != nil {
			return nil, fmt.Errorf("reading the cover of due %s: %w", d.ID, err)
		}
		list = append(list, c)
	}
	return list, nil
}
