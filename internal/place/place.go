// Package place keeps capacity: pools, and the grants that take a place in every pool a request needs, or in none.
//
// A pool's free places are max − held − confirmed − external; a NULL max is unlimited. External places and a lowered
// maximum may over-fill a pool: that is stored and closes it to grants until places come free.
package place

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The two ways of having a place.
const (
	Held      = "held"
	Confirmed = "confirmed"
)

// Pool is a capacity and how it is used.
type Pool struct {
	ID        uuid.UUID
	Kind      string
	Max       *int
	Held      int
	Confirmed int
	External  int
	Closed    bool
}

// Taken is the number of places that are not free.
func (p Pool) Taken() int { return p.Held + p.Confirmed + p.External }

// Free returns the places left, never negative, and false when the pool is unlimited.
func (p Pool) Free() (n int, limited bool) {
	if p.Closed {
		return 0, true
	}
	if p.Max == nil {
		return 0, false
	}
	return max(0, *p.Max-p.Taken()), true
}

// OverFull reports whether more places are taken than there are.
func (p Pool) OverFull() bool { return p.Max != nil && p.Taken() > *p.Max }

// Create makes an empty pool of a kind: camp, ticket, trip or option. A nil maximum is unlimited.
func Create(ctx context.Context, tx db.Tx, kind string, maximum *int) (uuid.UUID, error) {
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		INSERT INTO pool (kind, max)
		VALUES (@kind, @max)
		RETURNING id`,
		pgx.NamedArgs{"kind": kind, "max": maximum}).Scan(&id)
	if err != nil {
		return id, fmt.Errorf("creating a %s pool: %w", kind, err)
	}
	return id, nil
}

// Read returns the pools with the given ids, in the order of the ids' bytes; unknown ids are left out.
func Read(ctx context.Context, q db.Querier, ids ...uuid.UUID) ([]Pool, error) {
	return read(ctx, q, "", ids)
}

// Lock returns the pools like Read and keeps them for the caller's transaction. Every transaction locks in the
// same order, so that two of them wait for each other but never in a circle.
func Lock(ctx context.Context, tx db.Tx, ids ...uuid.UUID) ([]Pool, error) {
	return read(ctx, tx, "FOR UPDATE", ids)
}

func read(ctx context.Context, q db.Querier, lock string, ids []uuid.UUID) ([]Pool, error) {
	rows, err := q.Query(ctx, `
		SELECT id, kind, max, held, confirmed, external, closed
		FROM pool
		WHERE id = ANY(@ids)
		ORDER BY id `+lock,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading pools: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Pool])
}

// Grant gives a registration one held place in each of the pools, all or none. Places it already has are kept.
// It returns the ids of the pools that were full, with nothing taken, when at least one was.
func Grant(ctx context.Context, tx db.Tx, registration uuid.UUID, pools []uuid.UUID) (full []uuid.UUID, err error) {
	pools = sorted(pools)
	had, err := of(ctx, tx, registration)
	if err != nil {
		return nil, err
	}
	locked, err := Lock(ctx, tx, pools...)
	if err != nil {
		return nil, err
	}
	if len(locked) != len(pools) {
		return nil, fmt.Errorf("granting to registration %s: %d of %d pools exist", registration, len(locked), len(pools))
	}
	var wanted []uuid.UUID
	for _, p := range locked {
		if slices.Contains(had, p.ID) {
			continue
		}
		wanted = append(wanted, p.ID)
		if free, limited := p.Free(); limited && free == 0 {
			full = append(full, p.ID)
		}
	}
	if len(full) > 0 || len(wanted) == 0 {
		return full, nil
	}
	_, err = tx.Exec(ctx, `
		WITH taken AS (
		  INSERT INTO place (pool_id, registration_id, state)
		  SELECT id, @registration, 'held'
		  FROM unnest(@pools::uuid[]) AS id
		  RETURNING pool_id
		)
		UPDATE pool
		SET held = held + 1
		FROM taken
		WHERE pool.id = taken.pool_id`,
		pgx.NamedArgs{"registration": registration, "pools": wanted})
	if err != nil {
		return nil, fmt.Errorf("granting places to registration %s: %w", registration, err)
	}
	return nil, nil
}

// Confirm turns every held place of a registration into a confirmed one; what is confirmed stays so.
func Confirm(ctx context.Context, tx db.Tx, registration uuid.UUID) error {
	return move(ctx, tx, registration, `
		WITH moved AS (
		  UPDATE place
		  SET state = 'confirmed'
		  WHERE registration_id = @registration
		    AND state = 'held'
		  RETURNING pool_id
		)
		UPDATE pool
		SET held = held - 1, confirmed = confirmed + 1
		FROM moved
		WHERE pool.id = moved.pool_id`)
}

// Unconfirm turns every confirmed place of a registration back into a held one.
func Unconfirm(ctx context.Context, tx db.Tx, registration uuid.UUID) error {
	return move(ctx, tx, registration, `
		WITH moved AS (
		  UPDATE place
		  SET state = 'held'
		  WHERE registration_id = @registration
		    AND state = 'confirmed'
		  RETURNING pool_id
		)
		UPDATE pool
		SET held = held + 1, confirmed = confirmed - 1
		FROM moved
		WHERE pool.id = moved.pool_id`)
}

// Release frees every place of a registration.
func Release(ctx context.Context, tx db.Tx, registration uuid.UUID) error {
	return move(ctx, tx, registration, `
		WITH freed AS (
		  DELETE FROM place
		  WHERE registration_id = @registration
		  RETURNING pool_id, state
		)
		UPDATE pool
		SET held = held - (freed.state = 'held')::int,
		    confirmed = confirmed - (freed.state = 'confirmed')::int
		FROM freed
		WHERE pool.id = freed.pool_id`)
}

// move locks the registration's pools in order before it changes them.
func move(ctx context.Context, tx db.Tx, registration uuid.UUID, change string) error {
	ids, err := of(ctx, tx, registration)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := Lock(ctx, tx, ids...); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, change, pgx.NamedArgs{"registration": registration}); err != nil {
		return fmt.Errorf("moving the places of registration %s: %w", registration, err)
	}
	return nil
}

func of(ctx context.Context, tx db.Tx, registration uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		SELECT pool_id
		FROM place
		WHERE registration_id = @registration`,
		pgx.NamedArgs{"registration": registration})
	if err != nil {
		return nil, fmt.Errorf("reading the places of registration %s: %w", registration, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// SetMax changes a pool's size; nil is unlimited. It may leave the pool over-full, which the caller makes a task.
func SetMax(ctx context.Context, tx db.Tx, id uuid.UUID, maximum *int) (Pool, error) {
	return set(ctx, tx, id, "max = @value", maximum)
}

// SetExternal changes how many places others have taken outside the portal.
func SetExternal(ctx context.Context, tx db.Tx, id uuid.UUID, n int) (Pool, error) {
	return set(ctx, tx, id, "external = @value", n)
}

// SetClosed closes a pool to grants, or opens it again.
func SetClosed(ctx context.Context, tx db.Tx, id uuid.UUID, closed bool) (Pool, error) {
	return set(ctx, tx, id, "closed = @value", closed)
}

func set(ctx context.Context, tx db.Tx, id uuid.UUID, assignment string, value any) (Pool, error) {
	rows, err := tx.Query(ctx, `
		UPDATE pool
		SET `+assignment+`
		WHERE id = @id
		RETURNING id, kind, max, held, confirmed, external, closed`,
		pgx.NamedArgs{"id": id, "value": value})
	if err != nil {
		return Pool{}, fmt.Errorf("changing pool %s: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Pool])
	if err != nil {
		return Pool{}, problem.NotFound("place.pool_not_found")
	}
	return p, nil
}

func sorted(ids []uuid.UUID) []uuid.UUID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}
