package tariff

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Place is what is priced: a camp, or one of its tickets, with its own price for one unit.
type Place struct {
	CampID   uuid.UUID
	TicketID *uuid.UUID
	Cents    civil.Cents // what it costs unless an audience has its own price
	Own      bool        // the ticket has its own price, so that the camp's prices by audience are not for it
}

// RateFor is what an audience pays for a place, for one unit.
type RateFor struct {
	Audience
	Cents civil.Cents
	Set   bool // by the camp; else it follows from the audience's percentage
	Mine  bool // the family that was asked about belongs to it
}

// Rates returns what each audience pays for a place, in the commune's order. resident and guardianID say which of them
// are the family's on a day; a zero guardian is nobody's.
func Rates(ctx context.Context, q db.Querier, p Place, resident bool, guardianID uuid.UUID, on civil.Date) ([]RateFor, error) {
	rows, err := q.Query(ctx, `
		SELECT a.code, a.name, a.rule, a.percent, COALESCE(t.cents, c.cents) AS set_cents,
		  CASE a.rule WHEN 'everyone' THEN true WHEN 'resident' THEN @resident ELSE EXISTS (
		    SELECT 1
		    FROM guardian_audience m
		    WHERE m.guardian_id = @guardian
		      AND m.audience = a.code
		      AND m.ended_at IS NULL
		      AND m.valid_from <= @on
		      AND (m.valid_until IS NULL OR m.valid_until >= @on)) END AS mine
		FROM audience a
		LEFT JOIN camp_price t ON t.camp_id = @camp AND t.audience = a.code AND t.ticket_id = @ticket
		LEFT JOIN camp_price c ON c.camp_id = @camp AND c.audience = a.code AND c.ticket_id IS NULL AND NOT @own
		WHERE a.ended_at IS NULL
		ORDER BY a.position, a.code`,
		pgx.NamedArgs{"camp": p.CampID, "ticket": p.TicketID, "own": p.Own, "resident": resident, "guardian": guardianID, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading the prices of camp %s: %w", p.CampID, err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r RateFor, err error) {
		var set *civil.Cents
		if err := row.Scan(&r.Code, &r.Name, &r.Rule, &r.Percent, &set, &r.Mine); err != nil {
			return r, err
		}
		r.Cents = percent(p.Cents, r.Percent)
		if set != nil {
			r.Cents, r.Set = *set, true
		}
		return r, nil
	})
}

// Mine returns the rates of the family's audiences, for Price. They are named when not every audience pays the same.
func Mine(all []RateFor) []Rate {
	differ := false
	for _, r := range all {
		differ = differ || r.Cents != all[0].Cents
	}
	var mine []Rate
	for _, r := range all {
		if !r.Mine {
			continue
		}
		one := Rate{Audience: r.Code, Cents: r.Cents}
		if differ {
			one.Name = r.Name
		}
		mine = append(mine, one)
	}
	return mine
}

// Setting is the prices of one camp: by ticket (the zero id is the camp itself) and audience.
type Setting map[uuid.UUID]map[string]civil.Cents

// SettingOf returns the prices that a camp sets by audience.
func SettingOf(ctx context.Context, q db.Querier, campID uuid.UUID) (Setting, error) {
	rows, err := q.Query(ctx, `
		SELECT COALESCE(ticket_id, '00000000-0000-0000-0000-000000000000'), audience, cents
		FROM camp_price
		WHERE camp_id = @camp`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the prices of camp %s: %w", campID, err)
	}
	v := Setting{}
	var ticket uuid.UUID
	var audience string
	var cents civil.Cents
	_, err = pgx.ForEachRow(rows, []any{&ticket, &audience, &cents}, func() error {
		if v[ticket] == nil {
			v[ticket] = map[string]civil.Cents{}
		}
		v[ticket][audience] = cents
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the prices of camp %s: %w", campID, err)
	}
	return v, nil
}

// Field is the name of the input of a price by audience.
func Field(ticketID uuid.UUID, audience string) string {
	if ticketID == uuid.Nil {
		return "price_" + audience
	}
	return "price_" + ticketID.String() + "_" + audience
}

// SaveSetting stores the prices of a camp by audience in place of the former ones, with the unit in which all its
// prices are, and the prices of its tickets (nil: Odoo's or the camp's). Invalid with every faulty field, named by
// Field, or ticket_<id>.
func (s *Store) SaveSetting(ctx context.Context, actor audit.Actor, campID uuid.UUID, unit Unit, tickets map[uuid.UUID]*civil.Cents, v Setting) error {
	var f problem.Fields
	oneOf(&f, "unit", string(unit), string(PerCamp), string(PerSession), string(PerDay))
	for id, c := range tickets {
		if c != nil && (*c < 0 || *c > maxCents) {
			f.Add("ticket_"+id.String(), "camp.price_out_of_range")
		}
	}
	for ticket, prices := range v {
		for audience, c := range prices {
			if c < 0 || c > maxCents {
				f.Add(Field(ticket, audience), "camp.price_out_of_range")
			}
		}
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := saveUnit(ctx, tx, campID, unit, tickets); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM camp_price WHERE camp_id = @camp`, pgx.NamedArgs{"camp": campID}); err != nil {
			return fmt.Errorf("clearing the prices of camp %s: %w", campID, err)
		}
		for ticket, prices := range v {
			id := &ticket
			if ticket == uuid.Nil {
				id = nil
			}
			for audience, cents := range prices {
				_, err := tx.Exec(ctx, `
					INSERT INTO camp_price (camp_id, ticket_id, audience, cents)
					VALUES (@camp, @ticket, @audience, @cents)`,
					pgx.NamedArgs{"camp": campID, "ticket": id, "audience": audience, "cents": cents})
				if err != nil {
					return fmt.Errorf("saving a price of camp %s: %w", campID, err)
				}
			}
		}
		return audit.Record(ctx, tx, actor, "tariff.prices", "camp", campID.String(), map[string]any{"unit": unit, "tickets": tickets, "prices": v})
	})
}

func saveUnit(ctx context.Context, tx db.Tx, campID uuid.UUID, unit Unit, tickets map[uuid.UUID]*civil.Cents) error {
	tag, err := tx.Exec(ctx, `
		UPDATE camp
		SET price_unit = @unit, updated_at = now()
		WHERE id = @camp`,
		pgx.NamedArgs{"camp": campID, "unit": unit})
	if err != nil {
		return fmt.Errorf("saving the unit of the prices of camp %s: %w", campID, err)
	}
	if err := gone(tag.RowsAffected(), "camp.not_found"); err != nil {
		return err
	}
	for id, cents := range tickets {
		_, err := tx.Exec(ctx, `
			UPDATE ticket
			SET set_cents = @cents
			WHERE id = @id
			  AND camp_id = @camp`,
			pgx.NamedArgs{"id": id, "camp": campID, "cents": cents})
		if err != nil {
			return fmt.Errorf("saving the price of ticket %s: %w", id, err)
		}
	}
	return nil
}
