package enrol

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// expiryBatch bounds how many registrations one run lets expire or complete; the next run takes the rest.
const expiryBatch = 500

// Expire lets deadlines that have passed run out, each registration in its own transaction, and returns how many did.
// A payment that its provider has not closed keeps the place until the provider has spoken.
func (s *Store) Expire(ctx context.Context) (int, error) {
	return s.each(ctx, `state IN ('awaiting_payment', 'offered') AND due_at < @now`, func(ctx context.Context, tx db.Tx, r *Registration) (bool, error) {
		if r.State != AwaitingPayment && r.State != Offered || r.DueAt == nil || !r.DueAt.Before(s.Now()) {
			return false, nil
		}
		return s.expire(ctx, tx, r)
	})
}

// Complete ends the registrations of camps whose last session is over, and returns how many.
func (s *Store) Complete(ctx context.Context) (int, error) {
	over := `state = 'confirmed' AND EXISTS (SELECT 1 FROM camp WHERE camp.id = registration.camp_id AND camp.ends_at < @now)`
	return s.each(ctx, over, func(ctx context.Context, tx db.Tx, r *Registration) (bool, error) {
		if r.State != Confirmed {
			return false, nil
		}
		return true, s.move(ctx, tx, r, Completed, nil, audit.Job("complete"), "")
	})
}

// each runs act on every registration that matches, locked, in a transaction of its own.
func (s *Store) each(ctx context.Context, where string, act func(context.Context, db.Tx, *Registration) (bool, error)) (n int, err error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id
		FROM registration
		WHERE `+where+`
		ORDER BY due_at, id
		LIMIT @limit`,
		pgx.NamedArgs{"now": s.Now(), "limit": expiryBatch})
	if err != nil {
		return 0, fmt.Errorf("reading registrations that are over: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("reading registrations that are over: %w", err)
	}
	for _, id := range ids {
		var done bool
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			r, err := lock(ctx, tx, id)
			if err != nil {
				return err
			}
			done, err = act(ctx, tx, &r)
			return err
		})
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// expireCamp releases the holds of one camp that have run out, before a grant is refused for lack of places. Rows that
// another transaction holds are left to it.
func (s *Store) expireCamp(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT `+columns+`
		FROM registration
		WHERE camp_id = @camp
		  AND state IN ('awaiting_payment', 'offered')
		  AND due_at < @now
		ORDER BY id
		FOR UPDATE SKIP LOCKED`,
		pgx.NamedArgs{"camp": campID, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("reading the holds of camp %s: %w", campID, err)
	}
	over, err := pgx.CollectRows(rows, pgx.RowToStructByName[Registration])
	if err != nil {
		return fmt.Errorf("reading the holds of camp %s: %w", campID, err)
	}
	for _, r := range over {
		if _, err := s.expire(ctx, tx, &r); err != nil {
			return err
		}
	}
	return nil
}

// expire ends a locked registration whose deadline has passed, unless money may be on its way.
func (s *Store) expire(ctx context.Context, tx db.Tx, r *Registration) (bool, error) {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return false, err
	}
	for _, d := range a.dues {
		open, err := ledger.OpenAttempt(ctx, tx, d.ID)
		if err == nil {
			_, err = s.Jobs.InsertTx(ctx, tx, job.PaymentCheck{PaymentID: open.ID.String()}, nil)
			return false, err
		}
		if !problem.Is(err, problem.KindNotFound) {
			return false, err
		}
	}
	if b := a.total(); b.Kept() > 0 { // part of the money is here: a person decides
		return false, task.Open(ctx, tx, task.OtherAmount, "registration", r.ID.String(),
			map[string]any{"registration": r.ID, "owed": b.Owed(), "paid": b.Paid})
	}
	return true, s.leave(ctx, tx, r, Expired, 0, audit.Job("expire"), "")
}

// promoteBatch bounds how many families one freed place looks through.
const promoteBatch = 50

