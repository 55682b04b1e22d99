package enrol

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/transport"
)

// Rebook puts the children of a camp whose sessions changed on the bus of the days that it now has. Nobody loses a seat
// because the commune moved the camp: a trip may become over-full by it, which is a task. A stop that no bus of the
// camp serves any more leaves the child without a leg in that direction; the task of the moved camp stands for it.
func (s *Store) Rebook(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT r.id, r.stop_out_id, r.stop_back_id,
		  ARRAY(SELECT DISTINCT t.pool_id FROM leg l JOIN trip t ON t.id = l.trip_id WHERE l.registration_id = r.id) AS pools
		FROM registration r
		WHERE r.camp_id = @camp
		  AND (r.stop_out_id IS NOT NULL OR r.stop_back_id IS NOT NULL)
		  AND EXISTS (SELECT 1 FROM place p WHERE p.registration_id = r.id)
		ORDER BY r.id
		FOR UPDATE OF r`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return fmt.Errorf("reading the children on the buses of camp %s: %w", campID, err)
	}
	type aboard struct {
		ID         uuid.UUID
		StopOutID  *uuid.UUID
		StopBackID *uuid.UUID
		Pools      []uuid.UUID
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[aboard])
	if err != nil {
		return fmt.Errorf("reading the children on the buses of camp %s: %w", campID, err)
	}
	over := map[uuid.UUID]place.Pool{}
	for _, a := range all {
		var legs []transport.Leg
		for _, way := range [][2]*uuid.UUID{{a.StopOutID, nil}, {nil, a.StopBackID}} {
			found, err := transport.LegsOf(ctx, tx, campID, way[0], way[1])
			if err != nil && !problem.Is(err, problem.KindInvalid) {
				return err
			}
			legs = append(legs, found...)
		}
		var pools []uuid.UUID
		for _, l := range legs {
			pools = append(pools, l.PoolID)
		}
		touched, err := place.Shift(ctx, tx, a.ID, without(a.Pools, pools), without(pools, a.Pools))
		if err != nil {
			return err
		}
		for _, p := range touched {
			over[p.ID] = p
		}
		if err := transport.Board(ctx, tx, a.ID, legs); err != nil {
			return err
		}
	}
	for _, p := range over {
		if err := camp.OverFull(ctx, tx, campID, p); err != nil {
			return err
		}
	}
	return nil
}

// without returns the ids of a that are not in b, sorted.
func without(a, b []uuid.UUID) []uuid.UUID {
	rest := slices.DeleteFunc(slices.Clone(a), func(id uuid.UUID) bool { return slices.Contains(b, id) })
	slices.SortFunc(rest, func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) })
	return slices.Compact(rest)
}
