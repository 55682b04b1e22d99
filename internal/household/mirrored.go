package household

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// MirroredAll is Mirrored for many guardians: ids and versions in the same order.
func MirroredAll(ctx context.Context, q db.Querier, ids []uuid.UUID, versions []int64) error {
	_, err := q.Exec(ctx, `
		UPDATE guardian AS g
		SET mirrored_version = GREATEST(g.mirrored_version, w.version)
		FROM unnest(@ids::uuid[], @versions::bigint[]) AS w (id, version)
		WHERE g.id = w.id`,
		pgx.NamedArgs{"ids": ids, "versions": versions})
	if err != nil {
		return fmt.Errorf("noting the mirror of %d guardians: %w", len(ids), err)
	}
	return nil
}

// Unmirror notes that Odoo does not show a guardian as we do, so that it is sent again.
func Unmirror(ctx context.Context, q db.Querier, id uuid.UUID) error {
	_, err := q.Exec(ctx, `
		UPDATE guardian
		SET mirrored_version = 0
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("unmirroring guardian %s: %w", id, err)
	}
	return nil
}
