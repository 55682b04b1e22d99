package sync_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/connector/eventmodule/eventmoduletest"
	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/sync"
)

// bundle is a commune on both sides: our database and an event module.
type bundle struct {
	*enroltest.World
	sync *sync.Syncer
	odoo *connector.Client
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url, _, _ := eventmoduletest.Start(t)
	b := &bundle{World: enroltest.New(t)}
	client, err := connector.New(connector.Config{URL: url, DB: eventmoduletest.DB, User: "admin", Password: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	b.odoo = client
	b.sync = &sync.Syncer{DB: b.DB, Now: b.Now, Odoo: client, Camps: b.Camps, Enrol: b.Enrol, Households: b.Households, Log: slog.New(slog.DiscardHandler)}
	return b
}

func (b *bundle) run(t *testing.T, full bool) sync.Result {
	t.Helper()
	r, err := b.sync.Run(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// event makes an event in Odoo with the camp mark and two levels, from 5 to 9 July 2027.
func (b *bundle) event(t *testing.T, name string, values map[string]any) int64 {
	t.Helper()
	ctx := t.Context()
	all := map[string]any{
		"name": name, "date_begin": "2027-07-05 07:00:00", "date_end": "2027-07-09 14:00:00", "date_tz": "Europe/Brussels",
		"seats_limited": true, "seats_max": 2,
		"tag_ids": []any{[]any{6, 0, []any{b.tag(t, "Type", "Stage"), b.tag(t, "Niveau", "P1-P3"), b.tag(t, "Niveau", "P4"), b.tag(t, "Thème", "Nature"), b.tag(t, "Âge", "6-9 ans")}}},
	}
	for k, v := range values {
		all[k] = v
	}
	id, err := b.odoo.Create(ctx, connector.ModelEvent, all)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// tag finds or makes a tag.
func (b *bundle) tag(t *testing.T, category, name string) int64 {
	t.Helper()
	find := func(model, name string) int64 {
		ids, err := b.odoo.IDs(t.Context(), model, []any{[]any{"name", "=", name}})
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			return 0
		}
		return ids[0]
	}
	make := func(model string, values map[string]any) int64 {
		id, err := b.odoo.Create(t.Context(), model, values)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	c := find(connector.ModelTagCategory, category)
	if c == 0 {
		c = make(connector.ModelTagCategory, map[string]any{"name": category})
	}
	if id := find(connector.ModelTag, name); id != 0 {
		return id
	}
	return make(connector.ModelTag, map[string]any{"name": name, "category_id": c, "color": 1})
}

func (b *bundle) camp(t *testing.T, name string) (id uuid.UUID) {
	t.Helper()
	if err := b.DB.QueryRow(t.Context(), `SELECT id FROM camp WHERE name = $1`, name).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bundle) int(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := b.DB.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEventBecomesCamp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.event(t, "Explorateurs", nil)
	b.event(t, "Concert", map[string]any{"tag_ids": []any{}})
	r := b.run(t, false)
	if r.Created != 1 {
		t.Fatalf("%+v, want one camp of two events", r)
	}
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Explorateurs"))
	if err != nil {
		t.Fatal(err)
	}
	low, high := 6, 9
	if diff := cmp.Diff([]any{[]string{"P1", "P2", "P3", "P4"}, []string{"Nature"}, &low, &high, true}, []any{c.Levels, c.Themes, c.AgeMin, c.AgeMax, c.Published}); diff != "" {
		t.Errorf("camp (-want +got):\n%s", diff)
	}
	if n := b.int(t, `SELECT count(*) FROM camp_session WHERE camp_id = $1 AND starts = '09:00' AND ends = '16:00'`, c.ID); n != 5 {
		t.Errorf("%d sessions from 9:00 to 16:00, want 5", n)
	}
	if r = b.run(t, false); r.Created+r.Updated != 0 {
		t.Errorf("a pass with nothing new applied %+v", r)
	}
	if err := b.odoo.Write(t.Context(), connector.ModelEvent, []int64{id}, map[string]any{"name": "Explorateurs du canal", "seats_max": 5, "date_end": "2027-07-08 14:00:00"}); err != nil {
		t.Fatal(err)
	}
	if r = b.run(t, false); r.Updated != 1 {
		t.Errorf("a renamed event gave %+v", r)
	}
	if n := b.int(t, `SELECT max FROM pool JOIN camp ON camp.pool_id = pool.id WHERE camp.id = $1 AND name = 'Explorateurs du canal'`, c.ID); n != 5 {
		t.Errorf("%d places, want 5", n)
	}
	if n := b.int(t, `SELECT count(*) FROM camp_session WHERE camp_id = $1`, c.ID); n != 4 {
		t.Errorf("%d sessions after the event got shorter, want 4", n)
	}
}

func TestTagRenamedAndMarkRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.event(t, "Cirque", nil)
	b.run(t, false)
	if err := b.odoo.Write(t.Context(), connector.ModelTag, []int64{b.tag(t, "Thème", "Nature")}, map[string]any{"name": "Forêt"}); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if n := b.int(t, `SELECT count(*) FROM camp WHERE themes = '{Forêt}'`); n != 1 {
		t.Error("a renamed tag did not reach the camp: its event's write_date does not move")
	}
	if err := b.odoo.Write(t.Context(), connector.ModelEvent, []int64{id}, map[string]any{"tag_ids": []any{[]any{6, 0, []any{}}}}); err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, false); r.Gone != 1 {
		t.Errorf("an event without its mark gave %+v", r)
	}
	if n := b.int(t, `SELECT count(*) FROM camp WHERE archived`); n != 1 {
		t.Error("an event without its mark is still offered")
	}
}

func TestTicketChangesWithoutItsEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.event(t, "Kayak", nil)
	ticket, err := b.odoo.Create(t.Context(), connector.ModelTicket, map[string]any{"name": "Semaine", "event_id": event, "seats_max": 3, "price": 65.0})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if n := b.int(t, `SELECT odoo_cents FROM ticket WHERE name = 'Semaine'`); n != 6500 {
		t.Errorf("%d cents, want 6500", n)
	}
	if err := b.odoo.Write(t.Context(), connector.ModelTicket, []int64{ticket}, map[string]any{"price": 70.0, "seats_max": 4}); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if n := b.int(t, `SELECT odoo_cents FROM ticket JOIN pool ON pool.id = pool_id WHERE max = 4`); n != 7000 {
		t.Errorf("%d cents after the change, want 7000", n)
	}
	if err := b.odoo.Unlink(t.Context(), connector.ModelTicket, []int64{ticket}); err != nil {
		t.Fatal(err)
	}
	b.run(t, true)
	if n := b.int(t, `SELECT count(*) FROM ticket WHERE withdrawn`); n != 1 {
		t.Error("a deleted ticket is still offered")
	}
}

func TestOutsideRegistrationsTakePlaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.event(t, "Chimie", nil)
	var outside []int64
	for i := range 2 {
		id, err := b.odoo.Create(t.Context(), connector.ModelRegistration, map[string]any{"event_id": event, "name": fmt.Sprint("Autre ", i), "state": "open"})
		if err != nil {
			t.Fatal(err)
		}
		outside = append(outside, id)
	}
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Chimie"))
	if err != nil {
		t.Fatal(err)
	}
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, c)
	if r.State != enrol.Waitlisted {
		t.Fatalf("a camp that others filled in Odoo gave %s, want waitlisted", r.State)
	}
	b.Pass(time.Hour)
	if err := b.odoo.Write(t.Context(), connector.ModelRegistration, outside[:1], map[string]any{"state": "cancel"}); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if r = b.Read(t, r.ID); r.State != enrol.Offered {
		t.Errorf("a place freed in Odoo left %s, want offered", r.State)
	}
	if err := b.odoo.Unlink(t.Context(), connector.ModelRegistration, outside[1:]); err != nil {
		t.Fatal(err)
	}
	b.run(t, true)
	if n := b.int(t, `SELECT external FROM pool WHERE id = $1`, c.PoolID); n != 0 {
		t.Errorf("%d external places after all left, want 0", n)
	}
}

