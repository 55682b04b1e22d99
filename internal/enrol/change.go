package enrol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
	"ribambelle/internal/transport"
)

// Leaving is what it means to leave a camp now: shown before it is confirmed.
type Leaving struct {
	Until   time.Time   // until when the family leaves by itself
	Request bool        // staff decide: too late, paid, or someone else is the payer
	Percent int         // of the price that the regulation keeps
	Fee     civil.Cents // what that comes to
	Paid    civil.Cents // what was paid so far
	Back    civil.Cents // what would come back to the payer
}

// Leaving computes what leaving would cost. certificate says that a medical certificate excuses the child: no fee.
func (s *Store) Leaving(ctx context.Context, guardianID, id uuid.UUID, certificate bool) (Leaving, error) {
	r, err := s.Registration(ctx, id)
	if err != nil {
		return Leaving{}, err
	}
	if err := s.Households.Right(ctx, s.DB, guardianID, r.ChildID, household.RightCancel, s.today()); err != nil {
		return Leaving{}, err
	}
	return s.leaving(ctx, s.DB, &r, guardianID, certificate)
}

func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

func (s *Store) leaving(ctx context.Context, q db.Querier, r *Registration, guardianID uuid.UUID, certificate bool) (v Leaving, err error) {
	sessions, err := camp.SessionsOf(ctx, q, r.CampID)
	if err != nil {
		return v, err
	}
	policies, err := camp.Policies(ctx, q, []uuid.UUID{r.CampID})
	if err != nil {
		return v, err
	}
	c, err := camp.Read(ctx, q, r.CampID)
	if err != nil {
		return v, err
	}
	// What the commune cancelled is no day of the camp.
	sessions = slices.DeleteFunc(sessions, func(s camp.Session) bool { return s.State == "cancelled" })
	first := Facts{Camp: c, Sessions: sessions}.FirstDay()
	v.Until = policies[r.CampID].LeaveUntil(first)
	a, err := s.accounts(ctx, q, r.ID)
	if err != nil {
		return v, err
	}
	b := a.total()
	charged := b.Price
	v.Paid = b.Kept()
	v.Request = v.Paid > 0 || r.PayerID != guardianID || charged > 0 && s.Now().After(v.Until)
	if charged > 0 && !certificate {
		if v.Percent, err = feePercent(ctx, q, first.Sub(s.today())); err != nil {
			return v, err
		}
		v.Fee = charged * civil.Cents(v.Percent) / 100
	}
	v.Back = max(0, v.Paid-v.Fee)
	return v, nil
}

