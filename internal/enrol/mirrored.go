package enrol

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// MirroredAll notes that Odoo knows the given versions of registrations, ids and versions in the same order; an older
// note never undoes a newer one.
func MirroredAll(ctx context.Context, q db.Querier, ids []uuid.UUID, versions []int64) error {
	_, err := q.Exec(ctx, `
		UPDATE registration AS r
		SET mirrored_version = GREATEST(r.mirrored_version, w.version)
		FROM unnest(@ids::uuid[], @versions::bigint[]) AS w (id, version)
		WHERE r.id = w.id`,
		pgx.NamedArgs{"ids": ids, "versions": versions})
	if err != nil {
		return fmt.Errorf("noting the mirror of %d registrations: %w", len(ids), err)
	}
	return nil
}

// Remirror lets the registrations of some guardians be sent to Odoo again: something that Odoo shows of them, and that
// is not theirs, changed.
func Remirror(ctx context.Context, q db.Querier, registrants []uuid.UUID) error {
	_, err := q.Exec(ctx, `
		UPDATE registration
		SET version = version + 1
		WHERE registrant_id = ANY(@registrants)
		  AND mirrored_version > 0`,
		pgx.NamedArgs{"registrants": registrants})
	if err != nil {
		return fmt.Errorf("sending the registrations of %d guardians again: %w", len(registrants), err)
	}
	return nil
}
