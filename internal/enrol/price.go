package enrol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/transport"
)

// wish is what a family takes beside the place itself.
type wish struct {
	stopOut  *uuid.UUID
	stopBack *uuid.UUID
	options  []camp.Option
}

// price returns what a registration costs, in detail: the camp or its ticket, the bus by direction, and the options.
// Lines without a price are left out.
func price(ctx context.Context, q db.Querier, f Facts, v wish) ([]PriceLine, error) {
	lines := []PriceLine{{Label: "price.camp", Args: []string{f.Camp.Name}, Cents: f.Camp.PriceCents}}
	if f.Ticket != nil {
		lines[0] = PriceLine{Label: "price.formula", Args: []string{f.Camp.Name, f.Ticket.Name}, Cents: f.Ticket.Price(f.Camp)}
	}
	for _, way := range []struct {
		stop  *uuid.UUID
		label string
	}{{v.stopOut, "price.bus_out"}, {v.stopBack, "price.bus_back"}} {
		if way.stop == nil {
			continue
		}
		line := PriceLine{Label: way.label, Args: []string{""}}
		err := q.QueryRow(ctx, `
			SELECT s.name, l.cents
			FROM bus_stop s
			JOIN bus_line l ON l.id = s.line_id
			WHERE s.id = @stop`,
			pgx.NamedArgs{"stop": way.stop}).Scan(&line.Args[0], &line.Cents)
		if err != nil {
			return nil, fmt.Errorf("reading the price of stop %s: %w", way.stop, err)
		}
		lines = append(lines, line)
	}
	for _, o := range v.options {
		lines = append(lines, PriceLine{Label: "price.option", Args: []string{o.Name}, Cents: o.Cents})
	}
	return slices.DeleteFunc(lines, func(l PriceLine) bool { return l.Cents == 0 }), nil
}

func total(lines []PriceLine) (sum civil.Cents) {
	for _, l := range lines {
		sum += l.Cents
	}
	return sum
}

// wants is what a registration needs to go through: its pools, and the legs that put the child on the bus.
type wants struct {
	pools []uuid.UUID // of the camp, the ticket and the options
	trips []uuid.UUID // pools of the trips
	legs  []transport.Leg
}

func wanted(ctx context.Context, q db.Querier, c camp.Camp, t *camp.Ticket, v wish) (wants, error) {
	w := wants{pools: []uuid.UUID{c.PoolID}}
	if t != nil {
		w.pools = append(w.pools, t.PoolID)
	}
	for _, o := range v.options {
		w.pools = append(w.pools, o.PoolID)
	}
	legs, err := transport.LegsOf(ctx, q, c.ID, v.stopOut, v.stopBack)
	if err != nil {
		return w, err
	}
	w.legs = legs
	for _, l := range legs {
		w.trips = append(w.trips, l.PoolID)
	}
	return w, nil
}

// chosen returns the options of a camp with the given ids; one that is not offered at the moment is Invalid.
func chosen(ctx context.Context, q db.Querier, campID uuid.UUID, ids []uuid.UUID, at time.Time) ([]camp.Option, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := camp.OptionsOf(ctx, q, campID)
	if err != nil {
		return nil, err
	}
	var taken []camp.Option
	for _, o := range all {
		if slices.Contains(ids, o.ID) && o.OfferedAt(at) {
			taken = append(taken, o)
		}
	}
	if len(taken) != len(ids) {
		var f problem.Fields
		f.Add("options", "registration.option_unknown")
		return nil, f.Err()
	}
	return taken, nil
}

// wishOf returns what a stored registration takes, options that were withdrawn since included.
func wishOf(ctx context.Context, q db.Querier, r *Registration) (wish, error) {
	v := wish{stopOut: r.StopOutID, stopBack: r.StopBackID}
	rows, err := q.Query(ctx, `
		SELECT option_id
		FROM registration_option
		WHERE registration_id = @id`,
		pgx.NamedArgs{"id": r.ID})
	if err != nil {
		return v, fmt.Errorf("reading the options of registration %s: %w", r.ID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return v, err
	}
	all, err := camp.OptionsOf(ctx, q, r.CampID)
	if err != nil {
		return v, err
	}
	v.options = slices.DeleteFunc(all, func(o camp.Option) bool { return !slices.Contains(ids, o.ID) })
	return v, nil
}

// The hours between which a family's deadline may end, and the shortest time that it gets.
const (
	dayBegins   = 8 * 60
	dayEnds     = 20 * 60
	shortNotice = 2 * time.Hour
)

// payBy returns until when a family may pay: 20:00 after the camp's number of days, but before the camp begins; when
// that is too short, the next morning at 8:00.
func payBy(now time.Time, f Facts) time.Time {
	return deadline(now, f.Camp.PayDays, f.FirstDay())
}

// answerBy returns until when a family may take an offered place: two days, on the same terms.
func answerBy(now time.Time, f Facts) time.Time { return deadline(now, 2, f.FirstDay()) }

func deadline(now time.Time, days int, first civil.Date) time.Time {
	today := civil.DateOf(now, civil.Brussels)
	day := today.AddDays(days)
	if !day.Before(first) {
		day = first.AddDays(-1)
	}
	if day.Before(today) {
		day = today
	}
	if at := day.At(dayEnds, civil.Brussels); at.Sub(now) >= shortNotice {
		return at
	}
	return today.AddDays(1).At(dayBegins, civil.Brussels)
}