// feePercent reads the ladder: the step with the fewest days that is still more than those left.
func feePercent(ctx context.Context, q db.Querier, daysLeft int) (percent int, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE((
		  SELECT percent
		  FROM cancel_fee
		  WHERE days_before > @days
		  ORDER BY days_before
		  LIMIT 1
		), 0)`,
		pgx.NamedArgs{"days": daysLeft}).Scan(&percent)
	if err != nil {
		return 0, fmt.Errorf("reading the cancellation fees: %w", err)
	}
	return percent, nil
}

// FeeStep is one step of the ladder: leaving fewer than DaysBefore days before the first session costs Percent.
type FeeStep struct {
	DaysBefore int
	Percent    int
}

// FeeSteps returns the ladder, furthest from the camp first.
func (s *Store) FeeSteps(ctx context.Context) ([]FeeStep, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT days_before, percent
		FROM cancel_fee
		ORDER BY days_before DESC`)
	if err != nil {
		return nil, fmt.Errorf("reading the cancellation fees: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[FeeStep])
}

// SaveFeeSteps replaces the ladder; Invalid unless each later step costs at least as much.
func (s *Store) SaveFeeSteps(ctx context.Context, actor audit.Actor, steps []FeeStep) error {
	var f problem.Fields
	for i, v := range steps {
		if v.DaysBefore < 0 || v.DaysBefore > 365 || v.Percent < 0 || v.Percent > 100 {
			f.Add("fees", "registration.fee_out_of_range")
		}
		for _, o := range steps[:i] {
			if o.DaysBefore == v.DaysBefore || o.DaysBefore > v.DaysBefore != (o.Percent <= v.Percent) {
				f.Add("fees", "registration.fee_order")
			}
		}
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM cancel_fee`); err != nil {
			return fmt.Errorf("clearing the cancellation fees: %w", err)
		}
		for _, v := range steps {
			_, err := tx.Exec(ctx, `
				INSERT INTO cancel_fee (days_before, percent)
				VALUES (@days, @percent)`,
				pgx.NamedArgs{"days": v.DaysBefore, "percent": v.Percent})
			if err != nil {
				return fmt.Errorf("saving a cancellation fee: %w", err)
			}
		}
		return audit.Record(ctx, tx, actor, "registration.fees", "setting", "cancel_fee", map[string]any{"steps": steps})
	})
}

// ChangeBus gives a registration other stops, or none, while the camp has not begun: done. Once money was paid, somebody
// who neither registered nor pays can only ask for it: then done is false, and staff have a task. When the new trips are
// full, or the price would change, Conflict says why and nothing changes. Everybody concerned is told.
func (s *Store) ChangeBus(ctx context.Context, guardianID, accountID, id uuid.UUID, stopOut, stopBack *uuid.UUID) (done bool, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		done = false
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightRegister, s.today()); err != nil {
			return err
		}
		f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
		if err != nil {
			return err
		}
		if r.State.Info().Exit || r.State == Completed || !s.Now().Before(f.Camp.BeginsAt) {
			return problem.Conflict("registration.over", r.State.Info().Label())
		}
		v, err := wishOf(ctx, tx, &r)
		if err != nil {
			return err
		}
		v.stopOut, v.stopBack = stopOut, stopBack
		if guardianID != r.RegistrantID && guardianID != r.PayerID {
			paid, err := s.leaving(ctx, tx, &r, guardianID, false)
			if err != nil {
				return err
			}
			if paid.Paid > 0 {
				return s.askBus(ctx, tx, &r, v, guardianID, accountID)
			}
		}
		done = true
		return s.rewish(ctx, tx, &r, f, v, audit.Account(accountID))
	})
	return done && err == nil, err
}

// askBus leaves a change of stops to staff.
func (s *Store) askBus(ctx context.Context, tx db.Tx, r *Registration, v wish, guardianID, accountID uuid.UUID) error {
	names, err := stopNames(ctx, tx, v)
	if err != nil {
		return err
	}
	detail := map[string]any{"guardian": guardianID, "out": v.stopOut, "back": v.stopBack, "reason": names}
	if err := task.Open(ctx, tx, task.BusAsked, "registration", r.ID.String(), detail); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Account(accountID), "registration.bus_asked", "registration", r.ID.String(), detail)
}

// stopNames are the stops of a wish as its history keeps them: names of places, with an arrow for the direction.
func stopNames(ctx context.Context, q db.Querier, v wish) (names string, err error) {
	err = q.QueryRow(ctx, `
		SELECT concat_ws(' · ',
		  '→ ' || COALESCE((SELECT name FROM bus_stop WHERE id = @out), '—'),
		  '← ' || COALESCE((SELECT name FROM bus_stop WHERE id = @back), '—'))`,
		pgx.NamedArgs{"out": v.stopOut, "back": v.stopBack}).Scan(&names)
	if err != nil {
		return "", fmt.Errorf("reading the names of stops: %w", err)
	}
	return names, nil
}

// rewish makes a registration take something else, places and price included.
func (s *Store) rewish(ctx context.Context, tx db.Tx, r *Registration, f Facts, v wish, actor audit.Actor) error {
	p, err := s.reprice(ctx, tx, r, f, v)
	if err != nil {
		return err
	}
	if p.total() != r.PriceCents && !r.undecided() {
		return problem.Conflict("registration.price_would_change") // money: staff decide
	}
	w, err := wanted(ctx, tx, f.Camp, f.Ticket, v)
	if err != nil {
		return err
	}
	if r.State.Info().Place {
		if err := s.regrant(ctx, tx, r, w); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `
		UPDATE registration
		SET stop_out_id = @out, stop_back_id = @back, version = version + 1, updated_at = @now
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID, "out": v.stopOut, "back": v.stopBack, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("changing the bus of registration %s: %w", r.ID, err)
	}
	if err := s.freeze(ctx, tx, r, p); err != nil {
		return err
	}
	if sameStop(r.StopOutID, v.stopOut) && sameStop(r.StopBackID, v.stopBack) {
		return nil // nothing new to tell
	}
	if err := task.Close(ctx, tx, task.BusAsked, "registration", r.ID.String(), actor.ID); err != nil {
		return err
	}
	// A line from a state to itself is a change of bus: the history still ends where the registration stands.
	names, err := stopNames(ctx, tx, v)
	if err != nil {
		return err
	}
	if err := s.note(ctx, tx, r, &r.State, actor, names); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, "registration.bus_changed", "registration", r.ID.String(), map[string]any{"out": v.stopOut, "back": v.stopBack})
}

