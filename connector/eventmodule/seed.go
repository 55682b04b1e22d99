package eventmodule

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Commune is the content Seed lays into an empty server. Keys are stable:
// they become external ids, so that a second Seed adds only what is missing
// and leaves alone what people have changed since.
type Commune struct {
	Module string // the module part of the external ids
	Name   string // the company's name
	Zip    string
	City   string
	Places []Place
	Tags   []TagCategory
	Types  []string // event types (templates)
	Events []Event
}

// Place is a venue, a partner that events name as their address.
type Place struct{ Key, Name, Street string }

// TagCategory is a tag category with its tags.
type TagCategory struct {
	Name string
	Tags []string
}

// Event is one event to lay. Begin and End are instants; Zone is shown by
// Odoo beside them.
type Event struct {
	Key, Name   string
	Begin, End  time.Time
	Zone        string
	Place       string // a Place's key
	Type        string // an event type's name, or ""
	Tags        []string
	Stage       string // by name, default New
	Seats       int    // 0 is without limit
	Archived    bool
	Description string // HTML
	Tickets     []Ticket
	Attendees   []Attendee // made by other people, without an external id
}

// Ticket is one way to take part. Price is in euros, as Odoo stores it.
type Ticket struct {
	Name        string
	Description string
	Price       float64
	Seats       int
	SaleStart   time.Time
	SaleEnd     time.Time
}

// Attendee is a registration that stands there already.
type Attendee struct{ Name, Email, Phone, Ticket, State string }

// seeder lays one commune in one transaction.
type seeder struct {
	*env
	commune Commune
}

// Seed lays a commune; an empty one means Valmont around today. It is
// idempotent.
func (s *Server) Seed(ctx context.Context, c Commune) error {
	if c.Module == "" {
		c = Valmont(s.clock())
	}
	system := &user{User: User{Login: "__system__", Name: "OdooBot", Admin: true}, id: 1}
	_, err := s.transact(ctx, system, nil, true, func(e *env) (any, error) {
		return true, (&seeder{env: e, commune: c}).lay(ctx)
	})
	if err != nil {
		return fmt.Errorf("seeding %s: %w", c.Name, err)
	}
	return nil
}

func (s *seeder) lay(ctx context.Context) error {
	if _, err := s.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
		return err
	}
	if err := s.company(ctx); err != nil {
		return err
	}
	places := map[string]int64{}
	for _, p := range s.commune.Places {
		id, _, err := s.once(ctx, "res.partner", "place_"+p.Key, map[string]any{
			"name": p.Name, "street": p.Street, "zip": s.commune.Zip, "city": s.commune.City, "is_company": true, "country_id": int64(1), "lang": "fr_BE",
		})
		if err != nil {
			return err
		}
		places[p.Key] = id
	}
	tags := map[string]int64{}
	for i, c := range s.commune.Tags {
		category, _, err := s.once(ctx, "event.tag.category", fmt.Sprintf("category_%d", i+1), map[string]any{"name": c.Name, "sequence": int64(i + 1)})
		if err != nil {
			return err
		}
		for j, name := range c.Tags {
			id, _, err := s.once(ctx, "event.tag", fmt.Sprintf("tag_%d_%d", i+1, j+1), map[string]any{
				"name": name, "category_id": category, "sequence": int64(j + 1), "color": int64(i + 1),
			})
			if err != nil {
				return err
			}
			tags[name] = id
		}
	}
	types := map[string]int64{}
	for i, name := range s.commune.Types {
		id, _, err := s.once(ctx, "event.type", fmt.Sprintf("type_%d", i+1), map[string]any{"name": name, "default_timezone": "Europe/Brussels"})
		if err != nil {
			return err
		}
		types[name] = id
	}
	for _, ev := range s.commune.Events {
		if err := s.event(ctx, ev, places, tags, types); err != nil {
			return fmt.Errorf("event %s: %w", ev.Key, err)
		}
	}
	return nil
}

