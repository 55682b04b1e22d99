package sync_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/connector"
	"ribambelle/connector/eventmodule"
	"ribambelle/connector/eventmodule/eventmoduletest"
	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/sync"
)

// bundle is a commune on both sides: our database and an Odoo. That is an event module of its own, or the server that
// ODOO_URL, ODOO_DB, ODOO_USER and ODOO_PASSWORD give: there each test has a mark of its own, so that what others left
// behind is none of its camps.
type bundle struct {
	*enroltest.World
	sync  *sync.Syncer
	odoo  *connector.Client
	cfg   connector.Config
	pool  *pgxpool.Pool // of the event module; nil on a real server
	mark  string
	theme string
}

func setup(t testing.TB, opts ...func(*eventmodule.Options)) *bundle {
	t.Helper()
	b := &bundle{World: enroltest.New(t)}
	unique := fmt.Sprintf("%08x", rand.Uint32())
	b.mark, b.theme = "contract "+unique, "Nature "+unique
	b.cfg = connector.Config{
		URL: os.Getenv("ODOO_URL"), DB: os.Getenv("ODOO_DB"), User: os.Getenv("ODOO_USER"), Password: os.Getenv("ODOO_PASSWORD"),
		CampMark: b.mark, Timeout: time.Minute,
	}
	if b.cfg.URL == "" {
		b.cfg.URL, _, b.pool = eventmoduletest.Start(t, opts...)
		b.cfg.DB, b.cfg.User, b.cfg.Password = eventmoduletest.DB, eventmoduletest.Admin, eventmoduletest.Admin
	}
	b.odoo = b.client(t, b.cfg)
	b.sync = b.syncer(b.odoo)
	if b.pool == nil {
		t.Cleanup(func() { b.tidy(t) })
	}
	return b
}

func (b *bundle) client(t testing.TB, cfg connector.Config) *connector.Client {
	t.Helper()
	c, err := connector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (b *bundle) syncer(odoo *connector.Client) *sync.Syncer {
	return &sync.Syncer{DB: b.DB, Now: b.Now, Odoo: odoo, Camps: b.Camps, Enrol: b.Enrol, Households: b.Households, Log: slog.New(slog.DiscardHandler)}
}

// tidy deletes what a test made on a real server.
func (b *bundle) tidy(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, step := range []struct {
		model  string
		domain []any
	}{
		{connector.ModelRegistration, []any{[]any{"event_id.tag_ids.name", "=", b.mark}}},
		{connector.ModelEvent, []any{[]any{"tag_ids.name", "=", b.mark}}},
		{connector.ModelTag, []any{[]any{"name", "in", []string{b.mark, b.theme, "Forêt " + b.theme}}}},
	} {
		ids, err := b.odoo.IDs(ctx, step.model, step.domain)
		if err == nil {
			err = b.odoo.Unlink(ctx, step.model, ids)
		}
		if err != nil {
			t.Logf("tidying %s: %v", step.model, err)
		}
	}
}

func (b *bundle) run(t testing.TB, full bool) sync.Result {
	t.Helper()
	r, err := b.sync.Run(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// event makes an event in Odoo with the camp mark and two levels, from 5 to 9 July 2027, that mails nobody.
func (b *bundle) event(t testing.TB, name string, values map[string]any) int64 {
	t.Helper()
	all := map[string]any{
		"name": name, "date_begin": "2027-07-05 07:00:00", "date_end": "2027-07-09 14:00:00", "date_tz": "Europe/Brussels",
		"seats_limited": true, "seats_max": 2, "event_mail_ids": []any{[]any{5, 0, 0}},
		"tag_ids": []any{[]any{6, 0, []any{b.tag(t, "Type", b.mark), b.tag(t, "Niveau", "P1-P3"), b.tag(t, "Niveau", "P4"), b.tag(t, "Thème", b.theme), b.tag(t, "Âge", "6-9 ans")}}},
	}
	for k, v := range values {
		all[k] = v
	}
	id, err := b.odoo.Create(t.Context(), connector.ModelEvent, all)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// write changes records in Odoo as a colleague would.
func (b *bundle) write(t testing.TB, model string, id int64, values map[string]any) {
	t.Helper()
	if err := b.odoo.Write(t.Context(), model, []int64{id}, values); err != nil {
		t.Fatal(err)
	}
}

// tag finds or makes a tag.
func (b *bundle) tag(t testing.TB, category, name string) int64 {
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

// others registers people in Odoo itself.
func (b *bundle) others(t testing.TB, event int64, state string, n int) []int64 {
	t.Helper()
	ids := make([]int64, 0, n)
	for i := range n {
		id, err := b.odoo.Execute(t.Context(), connector.ModelRegistration, "create",
			[]any{map[string]any{"event_id": event, "name": fmt.Sprint("Autre ", i), "state": state}},
			map[string]any{"context": map[string]any{"install_mode": true}})
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := id.(int64); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (b *bundle) camp(t testing.TB, name string) (id uuid.UUID) {
	t.Helper()
	if err := b.DB.QueryRow(t.Context(), `SELECT id FROM camp WHERE name = $1`, name).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bundle) int(t testing.TB, sql string, args ...any) (n int) {
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
	b.event(t, "contract Concert", map[string]any{"tag_ids": []any{}})
	r := b.run(t, false)
	if r.Created != 1 {
		t.Fatalf("%+v, want one camp of two events", r)
	}
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Explorateurs"))
	if err != nil {
		t.Fatal(err)
	}
	low, high := 6, 9
	if diff := cmp.Diff([]any{[]string{"P1", "P2", "P3", "P4"}, []string{b.theme}, &low, &high, true}, []any{c.Levels, c.Themes, c.AgeMin, c.AgeMax, c.Published}); diff != "" {
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
	if err := b.odoo.Write(t.Context(), connector.ModelTag, []int64{b.tag(t, "Thème", b.theme)}, map[string]any{"name": "Forêt " + b.theme}); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if n := b.int(t, `SELECT count(*) FROM camp WHERE themes = ARRAY[$1]`, "Forêt "+b.theme); n != 1 {
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
	outside := b.others(t, event, "open", 2)
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
	event := b.event(t, "Nature", nil)
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
	b.mirrored(t, event, "draft")
	r = b.Validate(t, f, r)
	a, err := b.Enrol.StartPayment(t.Context(), f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", func(uuid.UUID) string { return "https://x.example" })
	if err != nil {
		t.Fatal(err)
	}
	b.Provider.Pay(*a.ProviderID)
	if _, err := b.Enrol.CheckPayment(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	b.mirrored(t, event, "open")
	if got := b.run(t, false); got.Pushed != 0 || got.Outside != 0 || got.Changed != 0 {
		t.Errorf("a pass with nothing new did %+v", got)
	}
	if err := b.Enrol.Cancel(t.Context(), f.Account, r.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	b.mirrored(t, event, "cancel")
}

// mirrored checks that Odoo holds our one registration, in a state, with its partner.
func (b *bundle) mirrored(t *testing.T, event int64, state string) {
	t.Helper()
	all, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
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

func (b *bundle) due(t testing.TB, registration uuid.UUID) (id uuid.UUID) {
	t.Helper()
	if err := b.DB.QueryRow(t.Context(), `SELECT id FROM due WHERE registration_id = $1`, registration).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLostAnswerIsNotDoubled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.event(t, "Perdu", nil)
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
	b.mirrored(t, event, "draft")
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
	b.mirrored(t, event, "draft")
}