func sameStop(a, b *uuid.UUID) bool { return a == b || a != nil && b != nil && *a == *b }

// undecided reports whether a registration's price was neither charged nor found to be nothing.
func (r *Registration) undecided() bool {
	return r.State == ToValidate || r.State == Waitlisted || r.State == Offered
}

// regrant gives up a registration's places and takes those it now wants; Conflict when one is missing.
func (s *Store) regrant(ctx context.Context, tx db.Tx, r *Registration, w wants) error {
	if err := place.Release(ctx, tx, r.ID); err != nil {
		return err
	}
	full, err := place.Grant(ctx, tx, r.ID, append(w.pools, w.trips...))
	if err != nil {
		return err
	}
	if len(full) > 0 {
		return problem.Conflict("registration.bus_full")
	}
	if r.State == Confirmed {
		if err := place.Confirm(ctx, tx, r.ID); err != nil {
			return err
		}
	}
	return transport.Board(ctx, tx, r.ID, w.legs)
}

// MoveTo takes a child from one camp to another in one transaction: a new registration, and the old one withdrawn. The
// old one stays when the new camp has no place, or when money was paid: then Conflict.
func (s *Store) MoveTo(ctx context.Context, guardianID, accountID, id uuid.UUID, to Request) (Registration, error) {
	var made Registration
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		old, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, old.ChildID, household.RightCancel, s.today()); err != nil {
			return err
		}
		to.ChildID = old.ChildID
		if again, err := s.again(ctx, tx, guardianID, to.Key); err == nil || !problem.Is(err, problem.KindNotFound) {
			made = again
			return err
		}
		v, err := s.leaving(ctx, tx, &old, guardianID, false)
		if err != nil {
			return err
		}
		if v.Request || old.State.Info().Exit || old.State == Completed {
			return problem.Conflict("registration.move_by_staff")
		}
		if err := s.leave(ctx, tx, &old, Withdrawn, 0, audit.Account(accountID), "déplacée vers un autre stage"); err != nil {
			return err
		}
		asked := to
		if err := s.carry(ctx, tx, old.ID, &asked); err != nil {
			return err
		}
		made, err = s.register(ctx, tx, guardianID, asked)
		if err != nil {
			return err
		}
		if made.State == Waitlisted {
			return problem.Conflict("registration.move_full")
		}
		return audit.Record(ctx, tx, audit.Account(accountID), "registration.moved", "registration", made.ID.String(), map[string]any{"from": old.ID})
	})
	return made, err
}
