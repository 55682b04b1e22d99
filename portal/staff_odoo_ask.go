package portal

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/job"
	"ribambelle/internal/mirror"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// adopt links a registration of Odoo to a child, in one transaction of the rooms concerned.
func (s *server) adopt(ctx context.Context, odooID int64, account, child, guardian, key uuid.UUID) (made uuid.UUID, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		e, ok, err := mirror.ReadExternal(ctx, tx, odooID)
		if err != nil {
			return err
		}
		if !ok {
			return problem.NotFound("staff.outside.gone")
		}
		taken := e.State == "open" || e.State == "done"
		reg, err := s.Enrol.Adopt(ctx, tx, account, guardian, enrol.Request{Key: key, ChildID: child, CampID: e.CampID, TicketID: e.TicketID}, taken)
		if err != nil {
			return err
		}
		made = reg.ID
		if err := mirror.Adopt(ctx, tx, "event.registration", mirror.Registration, odooID, reg.ID); err != nil {
			return err
		}
		if _, err := mirror.DropExternals(ctx, tx, []int64{odooID}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Account(account), "registration.adopted", "registration", reg.ID.String(), map[string]any{"odoo": odooID})
	})
	if db.Constraint(err) == "registration_once" {
		return made, problem.Invalid("eligible.once")
	}
	return made, err
}

// staffAskPage is what staff ask Odoo to change of a camp, or to make.
type staffAskPage struct {
	staffPage
	Camp     *camp.Camp // nil for a new one
	URL      string
	Form     *form.Form
	Commands []mirror.Command
}

// Why says in French why Odoo refused.
func (p *staffAskPage) Why(c mirror.Command) string {
	if c.Reason == "" {
		return ""
	}
	why := p.L.T(c.Reason)
	if c.Message != "" && c.Reason == "odoo.reason.other" {
		why += " « " + c.Message + " »"
	}
	return why
}

// What lists what a command asks, in words.
func (p *staffAskPage) What(c mirror.Command) []string {
	var list []string
	a := c.Asked
	if a.Name != nil {
		list = append(list, p.L.T("staff.ask.name")+" : "+*a.Name)
	}
	if a.BeginsAt != nil && a.EndsAt != nil {
		list = append(list, p.L.DateTime(*a.BeginsAt)+" – "+p.L.DateTime(*a.EndsAt))
	}
	if a.Places != nil {
		n := p.L.T("staff.places.unlimited")
		if *a.Places > 0 {
			n = strconv.Itoa(*a.Places)
		}
		list = append(list, p.L.T("staff.ask.places")+" : "+n)
	}
	if a.Description != nil {
		list = append(list, p.L.T("staff.ask.description"))
	}
	return list
}