// company names the installation's company, unless somebody has.
func (s *seeder) company(ctx context.Context) error {
	queue := &pgx.Batch{}
	queue.Queue(`UPDATE res_company SET name = $1, write_date = $2 WHERE id = 1 AND name = 'My Company'`, s.commune.Name, s.now)
	queue.Queue(`UPDATE res_partner SET name = $1, zip = $3, city = $4, country_id = 1, write_date = $2 WHERE id = 1 AND name = 'My Company'`,
		s.commune.Name, s.now, s.commune.Zip, s.commune.City)
	return s.tx.SendBatch(ctx, queue).Close()
}

// once finds the row of a key or makes it; fresh says which.
func (s *seeder) once(ctx context.Context, model, key string, vals map[string]any) (id int64, fresh bool, err error) {
	rows, err := s.tx.Query(ctx, `SELECT res_id::bigint FROM ir_model_data WHERE module = $1 AND name = $2 AND model = $3`,
		s.commune.Module, key, model)
	if err != nil {
		return 0, false, err
	}
	known, err := collectIDs(rows)
	if err != nil {
		return 0, false, err
	}
	if len(known) > 0 {
		return known[0], false, nil
	}
	ids, err := s.create(ctx, s.model(model), []map[string]any{vals})
	if err != nil {
		return 0, false, err
	}
	_, err = s.create(ctx, s.model("ir.model.data"), []map[string]any{{
		"module": s.commune.Module, "name": key, "model": model, "res_id": ids[0], "noupdate": true,
	}})
	return ids[0], true, err
}

// event lays one event with its tickets and attendees.
func (s *seeder) event(ctx context.Context, ev Event, places, tags, types map[string]int64) error {
	vals := map[string]any{
		"name": ev.Name, "date_begin": stamp(ev.Begin.UTC()), "date_end": stamp(ev.End.UTC()), "date_tz": ev.Zone,
		"seats_limited": ev.Seats > 0, "seats_max": int64(ev.Seats), "active": !ev.Archived, "description": ev.Description, "lang": "fr_BE",
	}
	if id := places[ev.Place]; id != 0 {
		vals["address_id"] = id
	}
	if id := types[ev.Type]; id != 0 {
		vals["event_type_id"] = id
	}
	if ev.Stage != "" {
		ids, err := s.search(ctx, s.model("event.stage"), &node{leaf: condition{path: "name", op: "=", value: ev.Stage}}, page{limit: 1})
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			vals["stage_id"] = ids[0]
		}
	}
	wanted := []any{}
	for _, name := range ev.Tags {
		id, ok := tags[name]
		if !ok {
			return fmt.Errorf("no tag %q", name)
		}
		wanted = append(wanted, id)
	}
	vals["tag_ids"] = []any{[]any{int64(cmdSet), int64(0), wanted}}
	id, fresh, err := s.once(ctx, "event.event", "event_"+ev.Key, vals)
	if err != nil || !fresh {
		return err
	}
	tickets := map[string]any{}
	for i, t := range ev.Tickets {
		row := map[string]any{"event_id": id, "name": t.Name, "description": t.Description, "price": t.Price, "seats_max": int64(t.Seats), "sequence": int64(i + 1)}
		for name, at := range map[string]time.Time{"start_sale_datetime": t.SaleStart, "end_sale_datetime": t.SaleEnd} {
			if !at.IsZero() {
				row[name] = stamp(at.UTC())
			}
		}
		ids, err := s.create(ctx, s.model("event.event.ticket"), []map[string]any{row})
		if err != nil {
			return err
		}
		tickets[t.Name] = ids[0]
	}
	var attendees []map[string]any
	for _, a := range ev.Attendees {
		row := map[string]any{"event_id": id, "name": a.Name, "email": a.Email, "phone": a.Phone}
		if ticket, ok := tickets[a.Ticket]; ok {
			row["event_ticket_id"] = ticket
		}
		if a.State != "" {
			row["state"] = a.State
		}
		attendees = append(attendees, row)
	}
	_, err = s.create(ctx, s.model("event.registration"), attendees)
	return err
}
