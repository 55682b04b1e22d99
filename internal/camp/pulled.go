package camp

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
	"ribambelle/internal/task"
)

// Pulled is what Odoo says of a camp. The description is already sanitised.
type Pulled struct {
	Name        string
	Description string
	Location    string
	BeginsAt    time.Time
	EndsAt      time.Time
	Zone        string
	Levels      []string
	Themes      []string
	AgeMin      *int
	AgeMax      *int
	Archived    bool
	Cancelled   bool
	Max         *int // nil is unlimited
	Tickets     []PulledTicket
}

// PulledTicket is what Odoo says of a ticket. ID is the camp.Ticket it became before, or nil.
type PulledTicket struct {
	ID          *uuid.UUID
	OdooID      int64
	Name        string
	Description string
	Cents       *civil.Cents
	SaleFrom    *time.Time
	SaleUntil   *time.Time
	Max         *int
}

// Applied says what a pull changed.
type Applied struct {
	ID              uuid.UUID
	Created         bool
	SessionsChanged bool
	Tickets         map[int64]uuid.UUID // by Odoo's id
}

// Apply makes a camp equal to what Odoo says, in the caller's transaction. id is nil for an event seen for the first
// time, which becomes a published camp. Registrations that the change touches become tasks.
func (s *Store) Apply(ctx context.Context, tx db.Tx, id *uuid.UUID, p Pulled) (Applied, error) {
	a := Applied{Tickets: map[int64]uuid.UUID{}}
	var before Camp
	if id == nil {
		created, err := s.create(ctx, tx, p)
		if err != nil {
			return a, err
		}
		a.ID, a.Created = created, true
	} else {
		a.ID = *id
		var err error
		if before, err = Read(ctx, tx, *id); err != nil {
			return a, err
		}
		if err := s.update(ctx, tx, *id, p); err != nil {
			return a, err
		}
	}
	c, err := Read(ctx, tx, a.ID)
	if err != nil {
		return a, err
	}
	pool, err := place.SetMax(ctx, tx, c.PoolID, p.Max)
	if err != nil {
		return a, err
	}
	if err := OverFull(ctx, tx, a.ID, pool); err != nil {
		return a, err
	}
	if a.SessionsChanged, err = replaceSessions(ctx, tx, a.ID, Sessions(p.BeginsAt, p.EndsAt, c.TimeZone())); err != nil {
		return a, err
	}
	if a.Tickets, err = s.applyTickets(ctx, tx, a.ID, p.Tickets); err != nil {
		return a, err
	}
	return a, s.tasks(ctx, tx, a, before, p)
}

func (p Pulled) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"name": p.Name, "description": p.Description, "location": p.Location,
		"begins_at": p.BeginsAt, "ends_at": p.EndsAt, "zone": p.Zone,
		"levels": nonNil(p.Levels), "themes": nonNil(p.Themes), "age_min": p.AgeMin, "age_max": p.AgeMax,
		"archived": p.Archived, "cancelled": p.Cancelled,
	}
}

func (s *Store) create(ctx context.Context, tx db.Tx, p Pulled) (id uuid.UUID, err error) {
	pool, err := place.Create(ctx, tx, "camp", p.Max)
	if err != nil {
		return id, err
	}
	args := p.args()
	args["pool"] = pool
	err = tx.QueryRow(ctx, `
		INSERT INTO camp (name, description, location, begins_at, ends_at, zone, tag_levels, tag_themes, tag_age_min, tag_age_max,
		  archived, cancelled, published, pool_id)
		VALUES (@name, @description, @location, @begins_at, @ends_at, @zone, @levels, @themes, @age_min, @age_max,
		  @archived, @cancelled, true, @pool)
		RETURNING id`, args).Scan(&id)
	if err != nil {
		return id, fmt.Errorf("creating a camp: %w", err)
	}
	return id, nil
}

func (s *Store) update(ctx context.Context, tx db.Tx, id uuid.UUID, p Pulled) error {
	args := p.args()
	args["id"] = id
	_, err := tx.Exec(ctx, `
		UPDATE camp
		SET name = @name, description = @description, location = @location, begins_at = @begins_at, ends_at = @ends_at, zone = @zone,
		  tag_levels = @levels, tag_themes = @themes, tag_age_min = @age_min, tag_age_max = @age_max,
		  archived = @archived, cancelled = @cancelled, updated_at = now()
		WHERE id = @id`, args)
	if err != nil {
		return fmt.Errorf("updating camp %s: %w", id, err)
	}
	return nil
}

func (s *Store) applyTickets(ctx context.Context, tx db.Tx, campID uuid.UUID, pulled []PulledTicket) (map[int64]uuid.UUID, error) {
	ids := make(map[int64]uuid.UUID, len(pulled))
	kept := make([]uuid.UUID, 0, len(pulled))
	for i, p := range pulled {
		id, err := s.applyTicket(ctx, tx, campID, i, p)
		if err != nil {
			return nil, err
		}
		ids[p.OdooID], kept = id, append(kept, id)
	}
	_, err := tx.Exec(ctx, `
		UPDATE ticket
		SET withdrawn = NOT id = ANY(@kept)
		WHERE camp_id = @camp`,
		pgx.NamedArgs{"camp": campID, "kept": kept})
	if err != nil {
		return nil, fmt.Errorf("withdrawing tickets of camp %s: %w", campID, err)
	}
	return ids, nil
}

