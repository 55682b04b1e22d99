package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/mirror"
	"ribambelle/internal/problem"
)

// reconcile compares both sides and keeps the differences that are not just on their way.
func (s *Syncer) reconcile(ctx context.Context, r *Result) error {
	c, err := s.Compare(ctx)
	if err != nil {
		return err
	}
	drift := slices.DeleteFunc(c.Drift, func(d mirror.Drift) bool { return d.Cause == mirror.CauseWaiting })
	r.Compared = c.Camps + c.Registrations + c.Outside + c.Guardians
	r.Drift = len(drift)
	r.DriftBy = map[string]int{}
	for _, d := range drift {
		r.DriftBy[d.Kind+"."+d.Aspect]++
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error { return mirror.KeepDrift(ctx, tx, drift, s.Now()) })
}

// Fix lets one side follow the other in the differences for which staff asked it, then pulls, pushes and compares. A
// fix that cannot be carried out is kept with its reason.
func (s *Syncer) Fix(ctx context.Context) (r Result, err error) {
	err = mirror.Alone(ctx, s.DB, func(ctx context.Context) error {
		asked, err := mirror.DriftToFix(ctx, s.DB)
		if err != nil || len(asked) == 0 {
			return err
		}
		for _, d := range asked {
			if err := s.fix(ctx, d); err != nil {
				return fmt.Errorf("fixing %s of %s %v: %w", d.Aspect, d.Kind, d.LocalID, err)
			}
			r.Fixed++
		}
		if err := s.pull(ctx, true, &r); err != nil {
			return err
		}
		if err := s.push(ctx, &r); err != nil {
			return err
		}
		return s.reconcile(ctx, &r)
	})
	return r, err
}

func (s *Syncer) fix(ctx context.Context, d mirror.Drift) error {
	by, err := mirror.FixedBy(ctx, s.DB, d.ID)
	if err != nil {
		return err
	}
	if !d.CanFollow(*d.Fix) {
		return mirror.Fixed(ctx, s.DB, d.ID, "drift.by_hand", s.Now())
	}
	follow := s.followOdoo
	if *d.Fix == mirror.FixOdoo {
		follow = s.leadOdoo
	}
	failure := ""
	if err := follow(ctx, d, by); err != nil {
		switch e := problem.As(err); {
		case e != nil:
			failure = e.Code
		case rowsFault(err):
			failure, _ = Reason(err)
		default:
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := mirror.Fixed(ctx, tx, d.ID, failure, s.Now()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Account(by), "odoo.drift_fixed", d.Kind, d.ID.String(),
			map[string]any{"aspect": d.Aspect, "side": *d.Fix, "failure": failure})
	})
}

// leadOdoo lets Odoo become as we are: the record is sent again.
func (s *Syncer) leadOdoo(ctx context.Context, d mirror.Drift, _ uuid.UUID) error {
	if d.LocalID == nil {
		return problem.Invalid("drift.by_hand")
	}
	if d.Aspect == "unlinked" {
		if _, err := s.Enrol.Registration(ctx, *d.LocalID); problem.Is(err, problem.KindNotFound) { // nothing of ours any more
			return s.Odoo.Write(ctx, connector.ModelRegistration, []int64{*d.OdooID}, map[string]any{"state": connector.StateCancel})
		}
	}
	if d.Aspect == "archived" {
		if err := s.Odoo.Write(ctx, connector.ModelRegistration, []int64{*d.OdooID}, map[string]any{"active": true}); err != nil {
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := mirror.Accept(ctx, tx, d.Kind, *d.LocalID); err != nil {
			return err
		}
		if d.Cause == mirror.CauseDeleted {
			if err := mirror.UnlinkLocal(ctx, tx, d.Kind, *d.LocalID); err != nil {
				return err
			}
		}
		if d.Kind == mirror.Guardian {
			return household.Unmirror(ctx, tx, *d.LocalID)
		}
		return enrol.Unmirror(ctx, tx, *d.LocalID)
	})
}