func (s *server) askPage(r *http.Request) (*staffAskPage, error) {
	title := s.locale(r).T("staff.ask.new")
	p := &staffAskPage{URL: "/gestion/odoo/nouveau-stage", Form: form.New()}
	back := &page.Link{URL: "/gestion/odoo", Text: s.locale(r).T("staff.odoo.page")}
	var id *uuid.UUID
	if mux.Vars(r)["id"] != "" {
		c, err := s.Camp.Camp(r.Context(), pathID(r))
		if err != nil {
			return nil, err
		}
		p.Camp, p.URL = &c, "/gestion/stages/"+c.ID.String()+"/odoo"
		id, title = &c.ID, s.locale(r).T("staff.ask.title", c.Name)
		back = &page.Link{URL: "/gestion/stages/" + c.ID.String(), Text: c.Name}
	}
	base, _, err := s.staff(r, title, "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p.staffPage = base
	p.Back = back
	p.Commands, err = mirror.CommandsOf(r.Context(), s.DB, id)
	return p, err
}

// staffOdooAsk shows the form as the camp stands, and what was asked before.
func (s *server) staffOdooAsk(w http.ResponseWriter, r *http.Request) error {
	p, err := s.askPage(r)
	if err != nil {
		return err
	}
	p.Form.Set("key", uuid.NewString())
	if c := p.Camp; c != nil {
		p.Form.Set("name", c.Name)
		setInstant(p.Form, "begins", &c.BeginsAt)
		setInstant(p.Form, "ends", &c.EndsAt)
		n, err := s.placesOf(r.Context(), *c)
		if err != nil {
			return err
		}
		if n > 0 {
			p.Form.Set("places", strconv.Itoa(n))
		}
	}
	return s.render(w, r, http.StatusOK, "staff/odoo_ask", p)
}

// placesOf is how many places a camp has in Odoo, 0 for no bound.
func (s *server) placesOf(ctx context.Context, c camp.Camp) (int, error) {
	pools, err := place.Read(ctx, s.DB, c.PoolID)
	if err != nil || len(pools) == 0 || pools[0].Max == nil {
		return 0, err
	}
	return *pools[0].Max, nil
}

// staffOdooAskSave stores what is asked; only what differs from the camp is sent.
func (s *server) staffOdooAskSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.askPage(r)
	if err != nil {
		return err
	}
	p.Form = f
	asked, err := s.readAsked(r.Context(), p)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if f.OK() && (asked.IsZero() || !ok) {
		f.Add("name", "staff.ask.nothing")
	}
	if !f.OK() {
		return s.render(w, r, http.StatusUnprocessableEntity, "staff/odoo_ask", p)
	}
	actor, account := s.actorOf(r)
	c := mirror.Command{ID: key, Kind: mirror.CommandCreate, Asked: asked, AccountID: account, CreatedAt: s.Now()}
	if p.Camp != nil {
		c.Kind, c.CampID = mirror.CommandChange, &p.Camp.ID
	}
	err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		if err := mirror.AddCommand(ctx, tx, c); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, job.SyncCommand{}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "odoo.command", "odoo_command", key.String(), map[string]any{"kind": c.Kind, "camp": c.CampID})
	})
	if err != nil {
		return fmt.Errorf("asking Odoo: %w", err)
	}
	s.flash(w, "flash.odoo_asked")
	return seeOther(w, r, p.URL)
}

func (s *server) readAsked(ctx context.Context, p *staffAskPage) (a mirror.Asked, err error) {
	f := p.Form
	name, text := f.Text("name"), f.Text("description")
	begins, ends := readInstant(f, "begins"), readInstant(f, "ends")
	number := optionalNumber(f, "places")
	switch {
	case name == "":
		f.Add("name", "form.required")
	case len(name) > 200:
		f.Add("name", "form.too_long")
	}
	if len(text) > 8000 {
		f.Add("description", "form.too_long")
	}
	for input, at := range map[string]*time.Time{"begins": begins, "ends": ends} {
		if at == nil && f.OK() {
			f.Add(input, "form.required")
		}
	}
	if begins != nil && ends != nil && !ends.After(*begins) {
		f.Add("ends", "odoo.reason.dates")
	}
	n := 0
	if number != nil {
		n = *number
	}
	if n < 0 || n > 10000 {
		f.Add("places", "staff.settings.no_number")
	}
	if !f.OK() {
		return a, nil
	}
	before, had := camp.Camp{}, 0
	if p.Camp != nil {
		before = *p.Camp
		if had, err = s.placesOf(ctx, before); err != nil {
			return a, err
		}
	}
	if name != before.Name {
		a.Name = &name
	}
	if p.Camp == nil || !sameMinute(*begins, before.BeginsAt) || !sameMinute(*ends, before.EndsAt) {
		a.BeginsAt, a.EndsAt = begins, ends
	}
	if n != had {
		a.Places = &n
	}
	if text = strings.TrimSpace(text); text != "" {
		a.Description = &text
	}
	return a, nil
}

// sameMinute compares what the form shows: minutes in Brussels.
func sameMinute(a, b time.Time) bool {
	return a.In(civil.Brussels).Format("2006-01-02 15:04") == b.In(civil.Brussels).Format("2006-01-02 15:04")
}
