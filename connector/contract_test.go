package connector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ribambelle/connector"
	"ribambelle/connector/eventmodule/eventmoduletest"
)

// The contract tests say what the client relies on. They run against the
// event module, and against any server given by ODOO_URL, ODOO_DB, ODOO_USER
// and ODOO_PASSWORD: a user who may create events. With ODOO_DESK_USER and
// ODOO_DESK_PASSWORD they also look at a user of the registration desk. What
// they make begins with "contract" and is deleted again.

// peer is the server under test.
type peer struct {
	url, db, user, password string
	deskUser, deskPassword  string
	real                    bool
}

func (p peer) config() connector.Config {
	return connector.Config{URL: p.url, DB: p.db, User: p.user, Password: p.password, PageSize: 3, Timeout: 60 * time.Second}
}

func (p peer) client(t *testing.T, edit func(*connector.Config)) *connector.Client {
	t.Helper()
	cfg := p.config()
	if edit != nil {
		edit(&cfg)
	}
	c, err := connector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// contract starts or finds the peer. The test may do what it likes to rows it
// made itself.
func contract(t *testing.T) (*connector.Client, peer) {
	t.Helper()
	t.Parallel()
	p := peer{url: os.Getenv("ODOO_URL"), db: os.Getenv("ODOO_DB"), user: os.Getenv("ODOO_USER"), password: os.Getenv("ODOO_PASSWORD"), real: true}
	p.deskUser, p.deskPassword = os.Getenv("ODOO_DESK_USER"), os.Getenv("ODOO_DESK_PASSWORD")
	if p.url == "" {
		p = peer{db: eventmoduletest.DB, user: eventmoduletest.Admin, password: eventmoduletest.Admin, deskUser: eventmoduletest.Desk, deskPassword: eventmoduletest.Desk}
		p.url, _, _ = eventmoduletest.Start(t)
	}
	return p.client(t, nil), p
}

// unique gives names and external ids that no other run has.
func unique(what string) string {
	return fmt.Sprintf("contract %s %x", what, rand.Uint64())
}

func xmlID() string { return fmt.Sprintf("contract_%x.reg_%x", rand.Uint32(), rand.Uint64()) }

// begin is the first day of the events made here.
var begin = time.Date(2031, 7, 7, 7, 0, 0, 0, time.UTC)

// newEvent makes an event without mails and deletes it, with all that hangs
// on it, when the test ends.
func newEvent(t *testing.T, c *connector.Client, values map[string]any) int64 {
	t.Helper()
	v := map[string]any{
		"name": unique("event"), "date_begin": begin, "date_end": begin.Add(104 * time.Hour), "date_tz": "Europe/Brussels",
		"event_mail_ids": []any{[]any{5, 0, 0}},
	}
	for k, e := range values {
		v[k] = e
	}
	id, err := c.Create(t.Context(), connector.ModelEvent, v)
	if err != nil {
		t.Fatalf("creating an event: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		regs, err := c.IDs(ctx, connector.ModelRegistration, []any{[]any{"event_id", "=", id}})
		if err == nil {
			err = c.Unlink(ctx, connector.ModelRegistration, regs)
		}
		if err == nil {
			err = c.Unlink(ctx, connector.ModelEvent, []int64{id})
		}
		if err != nil && connector.KindOf(err) != connector.KindMissing {
			t.Errorf("deleting event %d: %v", id, err)
		}
	})
	return id
}

// load creates registrations and returns their ids and external ids.
func load(t *testing.T, c *connector.Client, event int64, n int, state string) (ids []int64, xids []string) {
	t.Helper()
	var rows [][]string
	for i := range n {
		xids = append(xids, xmlID())
		rows = append(rows, []string{xids[i], fmt.Sprintf("contract Enfant %02d", i), fmt.Sprint(event), state})
	}
	ids, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{"id", "name", "event_id/.id", "state"}, rows)
	if err != nil || len(messages) > 0 {
		t.Fatalf("loading: %v, %v", messages, err)
	}
	return ids, xids
}

func readOne(t *testing.T, c *connector.Client, id int64) connector.Registration {
	t.Helper()
	regs, err := c.Registrations(t.Context(), []int64{id})
	if err != nil || len(regs) != 1 {
		t.Fatalf("reading registration %d: %d rows, %v", id, len(regs), err)
	}
	return regs[0]
}

// want checks kind and code of a fault, and that it is not ambiguous.
func want(t *testing.T, err error, kind connector.Kind, code string) {
	t.Helper()
	f, ok := err.(*connector.Fault) //nolint:errorlint // Faults come unwrapped.
	if !ok {
		t.Errorf("error %v (%T), want a %s fault", err, err, kind)
		return
	}
	if f.Kind != kind || code != "" && f.Code != code || f.Ambiguous || f.Message == "" || strings.Contains(f.Message, "Traceback") {
		t.Errorf("fault %+v, want %s/%s", f, kind, code)
	}
}

