// Package mirror keeps what we know of Odoo: which record is which, how far each model was read, which registrations
// others made there, and what Odoo refused.
package mirror

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// The kinds of our records that have a record in Odoo.
const (
	Camp         = "camp"
	Ticket       = "ticket"
	Registration = "registration"
	Guardian     = "guardian"
)

// Links returns our ids of Odoo's records of a model, by their id; unknown ones are left out.
func Links(ctx context.Context, q db.Querier, model string, odooIDs []int64) (map[int64]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id, local_id
		FROM odoo_link
		WHERE model = @model
		  AND odoo_id = ANY(@ids)`,
		pgx.NamedArgs{"model": model, "ids": odooIDs})
	if err != nil {
		return nil, fmt.Errorf("reading links of %s: %w", model, err)
	}
	return collect(rows)
}

// AllLinks returns every link of a model.
func AllLinks(ctx context.Context, q db.Querier, model string) (map[int64]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id, local_id
		FROM odoo_link
		WHERE model = @model`,
		pgx.NamedArgs{"model": model})
	if err != nil {
		return nil, fmt.Errorf("reading links of %s: %w", model, err)
	}
	return collect(rows)
}

func collect(rows pgx.Rows) (map[int64]uuid.UUID, error) {
	links := map[int64]uuid.UUID{}
	var odooID int64
	var localID uuid.UUID
	_, err := pgx.ForEachRow(rows, []any{&odooID, &localID}, func() error {
		links[odooID] = localID
		return nil
	})
	return links, err
}

// Link notes which records of Odoo are ours: ids and local ids in the same order. A record that Odoo made anew under
// our external id takes the place of the one it lost.
func Link(ctx context.Context, q db.Querier, model, kind string, odooIDs []int64, localIDs []uuid.UUID) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_link (model, odoo_id, kind, local_id)
		SELECT @model, o, @kind, l
		FROM unnest(@odoo_ids::bigint[], @local_ids::uuid[]) AS w (o, l)
		ON CONFLICT (kind, local_id)
		DO UPDATE SET model = EXCLUDED.model, odoo_id = EXCLUDED.odoo_id, adopted = false, digest = NULL, made_at = now()
		WHERE odoo_link.odoo_id <> EXCLUDED.odoo_id`,
		pgx.NamedArgs{"model": model, "kind": kind, "odoo_ids": odooIDs, "local_ids": localIDs})
	if err != nil {
		return fmt.Errorf("linking %d records of %s: %w", len(odooIDs), model, err)
	}
	return nil
}

// Adopt notes that a record that someone made in Odoo is ours from now on: it is loaded by its own id.
func Adopt(ctx context.Context, q db.Querier, model, kind string, odooID int64, localID uuid.UUID) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_link (model, odoo_id, kind, local_id, adopted)
		VALUES (@model, @odoo_id, @kind, @local_id, true)`,
		pgx.NamedArgs{"model": model, "kind": kind, "odoo_id": odooID, "local_id": localID})
	if err != nil {
		return fmt.Errorf("adopting %s %d: %w", model, odooID, err)
	}
	return nil
}

// Linked is a record of ours with its record in Odoo.
type Linked struct {
	OdooID  int64
	LocalID uuid.UUID
	Adopted bool
}

// LinkedRecords returns every link of a kind, by local id.
func LinkedRecords(ctx context.Context, q db.Querier, kind string) (map[uuid.UUID]Linked, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id, local_id, adopted
		FROM odoo_link
		WHERE kind = @kind`,
		pgx.NamedArgs{"kind": kind})
	if err != nil {
		return nil, fmt.Errorf("reading the links of %ss: %w", kind, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Linked])
	if err != nil {
		return nil, fmt.Errorf("reading the links of %ss: %w", kind, err)
	}
	links := make(map[uuid.UUID]Linked, len(all))
	for _, l := range all {
		links[l.LocalID] = l
	}
	return links, nil
}

// UnlinkLocal forgets the record of one of ours.
func UnlinkLocal(ctx context.Context, q db.Querier, kind string, localID uuid.UUID) error {
	_, err := q.Exec(ctx, `
		DELETE FROM odoo_link
		WHERE kind = @kind
		  AND local_id = @id`,
		pgx.NamedArgs{"kind": kind, "id": localID})
	if err != nil {
		return fmt.Errorf("unlinking %s %s: %w", kind, localID, err)
	}
	return nil
}

// Digests returns the digests of what was last applied of a model's records; those without one are left out.
func Digests(ctx context.Context, q db.Querier, model string, odooIDs []int64) (map[int64][]byte, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id, digest
		FROM odoo_link
		WHERE model = @model
		  AND odoo_id = ANY(@ids)
		  AND digest IS NOT NULL`,
		pgx.NamedArgs{"model": model, "ids": odooIDs})
	if err != nil {
		return nil, fmt.Errorf("reading digests of %s: %w", model, err)
	}
	digests := map[int64][]byte{}
	var id int64
	var digest []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &digest}, func() error {
		digests[id] = digest
		digest = nil
		return nil
	})
	return digests, err
}

