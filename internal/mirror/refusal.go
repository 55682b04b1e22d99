package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Refuse notes that Odoo does not take a version of a record, and why.
// quiet says that it is no matter for staff: the row waits for another state.
func Refuse(ctx context.Context, q db.Querier, kind string, id uuid.UUID, version int64, message string, quiet bool, at time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_refusal (kind, local_id, version, message, quiet, refused_at)
		VALUES (@kind, @id, @version, @message, @quiet, @at)
		ON CONFLICT (kind, local_id)
		DO UPDATE SET version = EXCLUDED.version, message = EXCLUDED.message, quiet = EXCLUDED.quiet, refused_at = EXCLUDED.refused_at`,
		pgx.NamedArgs{"kind": kind, "id": id, "version": version, "message": message, "quiet": quiet, "at": at})
	if err != nil {
		return fmt.Errorf("noting that Odoo refuses %s %s: %w", kind, id, err)
	}
	return nil
}

// Accept forgets the refusals of records that Odoo has taken or that shall be tried again.
func Accept(ctx context.Context, q db.Querier, kind string, ids ...uuid.UUID) error {
	_, err := q.Exec(ctx, `
		DELETE FROM odoo_refusal
		WHERE kind = @kind
		  AND local_id = ANY(@ids)`,
		pgx.NamedArgs{"kind": kind, "ids": ids})
	if err != nil {
		return fmt.Errorf("forgetting refusals: %w", err)
	}
	return nil
}

// TryAgain forgets the refusals of the registrations of some camps, since what Odoo refuses there may have become
// possible: a place came free, or the event changed.
func TryAgain(ctx context.Context, q db.Querier, camps ...uuid.UUID) error {
	if len(camps) == 0 {
		return nil
	}
	_, err := q.Exec(ctx, `
		DELETE FROM odoo_refusal f
		USING registration r
		WHERE f.kind = 'registration'
		  AND r.id = f.local_id
		  AND r.camp_id = ANY(@camps)`,
		pgx.NamedArgs{"camps": camps})
	if err != nil {
		return fmt.Errorf("letting refused registrations try again: %w", err)
	}
	return nil
}

// TryAllAgain forgets every refusal: once a night what Odoo refuses is sent again, in case a person mended it there.
func TryAllAgain(ctx context.Context, q db.Querier) error {
	if _, err := q.Exec(ctx, `
		DELETE FROM odoo_refusal`); err != nil {
		return fmt.Errorf("letting refused records try again: %w", err)
	}
	return nil
}
