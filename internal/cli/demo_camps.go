package cli

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/transport"
)

// minutes after midnight, for a stop's times.
func minutes(hour, minute int) *int {
	m := hour*60 + minute
	return &m
}

// demoLines are Valmont's two buses.
var demoLines = []transport.Line{
	{
		Name: "Ligne nord", Seats: 20, Cents: 1000, Operator: "Cars Fagne", Phone: "+3287000021",
		Stops: []transport.Stop{
			{Name: "Haute-Valmont, église", OutAt: minutes(8, 5), BackAt: minutes(16, 50)},
			{Name: "Les Tilleuls, école", OutAt: minutes(8, 15), BackAt: minutes(16, 40)},
			{Name: "Gare de Valmont", OutAt: minutes(8, 30), BackAt: minutes(16, 25)},
		},
	},
	{
		Name: "Ligne du lac", Seats: 16, Cents: 1000, Operator: "Cars Fagne", Phone: "+3287000021",
		Stops: []transport.Stop{
			{Name: "Barrage, parking", OutAt: minutes(8, 10), BackAt: minutes(16, 45)},
			{Name: "Place du Marché", OutAt: minutes(8, 25), BackAt: minutes(16, 30)},
		},
	},
}

// demoCamps brings the camps in from the demo's Odoo and adds what only the portal knows: buses and a leader, first of all
// for the camp that begins soon, whatever begins on the same day in the weeks of carnival. With a
// real Odoo the buses are there to choose, and the commune's own camps are left as they are.
func (a *app) demoCamps(ctx context.Context) error {
	lines := make([]uuid.UUID, len(demoLines))
	for i, line := range demoLines {
		var err error
		if lines[i], err = a.demoLine(ctx, line); err != nil {
			return err
		}
	}
	if a.config.OdooURL != "http://"+a.sims.addr.OdooAddr {
		return nil
	}
	if _, err := a.sync.Pull(ctx, false); err != nil {
		return err
	}
	rows, err := a.db.Query(ctx, `
		SELECT id, name
		FROM camp
		WHERE NOT archived AND NOT cancelled
		ORDER BY name <> @first, begins_at, name`, pgx.NamedArgs{"first": demoWood})
	if err != nil {
		return fmt.Errorf("reading the camps: %w", err)
	}
	type row struct {
		ID   uuid.UUID
		Name string
	}
	camps, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return fmt.Errorf("reading the camps: %w", err)
	}
	leader, err := a.account.ByEmail(ctx, demoLeader.email)
	if err != nil {
		return err
	}
	for i, c := range camps {
		if i%3 != 2 { // every third camp is reached without a bus
			if err := a.transport.ServeCamp(ctx, demoActor, lines[i%2], c.ID); err != nil {
				return err
			}
		}
		if i < 2 {
			if err := a.camp.AddLeader(ctx, demoActor, c.ID, leader.ID, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// demoLine makes a line unless a start that was cut short made it.
func (a *app) demoLine(ctx context.Context, line transport.Line) (uuid.UUID, error) {
	rows, err := a.db.Query(ctx, `
		SELECT id
		FROM bus_line
		WHERE name = @name`, pgx.NamedArgs{"name": line.Name})
	if err != nil {
		return uuid.Nil, fmt.Errorf("looking for the line %s: %w", line.Name, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return uuid.Nil, fmt.Errorf("looking for the line %s: %w", line.Name, err)
	}
	if len(ids) > 0 {
		return ids[0], nil
	}
	made, err := a.transport.AddLine(ctx, demoActor, cloneLine(line))
	return made.ID, err
}

// cloneLine keeps AddLine from writing ids into the demo's own list.
func cloneLine(l transport.Line) transport.Line {
	l.Stops = append([]transport.Stop(nil), l.Stops...)
	return l
}