// followOdoo lets us become as Odoo is.
func (s *Syncer) followOdoo(ctx context.Context, d mirror.Drift, by uuid.UUID) error {
	switch {
	case d.Kind == mirror.Camp && d.Aspect == "gone":
		return nil // the sweep that follows takes it out of the offer
	case d.Kind == mirror.Camp:
		return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			if d.Aspect == "external" {
				return s.recount(ctx, tx, *d.LocalID)
			}
			return mirror.SetDigest(ctx, tx, connector.ModelEvent, *d.OdooID, nil)
		})
	case d.Aspect == "outside", d.Aspect == "outside_gone":
		return nil // the whole pull that follows reads it again
	case d.Aspect == "state", d.Aspect == "missing", d.Aspect == "archived":
		err := s.Enrol.Cancel(ctx, by, *d.LocalID, "Annulée dans Odoo")
		if err == nil && d.Cause == mirror.CauseDeleted {
			err = mirror.UnlinkLocal(ctx, s.DB, mirror.Registration, *d.LocalID)
		}
		return err
	case d.Aspect == "name" && d.Kind == mirror.Registration:
		return s.takeName(ctx, d, by)
	case d.Aspect == "name":
		return s.takeGuardianName(ctx, d, by)
	}
	return s.takeContact(ctx, d, by)
}

func (s *Syncer) recount(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	places, tickets, err := mirror.Taken(ctx, tx, campID)
	if err != nil {
		return err
	}
	return s.Enrol.SetExternal(ctx, tx, campID, places, tickets)
}

// takeContact takes the e-mail or the phone that a registration or a contact has in Odoo for its guardian.
func (s *Syncer) takeContact(ctx context.Context, d mirror.Drift, by uuid.UUID) error {
	guardian := *d.LocalID
	if d.Kind == mirror.Registration {
		r, err := s.Enrol.Registration(ctx, *d.LocalID)
		if err != nil {
			return err
		}
		guardian = r.RegistrantID
	}
	return s.Households.TakeContact(ctx, audit.Account(by), guardian, d.Aspect, line(d.There))
}

// takeName takes the name that a registration has in Odoo for its child, where it is clear what is first and last name.
func (s *Syncer) takeName(ctx context.Context, d mirror.Drift, by uuid.UUID) error {
	var child uuid.UUID
	var first, last string
	err := s.DB.QueryRow(ctx, `
		SELECT c.id, c.first_name, c.last_name
		FROM registration r
		JOIN child c ON c.id = r.child_id
		WHERE r.id = @id`,
		pgx.NamedArgs{"id": *d.LocalID}).Scan(&child, &first, &last)
	if err != nil {
		return fmt.Errorf("reading the child of registration %s: %w", *d.LocalID, err)
	}
	f, l, ok := splitName(line(d.There), first, last)
	if !ok {
		return problem.Invalid("drift.name_unclear")
	}
	return s.Households.TakeName(ctx, audit.Account(by), mirrorChild, child, f, l)
}

const mirrorChild = "child"

func (s *Syncer) takeGuardianName(ctx context.Context, d mirror.Drift, by uuid.UUID) error {
	g, err := s.Households.Guardian(ctx, *d.LocalID)
	if err != nil {
		return err
	}
	f, l, ok := splitName(line(d.There), g.FirstName, g.LastName)
	if !ok {
		return problem.Invalid("drift.name_unclear")
	}
	return s.Households.TakeName(ctx, audit.Account(by), mirror.Guardian, g.ID, f, l)
}

// splitName divides a whole name into first and last name by what is known: one of them stayed as it was, or each has
// as many words as before.
func splitName(whole, first, last string) (f, l string, ok bool) {
	if rest, found := strings.CutPrefix(whole, first+" "); found && strings.TrimSpace(rest) != "" {
		return first, strings.TrimSpace(rest), true
	}
	if rest, found := strings.CutSuffix(whole, " "+last); found && strings.TrimSpace(rest) != "" {
		return strings.TrimSpace(rest), last, true
	}
	words, n := strings.Fields(whole), len(strings.Fields(first))
	if n > 0 && len(words) == n+len(strings.Fields(last)) && len(words) > n {
		return strings.Join(words[:n], " "), strings.Join(words[n:], " "), true
	}
	return "", "", false
}