func TestContractSignIn(t *testing.T) {
	c, p := contract(t)
	version, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("server %+v at %s", version, p.url)
	if version.Series < 14 {
		t.Errorf("version %+v", version)
	}
	profile, err := c.Profile(t.Context())
	if err != nil || profile.Series != version.Series {
		t.Errorf("profile %d, %v", profile.Series, err)
	}
	_, err = p.client(t, func(c *connector.Config) { c.Password += "x" }).EventIDs(t.Context())
	want(t, err, connector.KindDenied, connector.CodePassword)
	_, err = p.client(t, func(c *connector.Config) { c.User += "x" }).EventIDs(t.Context())
	want(t, err, connector.KindDenied, connector.CodePassword)
	_, err = p.client(t, func(c *connector.Config) { c.DB += "_none" }).EventIDs(t.Context())
	want(t, err, connector.KindDenied, connector.CodeDatabase)
}

func TestContractCheck(t *testing.T) {
	c, p := contract(t)
	r := c.Check(t.Context())
	t.Logf("report:\n%s", r)
	if !r.OK() || r.UserID == 0 || !r.Supported || !slices.Contains(r.Modules, "event") {
		t.Errorf("report %+v", r)
	}
	if p.deskUser == "" {
		t.Skip("no user of the registration desk is given")
	}
	desk := p.client(t, func(c *connector.Config) { c.User, c.Password = p.deskUser, p.deskPassword })
	r = desk.Check(t.Context())
	t.Logf("desk:\n%s", r)
	for right, allowed := range map[string]bool{
		"event.event:read": true, "event.event:write": false, "event.registration:create": true, "event.registration:write": true,
		"res.partner:read": true, "res.partner:create": false, "ir.model.data:read": false,
	} {
		if r.Rights[right] != allowed {
			t.Errorf("right %s is %v, want %v", right, r.Rights[right], allowed)
		}
	}
	if !r.OK() {
		t.Error("a user of the registration desk is not enough")
	}
}

func TestContractFields(t *testing.T) {
	c, _ := contract(t)
	fields, err := c.Fields(t.Context(), connector.ModelRegistration, "state", "event_id", "no_such_field")
	if err != nil {
		t.Fatal(err)
	}
	if len(fields) != 2 || fields["event_id"].Type != "many2one" || fields["event_id"].Relation != connector.ModelEvent || fields["state"].Type != "selection" {
		t.Errorf("fields %+v", fields)
	}
	for _, s := range []string{connector.StateDraft, connector.StateOpen, connector.StateDone, connector.StateCancel} {
		if !slices.Contains(fields["state"].Selection, s) {
			t.Errorf("state %q is not among %v", s, fields["state"].Selection)
		}
	}
	_, err = c.Fields(t.Context(), "no.such.model", "name")
	want(t, err, connector.KindProtocol, connector.CodeModel)
}

func TestContractEvent(t *testing.T) {
	c, _ := contract(t)
	types, err := c.EventTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	category, err := c.Create(t.Context(), connector.ModelTagCategory, map[string]any{"name": unique("category")})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := c.Create(t.Context(), connector.ModelTag, map[string]any{"name": unique("tag"), "category_id": category, "color": 4})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"tag_ids": []any{[]any{6, 0, []int64{tag}}}, "seats_limited": true, "seats_max": 12,
		"note": "<p>contrat <b>é &amp; è</b></p>", "address_id": nil,
	}
	if len(types) > 0 {
		values["event_type_id"] = types[0].ID
	}
	id := newEvent(t, c, values)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = c.Unlink(ctx, connector.ModelTag, []int64{tag})
		_ = c.Unlink(ctx, connector.ModelTagCategory, []int64{category})
	})
	read := func() connector.Event {
		events, err := c.Events(t.Context(), []int64{id})
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		return events[0]
	}
	e := read()
	if !strings.HasPrefix(e.Name, "contract event") || !e.Begin.Equal(begin) || !e.End.Equal(begin.Add(104*time.Hour)) || e.Zone != "Europe/Brussels" ||
		!e.Active || !slices.Equal(e.TagIDs, []int64{tag}) || !e.SeatsLimited || e.SeatsMax != 12 || e.SeatsTaken != 0 || e.SeatsAvailable != 12 ||
		!strings.Contains(e.Note, "é &amp; è") || !e.Place.IsZero() || e.Stage.IsZero() || e.KanbanState != "normal" ||
		e.Created.IsZero() || e.Written.IsZero() || e.Writer.IsZero() {
		t.Errorf("event %+v", e)
	}
	if len(types) > 0 && e.Type.ID != types[0].ID {
		t.Errorf("type %+v", e.Type)
	}
	tags, err := c.TagsChanged(t.Context(), e.Written.Add(-time.Minute))
	if i := slices.IndexFunc(tags, func(g connector.Tag) bool { return g.ID == tag }); err != nil || i < 0 || tags[i].Category.ID != category || tags[i].Color != 4 {
		t.Errorf("tags %+v, %v", tags, err)
	}
	cats, err := c.TagCategoriesChanged(t.Context(), e.Written.Add(-time.Minute))
	if i := slices.IndexFunc(cats, func(g connector.TagCategory) bool { return g.ID == category }); err != nil || i < 0 || !slices.Equal(cats[i].TagIDs, []int64{tag}) {
		t.Errorf("categories %+v, %v", cats, err)
	}

	// Unlimited and archived.
	if err := c.Write(t.Context(), connector.ModelEvent, []int64{id}, map[string]any{"seats_limited": false, "active": false}); err != nil {
		t.Fatal(err)
	}
	if e = read(); e.Active || e.SeatsLimited {
		t.Errorf("event %+v", e)
	}
	changed, err := c.EventsChanged(t.Context(), e.Written)
	if err != nil || !slices.ContainsFunc(changed, func(g connector.Event) bool { return g.ID == id }) {
		t.Errorf("an archived event written at %v is not among the changed: %v", e.Written, err)
	}
	ids, err := c.EventIDs(t.Context())
	if err != nil || !slices.Contains(ids, id) || !slices.IsSorted(ids) {
		t.Errorf("ids %v, %v", ids, err)
	}
	if err := c.Unlink(t.Context(), connector.ModelEvent, []int64{id}); err != nil {
		t.Fatal(err)
	}
	if events, err := c.Events(t.Context(), []int64{id}); err != nil || len(events) != 0 {
		t.Errorf("a deleted event is read: %v, %v", events, err)
	}
	want(t, c.Write(t.Context(), connector.ModelEvent, []int64{id}, map[string]any{"name": "contract"}), connector.KindMissing, "")
}

