package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Lines returns every line with its stops in order, by name.
func Lines(ctx context.Context, q db.Querier) ([]Line, error) {
	rows, err := q.Query(ctx, `
		SELECT id, name, seats, cents, unit, operator, phone
		FROM bus_line
		ORDER BY name, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the bus lines: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[Line])
	if err != nil {
		return nil, fmt.Errorf("reading the bus lines: %w", err)
	}
	rows, err = q.Query(ctx, `
		SELECT id, line_id, name, position,
		  (EXTRACT(EPOCH FROM out_at) / 60)::int AS out_at,
		  (EXTRACT(EPOCH FROM back_at) / 60)::int AS back_at
		FROM bus_stop
		ORDER BY line_id, position`)
	if err != nil {
		return nil, fmt.Errorf("reading the bus stops: %w", err)
	}
	stops, err := pgx.CollectRows(rows, pgx.RowToStructByName[Stop])
	if err != nil {
		return nil, fmt.Errorf("reading the bus stops: %w", err)
	}
	at := make(map[uuid.UUID]int, len(lines))
	for i, l := range lines {
		at[l.ID] = i
	}
	for _, s := range stops {
		i := at[s.LineID]
		lines[i].Stops = append(lines[i].Stops, s)
	}
	return lines, nil
}

// LeaveCamp lets a line serve a camp no longer and removes the trips that nothing needs any more. It returns Conflict
// while a child of the camp rides on it, or waits for a place with one of its stops, and NotFound when it does not
// serve the camp.
func (s *Store) LeaveCamp(ctx context.Context, actor audit.Actor, lineID, campID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		args := pgx.NamedArgs{"camp": campID, "line": lineID}
		var one int
		// Who registers reads the camp's lines: the lock makes the two follow each other on the camp's own row.
		err := tx.QueryRow(ctx, `
			SELECT 1
			FROM camp_line cl
			JOIN camp c ON c.id = cl.camp_id
			WHERE cl.camp_id = @camp
			  AND cl.line_id = @line
			FOR UPDATE OF c, cl`, args).Scan(&one)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("transport.line_not_here")
		}
		if err != nil {
			return fmt.Errorf("reading line %s of camp %s: %w", lineID, campID, err)
		}
		var children int
		err = tx.QueryRow(ctx, `
			SELECT count(*)
			FROM registration r
			WHERE r.camp_id = @camp
			  AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled', 'completed')
			  AND EXISTS (SELECT 1 FROM bus_stop p WHERE p.line_id = @line AND p.id IN (r.stop_out_id, r.stop_back_id))`, args).Scan(&children)
		if err != nil {
			return fmt.Errorf("counting the children on line %s: %w", lineID, err)
		}
		if children > 0 {
			return problem.Conflict("transport.line_in_use", children)
		}
		if err := unserve(ctx, tx, args); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "transport.camp_left", "camp", campID.String(), map[string]any{"line": lineID})
	})
}

// unserve removes the link of a line and a camp, then the line's coming trips that carry nobody and that no other camp
// of the line needs.
func unserve(ctx context.Context, tx db.Tx, args pgx.NamedArgs) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM camp_line
		WHERE camp_id = @camp
		  AND line_id = @line`, args)
	if err != nil {
		return fmt.Errorf("taking a line from a camp: %w", err)
	}
	_, err = tx.Exec(ctx, `
		WITH empty AS (
		  DELETE FROM trip t
		  WHERE t.line_id = @line
		    AND t.state = 'planned'
		    AND NOT EXISTS (SELECT 1 FROM leg l WHERE l.trip_id = t.id)
		    AND NOT EXISTS (SELECT 1 FROM place p WHERE p.pool_id = t.pool_id)
		    AND NOT EXISTS (
		      SELECT 1
		      FROM camp_line o
		      JOIN camp_session s ON s.camp_id = o.camp_id AND s.day = t.day AND s.state <> 'cancelled'
		      WHERE o.line_id = t.line_id)
		  RETURNING t.pool_id
		)
		DELETE FROM pool
		USING empty
		WHERE pool.id = empty.pool_id`, args)
	if err != nil {
		return fmt.Errorf("removing the trips that nothing needs: %w", err)
	}
	return nil
}
