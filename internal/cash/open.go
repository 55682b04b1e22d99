package cash

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Opening is what an agent counts before the first family comes.
type Opening struct {
	Key   uuid.UUID // of the form: sent twice it opens once
	Desk  string
	Float civil.Cents
	Why   string // needed when the float is not what the day before left
}

// Open begins the day of a desk. Invalid with every faulty field; Conflict while the desk has a day open.
func (s *Store) Open(ctx context.Context, accountID uuid.UUID, o Opening) (id uuid.UUID, err error) {
	var f problem.Fields
	o.Desk = words(&f, "desk", o.Desk, maxDesk)
	o.Why = words(&f, "why", o.Why, maxWhy)
	if o.Desk == "" {
		f.Add("desk", "form.required")
	}
	if o.Float < 0 || o.Float > maxDrawer {
		f.Add("float", "payment.amount_out_of_range")
	}
	if err := f.Err(); err != nil {
		return id, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM cash_day
			WHERE open_key = @key`,
			pgx.NamedArgs{"key": o.Key}).Scan(&id)
		if err == nil {
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("reading the desk: %w", err)
		}
		left, known, err := before(ctx, tx, o.Desk)
		if err != nil {
			return err
		}
		if known && left != o.Float && o.Why == "" {
			f.Add("why", "cash.float_differs", left)
			return f.Err()
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO cash_day (desk, day, float_cents, float_why, opened_by, opened_at, open_key)
			VALUES (@desk, @day, @float, @why, @by, @at, @key)
			RETURNING id`,
			pgx.NamedArgs{
				"desk": o.Desk, "day": civil.DateOf(s.Now(), civil.Brussels), "float": o.Float, "why": o.Why,
				"by": accountID, "at": s.Now(), "key": o.Key,
			}).Scan(&id)
		if err != nil {
			return fmt.Errorf("opening the desk: %w", err)
		}
		return audit.Record(ctx, tx, audit.Account(accountID), "cash.opened", "cash_day", id.String(), map[string]any{"float": o.Float})
	})
	switch db.Constraint(err) {
	case "cash_day_open":
		return id, problem.Conflict("cash.already_open", o.Desk)
	case "cash_day_open_key_key": // the same form, sent twice at once
		return s.byKey(ctx, "open_key", o.Key)
	}
	return id, err
}

func (s *Store) byKey(ctx context.Context, column string, key uuid.UUID) (id uuid.UUID, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT id
		FROM cash_day
		WHERE `+column+` = @key`,
		pgx.NamedArgs{"key": key}).Scan(&id)
	if err != nil {
		return id, fmt.Errorf("reading the desk: %w", err)
	}
	return id, nil
}

// Suggested returns the desk that was opened last and what it had left, to begin the form of opening with.
func (s *Store) Suggested(ctx context.Context) (desk string, left civil.Cents, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT desk
		FROM cash_day
		ORDER BY opened_at DESC
		LIMIT 1`).Scan(&desk)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("reading the desks: %w", err)
	}
	left, _, err = before(ctx, s.DB, desk)
	return desk, left, err
}

// Overnight makes a task of every day that stayed open over night, and returns how many there are.
func (s *Store) Overnight(ctx context.Context) (int, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id
		FROM cash_day
		WHERE closed_at IS NULL
		  AND day < @today`,
		pgx.NamedArgs{"today": civil.DateOf(s.Now(), civil.Brussels)})
	if err != nil {
		return 0, fmt.Errorf("reading the open desks: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("reading the open desks: %w", err)
	}
	for _, id := range ids {
		if err := task.Open(ctx, s.DB, task.DeskOpen, "cash_day", id.String(), nil); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