func TestContractStages(t *testing.T) {
	c, _ := contract(t)
	stages, err := c.Stages(t.Context())
	if err != nil || len(stages) == 0 {
		t.Fatalf("stages %v, %v", stages, err)
	}
	p, err := c.Profile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := newEvent(t, c, nil)
	values := map[string]any{"kanban_state": p.CancelledKanban}
	if p.CancelledStage != "" {
		i := slices.IndexFunc(stages, func(s connector.Stage) bool { return s.Cancelled })
		if i < 0 || !stages[i].Ended {
			t.Fatalf("no cancelled stage among %+v", stages)
		}
		values = map[string]any{"stage_id": stages[i].ID}
	}
	for _, cancelled := range []bool{false, true} {
		if cancelled {
			if err := c.Write(t.Context(), connector.ModelEvent, []int64{id}, values); err != nil {
				t.Fatal(err)
			}
		}
		events, err := c.Events(t.Context(), []int64{id})
		if err != nil || len(events) != 1 || events[0].Cancelled(stages) != cancelled {
			t.Errorf("cancelled %v, want %v; %v", events, cancelled, err)
		}
	}
}

func TestContractTicket(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	p, err := c.Profile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fields, err := c.Fields(t.Context(), connector.ModelTicket, "price")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"name": "contract Commune", "event_id": event, "seats_max": 4, p.SaleStart: begin.AddDate(0, -2, 0)}
	if p.SaleByDay {
		values[p.SaleStart] = begin.AddDate(0, -2, 0).Format(time.DateOnly)
	}
	_, sold := fields["price"]
	if sold {
		values["price"] = 62.5
	}
	id, err := c.Create(t.Context(), connector.ModelTicket, values)
	if err != nil {
		t.Fatal(err)
	}
	ids, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{"id", "name", "event_id/.id", "event_ticket_id/.id", "state"},
		[][]string{{xmlID(), "contract A", fmt.Sprint(event), fmt.Sprint(id), "open"}, {xmlID(), "contract B", fmt.Sprint(event), fmt.Sprint(id), "draft"}})
	if err != nil || len(ids) != 2 {
		t.Fatalf("loading: %v, %v", messages, err)
	}
	tickets, err := c.TicketsOf(t.Context(), []int64{event})
	if err != nil || len(tickets) != 1 {
		t.Fatalf("%d tickets, %v", len(tickets), err)
	}
	g := tickets[0]
	if g.ID != id || g.Name != "contract Commune" || g.Event.ID != event || g.SeatsMax != 4 || !g.SeatsLimited || g.SeatsTaken != 1 || g.SeatsAvailable != 3 || g.Priced != sold || !g.SaleEnd.IsZero() || g.SaleStart.IsZero() {
		t.Errorf("ticket %+v", g)
	}
	if sold && g.Price != 6250 {
		t.Errorf("price %d", g.Price)
	}
	all, err := c.TicketsChanged(t.Context(), g.Written)
	if err != nil || !slices.ContainsFunc(all, func(x connector.Ticket) bool { return x.ID == id }) {
		t.Errorf("the ticket is not among the changed: %v", err)
	}
	r := readOne(t, c, ids[0])
	if r.Ticket.ID != id || r.State != "open" || !r.TakesSeat() {
		t.Errorf("registration %+v", r)
	}
	want(t, c.Unlink(t.Context(), connector.ModelTicket, []int64{id}), connector.KindUser, "")
}
