package sync_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
	"ribambelle/internal/task"
)

// TestFullEventRefusesDrafts: Odoo 14 and 15 refuse even a draft of a full event. It is no matter for staff: the row
// waits, and follows when a seat comes free or when it is confirmed.
func TestFullEventRefusesDrafts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.odoo.Profile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	event, c := b.open(t, "Complet", nil)
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, c)
	others := b.others(t, event, "open", 2) // before we could send ours
	got, err := b.sync.Push(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[bool]int{true: 1, false: 0}[p.FullRefusesDrafts]; got.Refused != want || got.Pushed != 1-want {
		t.Errorf("series %d: %+v, want %d refused", p.Series, got, want)
	}
	b.wantTasks(t, "a draft of a full event", r.ID.String())
	b.write(t, connector.ModelRegistration, others[0], map[string]any{"state": "cancel"})
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 3 {
		t.Errorf("%d registrations, %v: want ours there once a seat came free", len(regs), err)
	}
	// Confirmed while the event is full again: this one is a matter for staff.
	b.write(t, connector.ModelRegistration, others[0], map[string]any{"state": "open"})
	b.confirmed(t, f, r)
	if got, err = b.sync.Push(t.Context()); err != nil || got.Refused != 1 {
		t.Errorf("%+v, %v: want the confirmation refused", got, err)
	}
	b.wantTasks(t, "confirmed in a full event", r.ID.String(), task.OdooRefused)
	b.write(t, connector.ModelEvent, event, map[string]any{"seats_max": 3})
	b.run(t, false)
	b.wantTasks(t, "a seat more", r.ID.String())
	b.equal(t)
}

// TestEventThatConfirmsByItself: Odoo 14 to 16 may open a draft when it is created. What staff here have not decided
// stays a draft there.
func TestEventThatConfirmsByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fields, err := b.odoo.Fields(t.Context(), connector.ModelEvent, "auto_confirm")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"seats_max": 10}
	if _, has := fields["auto_confirm"]; has {
		values["auto_confirm"] = true
	}
	event, c := b.open(t, "Confirmation", values)
	f := b.Family(t, 2)
	r := b.Ask(t, f, 0, c)
	b.run(t, false)
	state := func(want string) {
		t.Helper()
		regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
		if err != nil || len(regs) == 0 || regs[0].State != want {
			t.Errorf("%+v, %v: want %s", regs, err, want)
		}
	}
	state(connector.StateDraft)
	b.confirmed(t, f, r)
	b.run(t, false)
	state(connector.StateOpen)
	b.equal(t)
}

