package enrol

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Credit is what one family gets back when the commune cancels a camp or one of its sessions.
type Credit struct {
	RegistrationID uuid.UUID
	Child          string
	Payer          string
	State          State
	Price          civil.Cents
	Less           civil.Cents // by which the price falls
	Paid           civil.Cents
	Back           civil.Cents // of what was paid, to give back
}

// Credits previews what every family of a camp gets back when sessions are cancelled; none named is the whole camp.
func (s *Store) Credits(ctx context.Context, campID uuid.UUID, sessionIDs []uuid.UUID) ([]Credit, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, btrim(k.first_name || ' ' || k.last_name), btrim(g.first_name || ' ' || g.last_name), r.state, r.price_cents, 0::bigint, 0::bigint, 0::bigint
		FROM registration r
		JOIN child k ON k.id = r.child_id
		JOIN guardian g ON g.id = r.payer_id
		WHERE r.camp_id = @camp
		  AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled', 'completed')
		ORDER BY k.last_name, k.first_name, r.id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the registrations of camp %s: %w", campID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Credit])
	if err != nil {
		return nil, fmt.Errorf("reading the registrations of camp %s: %w", campID, err)
	}
	planned, err := plannedSessions(ctx, s.DB, campID)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := s.weigh(ctx, s.DB, &list[i], len(sessionIDs), planned); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// weigh computes by how much the price of a registration falls, and what of its money is then too much.
func (s *Store) weigh(ctx context.Context, q db.Querier, v *Credit, sessions, planned int) error {
	a, err := s.accounts(ctx, q, v.RegistrationID)
	if err != nil {
		return err
	}
	b := a.total()
	v.Paid = b.Kept()
	if sessions == 0 {
		v.Less = b.Price
	} else {
		r, err := one(ctx, q, `id = @id`, pgx.NamedArgs{"id": v.RegistrationID})
		if err != nil {
			return err
		}
		v.Less = worth(&r, sessions, planned)
	}
	v.Back = max(0, v.Less-max(0, b.Owed()))
	return nil
}

// worth is what n more cancelled sessions take off the price of a registration, of a camp that has planned sessions
// left: their share of the lines that pay for sessions, those cancelled before taken into account.
func worth(r *Registration, n, planned int) civil.Cents {
	before := 0
	for _, l := range r.PriceDetail {
		if l.Label == labelSessionsCancelled && len(l.Args) > 0 {
			many, _ := strconv.Atoi(l.Args[0])
			before += many
		}
	}
	return r.SessionWorth(planned+before, before, min(n, planned))
}

// labelSessionsCancelled is the line of a price by which cancelled sessions are credited; its argument says how many.
const labelSessionsCancelled = "price.sessions_cancelled"

// plannedSessions counts the sessions of a camp that are not cancelled.
func plannedSessions(ctx context.Context, q db.Querier, campID uuid.UUID) (int, error) {
	sessions, err := camp.SessionsOf(ctx, q, campID)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, v := range sessions {
		if v.State != "cancelled" {
			n++
		}
	}
	return n, nil
}

// CancelCamp ends every registration of a camp that the commune gives up, without a fee: what was paid goes back, and
// each payer chooses between the money and another camp. It may be called again after a break: what is done stays done.
// It returns how many registrations it ended.
func (s *Store) CancelCamp(ctx context.Context, accountID, campID, batch uuid.UUID, reason string) (int, error) {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, true); err != nil {
		return 0, err
	}
	actor := audit.Account(accountID)
	n, err := s.eachOf(ctx, campID, func(ctx context.Context, tx db.Tx, r *Registration) error {
		if err := s.leave(ctx, tx, r, CampCancelled, 0, actor, reason); err != nil {
			return err
		}
		return s.letChoose(ctx, tx, r, &batch, reason, actor)
	})
	if err != nil {
		return n, err
	}
	if err := task.Close(ctx, s.DB, task.CampGone, "camp", campID.String(), actor.String()); err != nil {
		return n, err
	}
	return n, audit.Record(ctx, s.DB, actor, "camp.ended", "camp", campID.String(), map[string]any{"registrations": n, "batch": batch})
}

// CancelSessions cancels sessions of a camp: the bus of those days, the price in proportion, without a fee; what was paid
// too much goes back, as each payer chooses. A session that is cancelled already is left out. It returns how many
// registrations were credited.
func (s *Store) CancelSessions(ctx context.Context, accountID, campID, batch uuid.UUID, sessionIDs []uuid.UUID, reason string) (int, error) {
	reason = strings.TrimSpace(reason)
	var p problem.Fields
	if len(sessionIDs) == 0 {
		p.Add("sessions", "camp.session_needed")
	}
	if err := p.Err(); err != nil {
		return 0, err
	}
	if err := checkReason(reason, true); err != nil {
		return 0, err
	}
	actor := audit.Account(accountID)
	n := 0
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		n = 0
		cancelled, err := camp.CancelSessions(ctx, tx, campID, sessionIDs, reason)
		if err != nil || cancelled == 0 {
			return err
		}
		left, err := plannedSessions(ctx, tx, campID)
		if err != nil {
			return err
		}
		ids, err := openOf(ctx, tx, campID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, err := lock(ctx, tx, id)
			if err != nil {
				return err
			}
			credited, err := s.credit(ctx, tx, &r, cancelled, left+cancelled, batch, reason, actor)
			if err != nil {
				return err
			}
			if credited {
				n++
			}
		}
		if err := s.Rebook(ctx, tx, campID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "camp.sessions_cancelled", "camp", campID.String(), map[string]any{"sessions": cancelled, "registrations": n, "batch": batch})
	})
	return n, err
}