// promote offers free places of a camp to the waiting list in its order. Eligibility is checked again; a family whose
// wishes do not fit the free places keeps its rank.
func (s *Store) promote(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT `+columns+`
		FROM registration
		WHERE camp_id = @camp
		  AND state = 'waitlisted'
		ORDER BY waiting_since, id
		LIMIT @limit
		FOR UPDATE SKIP LOCKED`,
		pgx.NamedArgs{"camp": campID, "limit": promoteBatch})
	if err != nil {
		return fmt.Errorf("reading the waiting list of camp %s: %w", campID, err)
	}
	waiting, err := pgx.CollectRows(rows, pgx.RowToStructByName[Registration])
	if err != nil {
		return fmt.Errorf("reading the waiting list of camp %s: %w", campID, err)
	}
	for _, r := range waiting {
		f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
		if problem.Is(err, problem.KindInvalid) {
			continue // the ticket it asked for is gone
		}
		if err != nil {
			return err
		}
		if !s.Now().Before(f.Camp.BeginsAt) {
			return nil
		}
		if !r.mayStillCome(f) {
			continue
		}
		if free, err := s.free(ctx, tx, f.Camp.PoolID); err != nil || !free {
			return err
		}
		if r.TogetherID != nil {
			if err := s.offerTogether(ctx, tx, *r.TogetherID); err != nil {
				return err
			}
			continue
		}
		if _, err := s.offer(ctx, tx, &r, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) free(ctx context.Context, tx db.Tx, pool uuid.UUID) (bool, error) {
	least, err := tightest(ctx, tx, []uuid.UUID{pool})
	return least == nil || *least > 0, err
}

// mayStillCome reports whether nothing but the clock of the request stands against a registration, or only bars to
// which the family asked an exception.
func (r *Registration) mayStillCome(f Facts) bool {
	reasons := withoutWindow(Eligible(f))
	return !Barred(reasons) || r.Derogation != "" && Derogable(reasons)
}

// offer holds the places that a waiting family wants and asks for its answer; it reports false, with nothing taken,
// when one is missing.
func (s *Store) offer(ctx context.Context, tx db.Tx, r *Registration, f Facts) (bool, error) {
	granted, err := s.hold(ctx, tx, r, f)
	if err != nil || !granted {
		return false, err
	}
	due := answerBy(s.Now(), f)
	return true, s.move(ctx, tx, r, Offered, &due, audit.Job("promote"), "")
}

// offerTogether offers places to siblings who go all or none: one that cannot come or finds no place undoes the others.
func (s *Store) offerTogether(ctx context.Context, tx db.Tx, group uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT `+columns+`
		FROM registration
		WHERE together_id = @group
		  AND state = 'waitlisted'
		ORDER BY id
		FOR UPDATE`,
		pgx.NamedArgs{"group": group})
	if err != nil {
		return fmt.Errorf("reading the siblings of group %s: %w", group, err)
	}
	siblings, err := pgx.CollectRows(rows, pgx.RowToStructByName[Registration])
	if err != nil {
		return fmt.Errorf("reading the siblings of group %s: %w", group, err)
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		for _, r := range siblings {
			f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
			if problem.Is(err, problem.KindInvalid) {
				return errNotAll
			}
			if err != nil {
				return err
			}
			if !r.mayStillCome(f) {
				return errNotAll
			}
			offered, err := s.offer(ctx, tx, &r, f)
			if err != nil {
				return err
			}
			if !offered {
				return errNotAll
			}
		}
		return nil
	})
	if errors.Is(err, errNotAll) {
		return nil
	}
	return err
}

// errNotAll undoes what some siblings were offered when another one finds no place.
var errNotAll = errors.New("not all siblings find a place")

// overdue is how long a request may wait for the commune before it becomes a task, in days.
const overdue = 5

// Overdue makes a task of each request that has waited too long for a decision, and returns how many wait.
func (s *Store) Overdue(ctx context.Context) (int, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id
		FROM registration
		WHERE state IN ('submitted', 'to_validate')
		  AND state_since < @before
		ORDER BY state_since
		LIMIT @limit`,
		pgx.NamedArgs{"before": civil.DateOf(s.Now(), civil.Brussels).AddDays(-overdue).Time(civil.Brussels).Add(24 * time.Hour), "limit": expiryBatch})
	if err != nil {
		return 0, fmt.Errorf("reading the overdue requests: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("reading the overdue requests: %w", err)
	}
	for _, id := range ids {
		if err := task.Open(ctx, s.DB, task.DecideLate, "registration", id.String(), map[string]any{"registration": id}); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