// TestCommandsToOdoo: what staff ask is sent, true when it comes back, or refused with a reason.
func TestCommandsToOdoo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Demande", nil)
	f := b.Family(t, 1)
	ask := func(kind string, a mirror.Asked) uuid.UUID {
		t.Helper()
		k := mirror.Command{ID: uuid.New(), Kind: kind, Asked: a, AccountID: f.Account, CreatedAt: b.Now()}
		if kind == mirror.CommandChange {
			k.CampID = &c.ID
		}
		if err := mirror.AddCommand(t.Context(), b.DB, k); err != nil {
			t.Fatal(err)
		}
		if _, err := b.sync.Command(t.Context()); err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	ended := func(id uuid.UUID, state, reason string) {
		t.Helper()
		var s, r string
		if err := b.DB.QueryRow(t.Context(), `SELECT state, reason FROM odoo_command WHERE id = $1`, id).Scan(&s, &r); err != nil {
			t.Fatal(err)
		}
		if s != state || r != reason {
			t.Errorf("the command is %s (%s), want %s (%s)", s, r, state, reason)
		}
	}
	name, places, text := "Demande acceptée", 7, "Bonjour <les> enfants\n\nÀ lundi"
	begins, ends := time.Date(2027, 7, 12, 7, 0, 0, 0, time.UTC), time.Date(2027, 7, 16, 14, 0, 0, 0, time.UTC)
	ended(ask(mirror.CommandChange, mirror.Asked{Name: &name, Places: &places, BeginsAt: &begins, EndsAt: &ends, Description: &text}), mirror.CommandDone, "")
	got, err := b.Camps.Camp(t.Context(), c.ID)
	if err != nil || got.Name != name || !got.BeginsAt.Equal(begins) || !strings.Contains(got.Description, "Bonjour &lt;les&gt; enfants") {
		t.Errorf("%+v, %v: the camp is not as Odoo took it", got, err)
	}
	ended(ask(mirror.CommandChange, mirror.Asked{BeginsAt: &ends, EndsAt: &begins}), mirror.CommandRefused, "odoo.reason.dates")
	fresh := "Stage tout neuf"
	id := ask(mirror.CommandCreate, mirror.Asked{Name: &fresh, BeginsAt: &begins, EndsAt: &ends, Places: &places})
	ended(id, mirror.CommandDone, "")
	made := b.int(t, `SELECT count(*) FROM camp JOIN odoo_command k ON k.camp_id = camp.id WHERE camp.name = $1 AND k.id = $2`, fresh, id)
	if made != 1 {
		t.Errorf("%d camps made of the command, want 1", made)
	}
	// A lost answer, repeated: no second event.
	if _, err := b.DB.Exec(t.Context(), `UPDATE odoo_command SET state = 'waiting' WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sync.Command(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.int(t, `SELECT count(*) FROM camp WHERE name = $1`, fresh); n != 1 {
		t.Errorf("%d camps after the command was repeated", n)
	}
	// Somebody was faster.
	b.write(t, connector.ModelEvent, event, map[string]any{"name": "Autre"})
	desk := b.cfg
	desk.User, desk.Password = "desk", "desk"
	b.sync = b.syncer(b.client(t, desk))
	ended(ask(mirror.CommandChange, mirror.Asked{Name: &name}), mirror.CommandRefused, "odoo.reason.rights")
	b.sync = b.syncer(b.odoo)
	b.equal(t)
}

// TestDriftFollows: a difference is found with its cause, and each side can be made to follow.
func TestDriftFollows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Écarts", map[string]any{"seats_max": 20})
	desk := b.cfg
	desk.User, desk.Password = contactsUser(b), contactsUser(b)
	b.sync = b.syncer(b.client(t, desk))
	f := b.Family(t, 3)
	var all []enrol.Registration
	for i := range 3 {
		all = append(all, b.Ask(t, f, i, c))
	}
	b.run(t, false)
	links, err := mirror.LinkedRecords(t.Context(), b.DB, mirror.Registration)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) int64 { return links[all[i].ID].OdooID }
	b.write(t, connector.ModelRegistration, at(0), map[string]any{"state": "cancel"})
	b.write(t, connector.ModelRegistration, at(1), map[string]any{"name": "Zoé Lambert"})
	b.write(t, connector.ModelRegistration, at(2), map[string]any{"active": false})
	b.others(t, event, "open", 1)
	r := b.run(t, true)
	if r.Drift != 3 || r.DriftBy["registration.state"] != 1 || r.DriftBy["registration.name"] != 1 || r.DriftBy["registration.archived"] != 1 {
		t.Fatalf("%+v, want three differences", r)
	}
	open, err := mirror.OpenDrift(t.Context(), b.DB, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range open {
		side := mirror.FixHere
		if d.Aspect == "archived" {
			side = mirror.FixOdoo
		}
		if d.Cause != mirror.CauseOdoo {
			t.Errorf("%s: cause %s, want that someone changed it in Odoo", d.Aspect, d.Cause)
		}
		if err := b.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
			return mirror.AskFix(ctx, tx, d.ID, side, f.Account)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = b.sync.Fix(t.Context()); err != nil || r.Fixed != 3 || r.Drift != 0 {
		t.Errorf("%+v, %v: want three fixed and none left", r, err)
	}
	if got := b.Read(t, all[0].ID).State; got != enrol.Cancelled {
		t.Errorf("what was cancelled in Odoo is %s here", got)
	}
	if n := b.int(t, `SELECT count(*) FROM child WHERE first_name = 'Zoé' AND id = $1`, f.Children[1].ID); n != 1 {
		t.Error("the child did not take the name that it has in Odoo")
	}
	b.equal(t)
}

// TestVanishedIsNotBelieved: most of what is linked missing at once is more likely a restored Odoo or a lost right.
func TestVanishedIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Restauré", map[string]any{"seats_max": 50})
	for range 11 {
		f := b.Family(t, 2)
		b.Ask(t, f, 0, c)
		b.Ask(t, f, 1, c)
	}
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, g := range regs[:15] {
		ids = append(ids, g.ID)
	}
	if err := b.odoo.Unlink(t.Context(), connector.ModelRegistration, ids); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sync.Run(t.Context(), true); err == nil {
		t.Error("fifteen of twenty-two rows vanished and nobody is told")
	}
	if n := b.int(t, `SELECT count(*) FROM odoo_link WHERE kind = 'registration'`); n != 22 {
		t.Errorf("%d links, want all kept until a person decides", n)
	}
	b.wantTasks(t, "vanished", connector.ModelRegistration, task.OdooVanished)
	b.sync.Believe = true
	b.run(t, true)
	b.sync.Believe = false
	b.after(t, event, 22)
}

// TestAdoptedRowIsLoadedByItsOwnID: a row that someone made in Odoo stays one row after it became ours.
func TestAdoptedRowIsLoadedByItsOwnID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Adoption", map[string]any{"seats_max": 5})
	outside := b.others(t, event, "open", 1)[0]
	b.run(t, false)
	f := b.Family(t, 1)
	err := b.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
		reg, err := b.Enrol.Adopt(ctx, tx, f.Account, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID}, true)
		if err != nil {
			return err
		}
		if err := mirror.Adopt(ctx, tx, connector.ModelRegistration, mirror.Registration, outside, reg.ID); err != nil {
			return err
		}
		_, err = mirror.DropExternals(ctx, tx, []int64{outside})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 1 || regs[0].ID != outside || regs[0].Name != "Léaa Lambert" {
		t.Errorf("%+v, %v: want the same row under the child's name", regs, err)
	}
	b.equal(t)
}
