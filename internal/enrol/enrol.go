// Package enrol owns registrations: eligibility, states, prices, promotion. Every transaction that touches a
// registration with its places and charges is here, and no network call is made inside one.
package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// Registration is one child in one camp.
type Registration struct {
	ID           uuid.UUID
	ChildID      uuid.UUID
	CampID       uuid.UUID
	TicketID     *uuid.UUID
	RegistrantID uuid.UUID
	PayerID      uuid.UUID
	DebtorID     uuid.UUID
	State        State
	StateSince   time.Time
	DueAt        *time.Time // when the family's next act is due
	WaitingSince *time.Time
	PriceCents   civil.Cents
	PriceDetail  []PriceLine
	StopOutID    *uuid.UUID
	StopBackID   *uuid.UUID
	WithoutBus   bool
	Remark       string
	Derogation   string     // what the family asks an exception for, in its words
	TogetherID   *uuid.UUID // siblings who go all or none
	CreatedAt    time.Time
}

// PriceLine is one line of a price.
type PriceLine = tariff.Line

// Store runs the commands on registrations.
type Store struct {
	DB         *db.DB
	Now        civil.Clock
	Jobs       job.Inserter
	Households *household.Store
	Providers  []pay.Provider // in order of preference; none: transfer and counter only
	// WebhookURLs says where each provider signals, by its name; none when nobody outside can reach us.
	WebhookURLs map[string]string
}

const columns = `id, child_id, camp_id, ticket_id, registrant_id, payer_id, debtor_id, state, state_since, due_at, waiting_since,
		  price_cents, price_detail, stop_out_id, stop_back_id, without_bus, remark, derogation, together_id, created_at`

// Registration returns a registration by id; the caller has checked who asks.
func (s *Store) Registration(ctx context.Context, id uuid.UUID) (Registration, error) {
	return one(ctx, s.DB, `id = @id`, pgx.NamedArgs{"id": id})
}

func lock(ctx context.Context, tx db.Tx, id uuid.UUID) (Registration, error) {
	return one(ctx, tx, `id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
}

func one(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) (Registration, error) {
	rows, err := q.Query(ctx, `
		SELECT `+columns+`
		FROM registration
		WHERE `+where, args)
	if err != nil {
		return Registration{}, fmt.Errorf("reading a registration: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Registration])
	if errors.Is(err, pgx.ErrNoRows) {
		return Registration{}, problem.NotFound("registration.not_found")
	}
	if err != nil {
		return Registration{}, fmt.Errorf("reading a registration: %w", err)
	}
	return r, nil
}

// lockChild makes the requests for one child follow each other: two tabs, two guardians, two camps on the same day.
func lockChild(ctx context.Context, tx db.Tx, id uuid.UUID) error {
	var one int
	err := tx.QueryRow(ctx, `
		SELECT 1
		FROM child
		WHERE id = @id
		FOR NO KEY UPDATE`,
		pgx.NamedArgs{"id": id}).Scan(&one)
	if err != nil {
		return fmt.Errorf("locking child %s: %w", id, err)
	}
	return nil
}

// move brings a locked registration to another state, keeps the history, and enqueues what follows from it.
// due is when the family must act in the new state, or nil.
func (s *Store) move(ctx context.Context, tx db.Tx, r *Registration, next State, due *time.Time, actor audit.Actor, reason string) error {
	if !r.State.Leads(next) {
		return problem.Conflict("registration.no_such_move", string(r.State), string(next))
	}
	now := s.Now()
	waiting := r.WaitingSince
	if next == Waitlisted && waiting == nil {
		waiting = &now
	}
	_, err := tx.Exec(ctx, `
		UPDATE registration
		SET state = @state, state_since = @now, due_at = @due, waiting_since = @waiting, version = version + 1, updated_at = @now
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID, "state": next, "now": now, "due": due, "waiting": waiting})
	if err != nil {
		return fmt.Errorf("moving registration %s to %s: %w", r.ID, next, err)
	}
	from := r.State
	if err := s.follow(ctx, tx, r, next, actor); err != nil {
		return err
	}
	r.State, r.StateSince, r.DueAt, r.WaitingSince = next, now, due, waiting
	return s.note(ctx, tx, r, &from, actor, reason)
}

// note appends to the history of a registration and enqueues who must be told.
func (s *Store) note(ctx context.Context, tx db.Tx, r *Registration, from *State, actor audit.Actor, reason string) error {
	return s.noteAbout(ctx, tx, r, from, actor, reason, "")
}

// noteAbout is note for a line that says something else than a change of state or of stops.
func (s *Store) noteAbout(ctx context.Context, tx db.Tx, r *Registration, from *State, actor audit.Actor, reason, topic string) error {
	var event int64
	err := tx.QueryRow(ctx, `
		INSERT INTO registration_event (registration_id, from_state, to_state, at, actor_kind, actor_id, reason, topic)
		VALUES (@registration, @from, @to, @at, @actor_kind, @actor_id, @reason, @topic)
		RETURNING id`,
		pgx.NamedArgs{
			"registration": r.ID, "from": from, "to": r.State, "at": s.Now(),
			"actor_kind": actor.Kind, "actor_id": actor.ID, "reason": reason, "topic": topic,
		}).Scan(&event)
	if err != nil {
		return fmt.Errorf("keeping the history of registration %s: %w", r.ID, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.RegistrationChanged{EventID: event}, nil); err != nil {
		return fmt.Errorf("announcing registration %s: %w", r.ID, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.PushSoon{}, nil); err != nil {
		return fmt.Errorf("announcing registration %s: %w", r.ID, err)
	}
	return nil
}

func detail(lines []PriceLine) ([]byte, error) {
	b, err := json.Marshal(lines)
	if err != nil {
		return nil, fmt.Errorf("writing a price: %w", err)
	}
	return b, nil
}

// Unmirror notes that Odoo no longer has a registration, so that it is sent again.
func Unmirror(ctx context.Context, q db.Querier, id uuid.UUID) error {
	_, err := q.Exec(ctx, `
		UPDATE registration
		SET mirrored_version = 0
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("unmirroring registration %s: %w", id, err)
	}
	return nil
}