// SetDigest notes what was last applied of a record; nil forgets it, so that the next pull applies it again.
func SetDigest(ctx context.Context, q db.Querier, model string, odooID int64, digest []byte) error {
	_, err := q.Exec(ctx, `
		UPDATE odoo_link
		SET digest = @digest
		WHERE model = @model
		  AND odoo_id = @id`,
		pgx.NamedArgs{"model": model, "id": odooID, "digest": digest})
	if err != nil {
		return fmt.Errorf("noting the digest of %s %d: %w", model, odooID, err)
	}
	return nil
}

// Unlink forgets records that are no longer in Odoo.
func Unlink(ctx context.Context, q db.Querier, model string, odooIDs []int64) error {
	_, err := q.Exec(ctx, `
		DELETE FROM odoo_link
		WHERE model = @model
		  AND odoo_id = ANY(@ids)`,
		pgx.NamedArgs{"model": model, "ids": odooIDs})
	if err != nil {
		return fmt.Errorf("unlinking records of %s: %w", model, err)
	}
	return nil
}

// Cursor is how far a model was read.
type Cursor struct {
	ChangedAt *time.Time // newest write_date seen, by Odoo's clock
	PulledAt  *time.Time
	SweptAt   *time.Time
}

// ReadCursor returns how far a model was read; nothing yet is an empty Cursor.
func ReadCursor(ctx context.Context, q db.Querier, model string) (Cursor, error) {
	rows, err := q.Query(ctx, `
		SELECT changed_at, pulled_at, swept_at
		FROM odoo_cursor
		WHERE model = @model`,
		pgx.NamedArgs{"model": model})
	if err != nil {
		return Cursor{}, fmt.Errorf("reading the cursor of %s: %w", model, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Cursor])
	if err != nil || len(all) == 0 {
		return Cursor{}, err
	}
	return all[0], nil
}

// Pulled notes that a model was read up to changedAt; a zero instant leaves that as it was.
func Pulled(ctx context.Context, q db.Querier, model string, changedAt, at time.Time) error {
	var changed *time.Time
	if !changedAt.IsZero() {
		changed = &changedAt
	}
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_cursor AS c (model, changed_at, pulled_at)
		VALUES (@model, @changed, @at)
		ON CONFLICT (model)
		DO UPDATE SET changed_at = GREATEST(c.changed_at, EXCLUDED.changed_at), pulled_at = EXCLUDED.pulled_at`,
		pgx.NamedArgs{"model": model, "changed": changed, "at": at})
	if err != nil {
		return fmt.Errorf("moving the cursor of %s: %w", model, err)
	}
	return nil
}

// Same reports whether a model that is read whole is as it was at the last Note; nothing noted yet is not the same.
func Same(ctx context.Context, q db.Querier, model string, digest []byte) (same bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM odoo_cursor WHERE model = @model AND digest = @digest)`,
		pgx.NamedArgs{"model": model, "digest": digest}).Scan(&same)
	if err != nil {
		return false, fmt.Errorf("comparing what was read of %s: %w", model, err)
	}
	return same, nil
}

// Note keeps the digest of a model that was read whole and applied.
func Note(ctx context.Context, q db.Querier, model string, digest []byte, at time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_cursor (model, digest, pulled_at)
		VALUES (@model, @digest, @at)
		ON CONFLICT (model)
		DO UPDATE SET digest = EXCLUDED.digest, pulled_at = EXCLUDED.pulled_at`,
		pgx.NamedArgs{"model": model, "digest": digest, "at": at})
	if err != nil {
		return fmt.Errorf("noting what was read of %s: %w", model, err)
	}
	return nil
}

// Swept notes that all ids of a model were compared.
func Swept(ctx context.Context, q db.Querier, model string, at time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_cursor (model, swept_at)
		VALUES (@model, @at)
		ON CONFLICT (model)
		DO UPDATE SET swept_at = EXCLUDED.swept_at`,
		pgx.NamedArgs{"model": model, "at": at})
	if err != nil {
		return fmt.Errorf("noting the sweep of %s: %w", model, err)
	}
	return nil
}

// Module is the part before the dot of every external id that this installation gives in Odoo. It holds the
// installation's own id, so that a test copy never touches the records of the real one.
func Module(ctx context.Context, q db.Querier) (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("drawing the installation's id: %w", err)
	}
	var id string
	err := q.QueryRow(ctx, `
		INSERT INTO setting (key, value)
		VALUES ('installation', @fresh)
		ON CONFLICT (key)
		DO UPDATE SET value = setting.value
		RETURNING value`,
		pgx.NamedArgs{"fresh": hex.EncodeToString(b[:])}).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("reading the installation's id: %w", err)
	}
	return "ribambelle_" + id, nil
}

// lockKey is the advisory lock that one syncer at a time holds on a database.
const lockKey = 0x7269_6261

// Alone runs f while no other syncer of this database does; it waits for its turn.
func Alone(ctx context.Context, d *db.DB, f func(ctx context.Context) error) error {
	conn, err := d.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the other syncer: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lockKey); err != nil {
		return fmt.Errorf("waiting for the other syncer: %w", err)
	}
	defer func() {
		// The lock ends with the session; a connection that cannot give it back is closed.
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(free, `SELECT pg_advisory_unlock($1)`, lockKey); err != nil {
			_ = conn.Conn().Close(free)
		}
	}()
	return f(ctx)
}
