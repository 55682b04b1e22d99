package place

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Shift gives a registration that has places the ones in to instead of those in from, in the state of its other
// places. It is for changes that the commune decided, such as other days: it takes a place even where none is free.
// It returns the pools that it touched, as they are now; the caller makes an over-full one a task.
func Shift(ctx context.Context, tx db.Tx, registration uuid.UUID, from, to []uuid.UUID) ([]Pool, error) {
	touched := sorted(slices.Concat(from, to))
	if len(touched) == 0 {
		return nil, nil
	}
	if _, err := Lock(ctx, tx, touched...); err != nil {
		return nil, err
	}
	args := pgx.NamedArgs{"registration": registration, "from": from, "to": to}
	for _, sql := range []string{`
		WITH taken AS (
		  INSERT INTO place (pool_id, registration_id, state)
		  SELECT p, @registration, x.state
		  FROM unnest(@to::uuid[]) AS p,
		    (SELECT state FROM place WHERE registration_id = @registration LIMIT 1) x
		  ON CONFLICT DO NOTHING
		  RETURNING pool_id, state
		)
		UPDATE pool
		SET held = held + (taken.state = 'held')::int,
		    confirmed = confirmed + (taken.state = 'confirmed')::int
		FROM taken
		WHERE pool.id = taken.pool_id`, `
		WITH freed AS (
		  DELETE FROM place
		  WHERE registration_id = @registration
		    AND pool_id = ANY(@from)
		  RETURNING pool_id, state
		)
		UPDATE pool
		SET held = held - (freed.state = 'held')::int,
		    confirmed = confirmed - (freed.state = 'confirmed')::int
		FROM freed
		WHERE pool.id = freed.pool_id`} {
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return nil, fmt.Errorf("shifting the places of registration %s: %w", registration, err)
		}
	}
	return Read(ctx, tx, touched...)
}