func TestPushFollowsTheState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, "Nature", nil)
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Nature"))
	if err != nil {
		t.Fatal(err)
	}
	b.Settings(t, c.ID, func(*camp.Settings) {})
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, c)
	if got := b.run(t, false); got.Pushed != 1 || got.Partners != 1 {
		t.Fatalf("%+v, want one registration and one partner", got)
	}
	b.mirrored(t, "draft")
	r = b.Validate(t, f, r)
	a, err := b.Enrol.StartPayment(t.Context(), f.Guardian.ID, r.ID, func(uuid.UUID) string { return "https://x.example" })
	if err != nil {
		t.Fatal(err)
	}
	b.Provider.Pay(*a.ProviderID)
	if _, err := b.Enrol.CheckPayment(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	b.mirrored(t, "open")
	if got := b.run(t, false); got.Pushed != 0 || got.Outside != 0 || got.Changed != 0 {
		t.Errorf("a pass with nothing new did %+v", got)
	}
	if err := b.Enrol.Cancel(t.Context(), f.Account, r.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	b.mirrored(t, "cancel")
}

// mirrored checks that Odoo holds our one registration, in a state, with its partner.
func (b *bundle) mirrored(t *testing.T, state string) {
	t.Helper()
	all, err := b.odoo.RegistrationsChanged(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].State != state || all[0].Name != "Léaa Lambert" || all[0].Partner.Name != "Sophie Lambert" {
		t.Errorf("Odoo holds %+v, want one registration in state %s", all, state)
	}
}

func TestRefusedRowLetsTheOthersThrough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.event(t, "Petit", map[string]any{"seats_max": 10})
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Petit"))
	if err != nil {
		t.Fatal(err)
	}
	b.Settings(t, c.ID, func(*camp.Settings) {})
	var all []enrol.Registration
	for range 4 {
		f := b.Family(t, 1)
		r := b.Validate(t, f, b.Ask(t, f, 0, c))
		due := b.due(t, r.ID)
		if err := b.Enrol.RecordPayment(t.Context(), f.Account, due, 6000, "cash", uuid.New()); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := b.odoo.Write(t.Context(), connector.ModelEvent, []int64{event}, map[string]any{"seats_max": 3}); err != nil {
		t.Fatal(err)
	}
	r, err := b.sync.Push(t.Context()) // before the pull learns of it
	if err != nil {
		t.Fatal(err)
	}
	if r.Pushed != 3 || r.Refused != 1 {
		t.Errorf("%+v, want 3 taken and 1 refused", r)
	}
	if n := b.int(t, `SELECT count(*) FROM task WHERE kind = 'odoo_refused' AND done_at IS NULL`); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
	if again, err := b.sync.Push(t.Context()); err != nil || again.Pushed+again.Refused != 0 {
		t.Errorf("a refused row was sent again: %+v, %v", again, err)
	}
	if got := len(all); b.int(t, `SELECT count(*) FROM odoo_link WHERE kind = 'registration'`) != got-1 {
		t.Error("links do not match what Odoo took")
	}
}

func (b *bundle) due(t *testing.T, registration uuid.UUID) (id uuid.UUID) {
	t.Helper()
	if err := b.DB.QueryRow(t.Context(), `SELECT id FROM due WHERE registration_id = $1`, registration).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLostAnswerIsNotDoubled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.event(t, "Perdu", nil)
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Perdu"))
	if err != nil {
		t.Fatal(err)
	}
	f := b.Family(t, 1)
	b.Ask(t, f, 0, c)
	b.run(t, false)
	// As if the answer had never come: Odoo has the row, we know nothing of it.
	if _, err := b.DB.Exec(context.Background(), `DELETE FROM odoo_link WHERE kind = 'registration'`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.Exec(context.Background(), `UPDATE registration SET mirrored_version = 0`); err != nil {
		t.Fatal(err)
	}
	r := b.run(t, false)
	if r.Reconstructed != 1 || r.Outside != 0 {
		t.Errorf("the pull between gave %+v, want our row recognised and none outside", r)
	}
	b.mirrored(t, "draft")
	if n := b.int(t, `SELECT external FROM pool WHERE id = $1`, c.PoolID); n != 0 {
		t.Errorf("our own row counts as %d external places", n)
	}
	deleted := b.int(t, `SELECT odoo_id FROM odoo_link WHERE kind = 'registration'`)
	if err := b.odoo.Unlink(t.Context(), connector.ModelRegistration, []int64{int64(deleted)}); err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, true); r.Deleted != 1 || r.Pushed != 1 {
		t.Errorf("a row deleted in Odoo gave %+v, want it made anew", r)
	}
	b.mirrored(t, "draft")
}
