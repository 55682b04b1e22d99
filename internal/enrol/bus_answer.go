package enrol

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// topicBusRefused marks a line of the history that leads from a state to itself and tells that other stops were refused;
// without it such a line tells of new stops.
const topicBusRefused = "bus_refused"

// askedBus returns the guardian who asks for other stops, and the stops, from the open task. It returns Conflict
// "registration.bus_not_asked" when nobody asks, or somebody has answered already.
func askedBus(ctx context.Context, tx db.Tx, id uuid.UUID) (guardian uuid.UUID, out, back *uuid.UUID, err error) {
	detail, ok, err := task.Detail(ctx, tx, task.BusAsked, "registration", id.String())
	if err != nil {
		return uuid.Nil, nil, nil, err
	}
	if !ok {
		return uuid.Nil, nil, nil, problem.Conflict("registration.bus_not_asked")
	}
	read := func(key string) *uuid.UUID {
		raw, _ := detail[key].(string)
		v, err := uuid.Parse(raw)
		if err != nil {
			return nil // no bus in this direction
		}
		return &v
	}
	if g := read("guardian"); g != nil {
		guardian = *g
	}
	return guardian, read("out"), read("back"), nil
}

// AcceptBus gives a registration the stops that a guardian asked for after payment, by the rules of every change of
// stops. It returns Conflict when nobody asks any more, when the guardian may no longer register the child, when a bus is
// full, and "registration.bus_price" with both prices in cents when the price would differ: then nothing changes.
func (s *Store) AcceptBus(ctx context.Context, accountID, id uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		guardian, out, back, err := askedBus(ctx, tx, id)
		if err != nil {
			return err
		}
		err = s.Households.Right(ctx, tx, guardian, r.ChildID, household.RightRegister, s.today())
		if problem.As(err) != nil {
			return problem.Conflict("registration.bus_asker_gone")
		}
		if err != nil {
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
		v.stopOut, v.stopBack = out, back
		p, err := s.reprice(ctx, tx, &r, f, v)
		if err != nil {
			return err
		}
		if p.total() != r.PriceCents {
			return problem.Conflict("registration.bus_price", r.PriceCents, p.total())
		}
		if err := s.rewish(ctx, tx, &r, f, v, actor); err != nil {
			return err
		}
		return task.Close(ctx, tx, task.BusAsked, "registration", id.String(), actor.String()) // also when nothing was new
	})
}

// RefuseBus leaves a registration its stops, with a reason that the family reads. It returns Invalid without a reason,
// and Conflict when nobody asks any more.
func (s *Store) RefuseBus(ctx context.Context, accountID, id uuid.UUID, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, true); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		guardian, _, _, err := askedBus(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.noteAbout(ctx, tx, &r, &r.State, actor, reason, topicBusRefused); err != nil {
			return err
		}
		if err := task.Close(ctx, tx, task.BusAsked, "registration", id.String(), actor.String()); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "registration.bus_refused", "registration", id.String(), map[string]any{"guardian": guardian}); err != nil {
			return fmt.Errorf("refusing other stops: %w", err)
		}
		return nil
	})
}