func (s *Store) applyTicket(ctx context.Context, tx db.Tx, campID uuid.UUID, position int, p PulledTicket) (id uuid.UUID, err error) {
	args := pgx.NamedArgs{
		"camp": campID, "id": p.ID, "name": p.Name, "description": p.Description, "cents": p.Cents,
		"sale_from": p.SaleFrom, "sale_until": p.SaleUntil, "position": position,
	}
	if p.ID == nil {
		pool, err := place.Create(ctx, tx, "ticket", p.Max)
		if err != nil {
			return id, err
		}
		args["pool"] = pool
		err = tx.QueryRow(ctx, `
			INSERT INTO ticket (camp_id, name, description, odoo_cents, sale_from, sale_until, position, pool_id)
			VALUES (@camp, @name, @description, @cents, @sale_from, @sale_until, @position, @pool)
			RETURNING id`, args).Scan(&id)
		if err != nil {
			return id, fmt.Errorf("creating a ticket of camp %s: %w", campID, err)
		}
		return id, nil
	}
	var pool uuid.UUID
	err = tx.QueryRow(ctx, `
		UPDATE ticket
		SET camp_id = @camp, name = @name, description = @description, odoo_cents = @cents,
		  sale_from = @sale_from, sale_until = @sale_until, position = @position
		WHERE id = @id
		RETURNING pool_id`, args).Scan(&pool)
	if err != nil {
		return id, fmt.Errorf("updating ticket %s: %w", p.ID, err)
	}
	after, err := place.SetMax(ctx, tx, pool, p.Max)
	if err != nil {
		return id, err
	}
	return *p.ID, OverFull(ctx, tx, campID, after)
}

// OverFull keeps the task of an over-full pool of a camp in step with the pool.
func OverFull(ctx context.Context, tx db.Tx, campID uuid.UUID, p place.Pool) error {
	subject := campID.String() + "/" + p.ID.String()
	if !p.OverFull() {
		return task.Close(ctx, tx, task.OverFull, "camp", subject, "pull")
	}
	return task.Open(ctx, tx, task.OverFull, "camp", subject, map[string]any{"camp": campID, "pool": p.Kind, "max": *p.Max, "taken": p.Taken()})
}

// tasks tells staff when a change in Odoo touches children who are registered: the camp moved, went, or came back.
func (s *Store) tasks(ctx context.Context, tx db.Tx, a Applied, before Camp, p Pulled) error {
	if a.Created {
		return nil
	}
	had, gone := before.Cancelled || before.Archived, p.Cancelled || p.Archived
	var open, exits int
	err := tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE state IN ('submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed')),
		  count(*) FILTER (WHERE state = 'camp_cancelled')
		FROM registration
		WHERE camp_id = @camp`,
		pgx.NamedArgs{"camp": a.ID}).Scan(&open, &exits)
	if err != nil {
		return fmt.Errorf("counting the registrations of camp %s: %w", a.ID, err)
	}
	if !gone && had {
		if err := task.Close(ctx, tx, task.CampGone, "camp", a.ID.String(), "pull"); err != nil {
			return err
		}
		if exits > 0 {
			if err := task.Open(ctx, tx, task.CampBack, "camp", a.ID.String(), map[string]any{"camp": a.ID, "registrations": exits}); err != nil {
				return err
			}
		}
	}
	if gone && !had {
		if err := task.Close(ctx, tx, task.CampBack, "camp", a.ID.String(), "pull"); err != nil {
			return err
		}
	}
	if open == 0 {
		return nil
	}
	if gone && !had {
		return task.Open(ctx, tx, task.CampGone, "camp", a.ID.String(), map[string]any{"camp": a.ID, "registrations": open, "cancelled": p.Cancelled})
	}
	if a.SessionsChanged && !gone {
		return task.Open(ctx, tx, task.CampMoved, "camp", a.ID.String(), map[string]any{
			"camp": a.ID, "registrations": open, "began": before.BeginsAt, "ended": before.EndsAt,
		})
	}
	return nil
}

// Gone marks a camp whose event left Odoo, or lost the camp mark: it is archived here and becomes a task when
// children are registered.
func (s *Store) Gone(ctx context.Context, tx db.Tx, id uuid.UUID) error {
	tag, err := tx.Exec(ctx, `
		UPDATE camp
		SET archived = true, updated_at = now()
		WHERE id = @id
		  AND NOT archived`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("archiving camp %s: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	return s.tasks(ctx, tx, Applied{ID: id}, Camp{}, Pulled{Archived: true})
}

// WithdrawTicket takes a ticket out of what its camp offers: its event no longer has it. Registrations keep it.
func (s *Store) WithdrawTicket(ctx context.Context, tx db.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		UPDATE ticket
		SET withdrawn = true
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("withdrawing ticket %s: %w", id, err)
	}
	return nil
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