// topicSessionsCancelled marks a line of the history that tells of sessions that the commune cancelled.
const topicSessionsCancelled = "sessions_cancelled"

// credit tells a family of cancelled sessions, and lowers the price by what they are worth. It reports whether it did.
func (s *Store) credit(ctx context.Context, tx db.Tx, r *Registration, sessions, planned int, batch uuid.UUID, reason string, actor audit.Actor) (bool, error) {
	if err := s.noteAbout(ctx, tx, r, &r.State, actor, reason, topicSessionsCancelled); err != nil {
		return false, err
	}
	less := worth(r, sessions, planned)
	if less <= 0 {
		return false, nil
	}
	r.PriceDetail = append(r.PriceDetail, PriceLine{Label: labelSessionsCancelled, Args: []string{strconv.Itoa(sessions)}, Cents: -less})
	r.PriceCents -= less
	frozen, err := detail(r.PriceDetail)
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, `
		UPDATE registration
		SET price_cents = @price, price_detail = @detail, version = version + 1, updated_at = @now
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID, "price": r.PriceCents, "detail": frozen, "now": s.Now()})
	if err != nil {
		return false, fmt.Errorf("crediting registration %s: %w", r.ID, err)
	}
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil || a.total().Price == 0 {
		return true, err
	}
	if err := s.charge(ctx, tx, r, actor); err != nil {
		return false, err
	}
	if err := s.replan(ctx, tx, r); err != nil {
		return false, err
	}
	if err := ledger.Papers(ctx, tx, s.Jobs, r.ID, ledger.OnCharge, reason, s.Now()); err != nil {
		return false, err
	}
	if err := s.letChoose(ctx, tx, r, &batch, reason, actor); err != nil {
		return false, err
	}
	if a, err = s.accounts(ctx, tx, r.ID); err != nil {
		return false, err
	}
	return true, s.advance(ctx, tx, r, a, actor)
}

// letChoose leaves what a registration owes back to the choice of its payers: money, or another camp.
func (s *Store) letChoose(ctx context.Context, tx db.Tx, r *Registration, batch *uuid.UUID, reason string, actor audit.Actor) error {
	all, err := s.returnable(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	for _, v := range all {
		err := s.newRefund(ctx, tx, ledger.RefundOrder{
			DueID: v.Due.ID, RegistrationID: r.ID, PayerID: v.Due.PayerID, Cents: v.Cents, Way: ledger.ByChoice, State: ledger.RefundToChoose,
			Reason: reason, BatchID: batch, DecidedBy: actor.String(),
		})
		if err != nil {
			return err
		}
	}
	return s.owesBack(ctx, tx, r)
}

// moveMoney lets the money of a registration that was given up pay the one that replaces it; what is left waits for its
// payer's choice.
func (s *Store) moveMoney(ctx context.Context, tx db.Tx, old, made *Registration, reason string, actor audit.Actor) error {
	all, err := s.returnable(ctx, tx, old.ID)
	if err != nil {
		return err
	}
	for _, v := range all {
		d, err := ledger.DueFor(ctx, tx, made.ID, v.Due.PayerID)
		if problem.Is(err, problem.KindNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
		if err != nil {
			return err
		}
		cents := min(v.Cents, b.Owed())
		if cents <= 0 {
			continue
		}
		o, err := ledger.NewRefund(ctx, tx, ledger.RefundOrder{
			DueID: v.Due.ID, RegistrationID: old.ID, PayerID: v.Due.PayerID, Cents: cents, Way: ledger.ByChoice, State: ledger.RefundToChoose,
			Reason: reason, DecidedBy: actor.String(),
		}, s.Now())
		if err != nil {
			return err
		}
		if _, err := ledger.CreditRefund(ctx, tx, o, cents, d, actor.String(), s.Now()); err != nil {
			return err
		}
		if err := s.settle(ctx, tx, made, d, actor); err != nil {
			return err
		}
	}
	return s.letChoose(ctx, tx, old, nil, reason, actor)
}

// openOf returns the registrations of a camp that are not over, in the order in which they are locked.
func openOf(ctx context.Context, q db.Querier, campID uuid.UUID) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT id
		FROM registration
		WHERE camp_id = @camp
		  AND state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled', 'completed')
		ORDER BY id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the registrations of camp %s: %w", campID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// eachOf runs act on every registration of a camp that is not over, each in a transaction of its own. Who waits comes
// first, so that nobody is offered a place that goes away.
func (s *Store) eachOf(ctx context.Context, campID uuid.UUID, act func(context.Context, db.Tx, *Registration) error) (n int, err error) {
	for _, waiting := range []bool{true, false} {
		ids, err := openOf(ctx, s.DB, campID)
		if err != nil {
			return n, err
		}
		for _, id := range ids {
			err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
				r, err := lock(ctx, tx, id)
				if err != nil || r.State.Info().Exit || r.State == Completed || (r.State == Waitlisted || r.State == Offered) != waiting {
					return err
				}
				n++
				return act(ctx, tx, &r)
			})
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
