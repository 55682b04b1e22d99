// Package transport keeps the bus: lines with their stops, trips with their seats, and the legs of the children.
package transport

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// The two directions of a trip.
const (
	Out  = "out"  // to the camp
	Back = "back" // home
)

// Line is a bus that serves camps.
type Line struct {
	ID       uuid.UUID
	Name     string
	Seats    int         // seats for children, the driver and leaders apart
	Cents    civil.Cents // price of one direction, for what Unit says
	Unit     tariff.Unit // the whole camp, or each day; "" is the camp
	Operator string
	Phone    string // E.164
	Stops    []Stop
}

// Stop is where a line stops; a nil time means that the bus does not stop in that direction.
type Stop struct {
	ID       uuid.UUID
	LineID   uuid.UUID
	Name     string
	Position int
	OutAt    *int // minutes after midnight
	BackAt   *int
}

// Store reads and writes the bus.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

func (l Line) validate() error {
	var f problem.Fields
	if strings.TrimSpace(l.Name) == "" || len(l.Name) > 100 {
		f.Add("name", "form.required")
	}
	if l.Seats < 1 || l.Seats > 200 {
		f.Add("seats", "transport.seats_out_of_range")
	}
	if l.Cents < 0 || l.Cents > 100_000 {
		f.Add("price", "camp.price_out_of_range")
	}
	if l.Unit != tariff.PerCamp && l.Unit != tariff.PerDay {
		f.Add("unit", "form.required")
	}
	if len(l.Stops) == 0 {
		f.Add("stops", "transport.no_stop")
	}
	for _, s := range l.Stops {
		if strings.TrimSpace(s.Name) == "" || len(s.Name) > 100 || s.OutAt == nil && s.BackAt == nil {
			f.Add("stops", "transport.stop_incomplete")
			break
		}
	}
	return f.Err()
}

// AddLine stores a line with its stops in the given order and returns it with ids; Invalid with every faulty field.
func (s *Store) AddLine(ctx context.Context, actor audit.Actor, l Line) (Line, error) {
	if l.Unit == "" {
		l.Unit = tariff.PerCamp
	}
	if err := l.validate(); err != nil {
		return l, err
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO bus_line (name, seats, cents, unit, operator, phone)
			VALUES (@name, @seats, @cents, @unit, @operator, @phone)
			RETURNING id`,
			pgx.NamedArgs{"name": l.Name, "seats": l.Seats, "cents": l.Cents, "unit": l.Unit, "operator": l.Operator, "phone": l.Phone}).Scan(&l.ID)
		if err != nil {
			return fmt.Errorf("adding a bus line: %w", err)
		}
		for i := range l.Stops {
			stop := &l.Stops[i]
			stop.LineID, stop.Position = l.ID, i+1
			err := tx.QueryRow(ctx, `
				INSERT INTO bus_stop (line_id, name, position, out_at, back_at)
				VALUES (@line, @name, @position, @out_at, @back_at)
				RETURNING id`,
				pgx.NamedArgs{"line": l.ID, "name": stop.Name, "position": stop.Position, "out_at": clock(stop.OutAt), "back_at": clock(stop.BackAt)}).Scan(&stop.ID)
			if err != nil {
				return fmt.Errorf("adding a stop of line %s: %w", l.ID, err)
			}
		}
		return audit.Record(ctx, tx, actor, "transport.line_added", "line", l.ID.String(), map[string]any{"seats": l.Seats, "stops": len(l.Stops)})
	})
	return l, err
}

// ServeCamp lets a line serve a camp: both trips of each session's day exist from then on.
func (s *Store) ServeCamp(ctx context.Context, actor audit.Actor, lineID, campID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO camp_line (camp_id, line_id)
			VALUES (@camp, @line)
			ON CONFLICT DO NOTHING`,
			pgx.NamedArgs{"camp": campID, "line": lineID})
		if err != nil {
			return fmt.Errorf("letting line %s serve camp %s: %w", lineID, campID, err)
		}
		if err := EnsureTrips(ctx, tx, campID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "transport.camp_served", "camp", campID.String(), map[string]any{"line": lineID})
	})
}

// EnsureTrips makes the trips that a camp's sessions need and that do not exist yet, in the caller's transaction.
func EnsureTrips(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	type need struct {
		LineID    uuid.UUID
		Seats     int
		Day       civil.Date
		Direction string
	}
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT l.id AS line_id, l.seats, s.day, d.direction
		FROM camp_line cl
		JOIN bus_line l ON l.id = cl.line_id
		JOIN camp_session s ON s.camp_id = cl.camp_id AND s.state <> 'cancelled'
		CROSS JOIN (VALUES ('out'), ('back')) AS d (direction)
		WHERE cl.camp_id = @camp
		  AND NOT EXISTS (SELECT 1 FROM trip t WHERE t.line_id = l.id AND t.day = s.day AND t.direction = d.direction)
		ORDER BY l.id, s.day, d.direction`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return fmt.Errorf("reading the missing trips of camp %s: %w", campID, err)
	}
	needs, err := pgx.CollectRows(rows, pgx.RowToStructByName[need])
	if err != nil {
		return fmt.Errorf("reading the missing trips of camp %s: %w", campID, err)
	}
	for _, n := range needs {
		pool, err := place.Create(ctx, tx, "trip", &n.Seats)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO trip (line_id, day, direction, pool_id)
			VALUES (@line, @day, @direction, @pool)
			ON CONFLICT (line_id, day, direction) DO NOTHING`,
			pgx.NamedArgs{"line": n.LineID, "day": n.Day, "direction": n.Direction, "pool": pool})
		if err != nil {
			return fmt.Errorf("making a trip of line %s: %w", n.LineID, err)
		}
		if tag.RowsAffected() == 0 { // another transaction made it
			if _, err := tx.Exec(ctx, `DELETE FROM pool WHERE id = @pool`, pgx.NamedArgs{"pool": pool}); err != nil {
				return fmt.Errorf("removing an unused pool: %w", err)
			}
		}
	}
	return nil
}

