package job

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// keepFires is how long a slot is remembered; no schedule looks back further than a day.
const keepFires = 7 * 24 * time.Hour

// Fire claims a slot (an instant, UTC) of the schedule name for the caller's transaction. first is true for exactly one
// transaction that commits: only that one inserts the slot's job. It is false for the others, and when the schedule is
// switched off. Another transaction that is claiming the same slot is waited for.
func Fire(ctx context.Context, tx db.Tx, name string, slot time.Time) (first bool, err error) {
	args := pgx.NamedArgs{"name": name, "slot": slot.UTC(), "before": slot.UTC().Add(-keepFires)}
	const row = `
		INSERT INTO schedule (name)
		VALUES (@name)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name
		RETURNING enabled`
	var enabled bool
	if err := tx.QueryRow(ctx, row, args).Scan(&enabled); err != nil {
		return false, fmt.Errorf("reading the schedule %s: %w", name, err)
	}
	if !enabled {
		return false, nil
	}
	const claim = `
		INSERT INTO schedule_fire (name, slot)
		VALUES (@name, @slot)
		ON CONFLICT DO NOTHING`
	tag, err := tx.Exec(ctx, claim, args)
	if err != nil {
		return false, fmt.Errorf("claiming a slot of %s: %w", name, err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	const note = `
		UPDATE schedule
		SET last_slot = @slot, last_fired_at = now(), last_outcome = 'enqueued'
		WHERE name = @name`
	if _, err := tx.Exec(ctx, note, args); err != nil {
		return false, fmt.Errorf("noting a slot of %s: %w", name, err)
	}
	const forget = `
		DELETE FROM schedule_fire
		WHERE name = @name AND slot < @before`
	if _, err := tx.Exec(ctx, forget, args); err != nil {
		return false, fmt.Errorf("forgetting old slots of %s: %w", name, err)
	}
	return true, nil
}