// PruneTrips removes the trips of a camp's lines that carry nobody on a day on which none of their camps has a session.
// What something else refers to stays.
func PruneTrips(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			WITH empty AS (
			  DELETE FROM trip t
			  USING camp_line cl
			  WHERE cl.camp_id = @camp
			    AND cl.line_id = t.line_id
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
			WHERE pool.id = empty.pool_id`,
			pgx.NamedArgs{"camp": campID})
		return err
	})
	if err != nil && db.Constraint(err) == "" {
		return fmt.Errorf("removing empty trips of camp %s: %w", campID, err)
	}
	return nil
}

// LinesOf returns the lines that serve a camp, with their stops in order.
func LinesOf(ctx context.Context, q db.Querier, campID uuid.UUID) ([]Line, error) {
	rows, err := q.Query(ctx, `
		SELECT l.id, l.name, l.seats, l.cents, l.unit, l.operator, l.phone
		FROM camp_line cl
		JOIN bus_line l ON l.id = cl.line_id
		WHERE cl.camp_id = @camp
		ORDER BY l.name, l.id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the lines of camp %s: %w", campID, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[Line])
	if err != nil {
		return nil, fmt.Errorf("reading the lines of camp %s: %w", campID, err)
	}
	rows, err = q.Query(ctx, `
		SELECT s.id, s.line_id, s.name, s.position,
		  (EXTRACT(EPOCH FROM s.out_at) / 60)::int AS out_at,
		  (EXTRACT(EPOCH FROM s.back_at) / 60)::int AS back_at
		FROM camp_line cl
		JOIN bus_stop s ON s.line_id = cl.line_id
		WHERE cl.camp_id = @camp
		ORDER BY s.line_id, s.position`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the stops of camp %s: %w", campID, err)
	}
	stops, err := pgx.CollectRows(rows, pgx.RowToStructByName[Stop])
	if err != nil {
		return nil, fmt.Errorf("reading the stops of camp %s: %w", campID, err)
	}
	for i := range lines {
		for _, s := range stops {
			if s.LineID == lines[i].ID {
				lines[i].Stops = append(lines[i].Stops, s)
			}
		}
	}
	return lines, nil
}

// Leg is one trip with the stop at which a child gets on or off.
type Leg struct {
	TripID uuid.UUID
	PoolID uuid.UUID
	StopID uuid.UUID
}

// LegsOf returns the legs that a child needs for every session day of a camp, given the stops chosen; nil is no bus in
// that direction. A stop that does not serve the camp in that direction is Invalid.
func LegsOf(ctx context.Context, q db.Querier, campID uuid.UUID, out, back *uuid.UUID) ([]Leg, error) {
	var legs []Leg
	for _, want := range []struct {
		stop      *uuid.UUID
		direction string
	}{{out, Out}, {back, Back}} {
		if want.stop == nil {
			continue
		}
		rows, err := q.Query(ctx, `
			SELECT DISTINCT t.id AS trip_id, t.pool_id, p.id AS stop_id
			FROM bus_stop p
			JOIN camp_line cl ON cl.line_id = p.line_id AND cl.camp_id = @camp
			JOIN camp_session s ON s.camp_id = cl.camp_id AND s.state <> 'cancelled'
			JOIN trip t ON t.line_id = p.line_id AND t.day = s.day AND t.direction = @direction AND t.state <> 'cancelled'
			WHERE p.id = @stop
			  AND CASE WHEN @direction = 'out' THEN p.out_at ELSE p.back_at END IS NOT NULL`,
			pgx.NamedArgs{"camp": campID, "stop": want.stop, "direction": want.direction})
		if err != nil {
			return nil, fmt.Errorf("reading the trips of stop %s: %w", want.stop, err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Leg])
		if err != nil {
			return nil, fmt.Errorf("reading the trips of stop %s: %w", want.stop, err)
		}
		if len(found) == 0 {
			var f problem.Fields
			f.Add("stop_"+want.direction, "transport.stop_unknown")
			return nil, f.Err()
		}
		legs = append(legs, found...)
	}
	return legs, nil
}

// Board puts a registration on its legs, in the caller's transaction, in place of those it had.
func Board(ctx context.Context, tx db.Tx, registrationID uuid.UUID, legs []Leg) error {
	if err := Leave(ctx, tx, registrationID); err != nil {
		return err
	}
	trips, stops := make([]uuid.UUID, len(legs)), make([]uuid.UUID, len(legs))
	for i, l := range legs {
		trips[i], stops[i] = l.TripID, l.StopID
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO leg (registration_id, trip_id, stop_id)
		SELECT @registration, t, s
		FROM unnest(@trips::uuid[], @stops::uuid[]) AS w (t, s)`,
		pgx.NamedArgs{"registration": registrationID, "trips": trips, "stops": stops})
	if err != nil {
		return fmt.Errorf("putting registration %s on its trips: %w", registrationID, err)
	}
	return nil
}

// Leave takes a registration off every trip.
func Leave(ctx context.Context, tx db.Tx, registrationID uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM leg
		WHERE registration_id = @registration`,
		pgx.NamedArgs{"registration": registrationID})
	if err != nil {
		return fmt.Errorf("taking registration %s off its trips: %w", registrationID, err)
	}
	return nil
}

func clock(minutes *int) *string {
	if minutes == nil {
		return nil
	}
	s := fmt.Sprintf("%02d:%02d", *minutes/60, *minutes%60)
	return &s
}
