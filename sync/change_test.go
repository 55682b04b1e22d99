package sync_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/task"
	"ribambelle/sync"
)

// open makes an event, pulls it and prices the camp that it becomes.
func (b *bundle) open(t testing.TB, name string, values map[string]any) (event int64, c camp.Camp) {
	t.Helper()
	event = b.event(t, name, values)
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, name))
	if err != nil {
		t.Fatal(err)
	}
	b.Settings(t, c.ID, func(*camp.Settings) {})
	return event, c
}

// confirmed registers a child and pays at the counter.
func (b *bundle) confirmed(t testing.TB, f enroltest.Family, r enrol.Registration) enrol.Registration {
	t.Helper()
	r = b.Validate(t, f, r)
	if err := b.Enrol.RecordPayment(t.Context(), f.Account, b.due(t, r.ID), 6000, "cash", uuid.New()); err != nil {
		t.Fatal(err)
	}
	return b.Read(t, r.ID)
}

// tasks returns the kinds of the open tasks about something.
func (b *bundle) tasks(t testing.TB, subject string) (kinds []string) {
	t.Helper()
	all, err := task.List(t.Context(), b.DB, 10000)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if len(k.SubjectID) >= len(subject) && k.SubjectID[:len(subject)] == subject {
			kinds = append(kinds, k.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func (b *bundle) wantTasks(t testing.TB, when, subject string, want ...string) {
	t.Helper()
	if got := b.tasks(t, subject); !slices.Equal(got, want) {
		t.Errorf("%s: tasks %v, want %v", when, got, want)
	}
}

// sound checks the promises of enrolment.
func (b *bundle) sound(t testing.TB) {
	t.Helper()
	for name, sql := range enrol.Invariants {
		if n := b.int(t, `SELECT count(*) FROM (`+sql+`) AS broken`); n > 0 {
			t.Errorf("%d rows break: %s", n, name)
		}
	}
}

// equal checks that both sides are equal, after one more run.
func (b *bundle) equal(t testing.TB) sync.Comparison {
	t.Helper()
	b.run(t, true)
	c, err := b.sync.Compare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Drift {
		t.Errorf("%s %s: %q here, %q in Odoo (%s)", d.Kind, d.Aspect, d.Here, d.There, d.Cause)
	}
	b.sound(t)
	return c
}

func TestMovedCampTakesItsBusesAlong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Voile", map[string]any{"seats_max": 10})
	line := b.Bus(t, c, 1)
	f := b.Family(t, 2)
	r, err := b.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID, StopOutID: &line.Stops[0].ID, StopBackID: &line.Stops[1].ID})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	// A week later, Monday to Thursday, from ten.
	b.write(t, connector.ModelEvent, event, map[string]any{"date_begin": "2027-07-12 08:00:00", "date_end": "2027-07-15 14:00:00"})
	b.run(t, false)
	if n := b.int(t, `SELECT count(*) FROM camp_session WHERE camp_id = $1 AND day BETWEEN '2027-07-12' AND '2027-07-15' AND starts = '10:00'`, c.ID); n != 4 {
		t.Errorf("%d sessions in the new week, want 4", n)
	}
	if n := b.int(t, `SELECT count(*) FROM leg JOIN trip ON trip.id = trip_id WHERE registration_id = $1 AND day >= '2027-07-12'`, r.ID); n != 8 {
		t.Errorf("%d legs in the new week, want 8", n)
	}
	if n := b.int(t, `SELECT count(*) FROM trip WHERE day < '2027-07-12'`); n != 0 {
		t.Errorf("%d trips of the former week carry nobody", n)
	}
	b.wantTasks(t, "moved", c.ID.String(), task.CampMoved)
	b.equal(t)
}

func TestOtherTimeZoneIsAMove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Lisbonne", nil)
	b.Ask(t, b.Family(t, 1), 0, c)
	b.write(t, connector.ModelEvent, event, map[string]any{"date_tz": "Europe/Lisbon"})
	b.run(t, false)
	if n := b.int(t, `SELECT count(*) FROM camp_session WHERE camp_id = $1 AND starts = '08:00' AND ends = '15:00'`, c.ID); n != 5 {
		t.Errorf("%d sessions at the hours of the new zone, want 5", n)
	}
	b.wantTasks(t, "zone", c.ID.String(), task.CampMoved)
	b.equal(t)
}

// cancel cancels an event as the series does, or takes it back.
func (b *bundle) cancel(t testing.TB, event int64, cancelled bool) {
	t.Helper()
	p, err := b.odoo.Profile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.CancelledKanban != "" {
		b.write(t, connector.ModelEvent, event, map[string]any{"kanban_state": map[bool]string{true: p.CancelledKanban, false: "normal"}[cancelled]})
		return
	}
	stages, err := b.odoo.Stages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stages, func(s connector.Stage) bool { return s.Cancelled == cancelled })
	b.write(t, connector.ModelEvent, event, map[string]any{"stage_id": stages[i].ID})
}

func TestCancelledAndReopened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Orage", nil)
	f := b.Family(t, 2)
	r := b.Ask(t, f, 0, c)
	b.run(t, false)
	b.cancel(t, event, true)
	b.run(t, false)
	b.wantTasks(t, "cancelled", c.ID.String(), task.CampGone)
	if _, err := b.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[1].ID, CampID: c.ID}); err == nil {
		t.Error("a cancelled camp takes a child")
	}
	if got := b.Read(t, r.ID).State; got != enrol.ToValidate {
		t.Errorf("%s, want the registration left to staff", got)
	}
	if err := b.Enrol.Cancel(t.Context(), f.Account, r.ID, "stage annulé"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.Exec(t.Context(), `ALTER TABLE registration DISABLE TRIGGER registration_state_moves`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.Exec(t.Context(), `WITH e AS (INSERT INTO registration_event (registration_id, from_state, to_state, at, actor_kind, actor_id) VALUES ($1, 'cancelled', 'camp_cancelled', now(), 'job', 'test')) UPDATE registration SET state = 'camp_cancelled' WHERE id = $1`, r.ID); err != nil {
		t.Fatal(err)
	}
	b.cancel(t, event, false)
	b.run(t, false)
	b.wantTasks(t, "reopened", c.ID.String(), task.CampBack)
	if _, err := b.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[1].ID, CampID: c.ID}); err != nil {
		t.Errorf("a camp that is open again: %v", err)
	}
	b.equal(t)
}

func TestFewerSeatsThanTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Judo", nil)
	for range 2 {
		b.Ask(t, b.Family(t, 1), 0, c)
	}
	b.run(t, false)
	b.write(t, connector.ModelEvent, event, map[string]any{"seats_max": 1})
	b.run(t, false)
	b.wantTasks(t, "lowered", c.ID.String(), task.OverFull)
	if r := b.Ask(t, b.Family(t, 1), 0, c); r.State != enrol.Waitlisted {
		t.Errorf("%s in an over-full camp, want waitlisted", r.State)
	}
	b.equal(t)
	b.write(t, connector.ModelEvent, event, map[string]any{"seats_max": 3})
	b.run(t, false)
	b.wantTasks(t, "raised", c.ID.String())
	if n := b.int(t, `SELECT count(*) FROM registration WHERE state = 'offered'`); n != 1 {
		t.Errorf("%d offers after the seats were raised, want 1", n)
	}
	b.equal(t)
}

func TestUnmarkedMarkedArchivedDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Échasses", nil)
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, c)
	b.run(t, false)
	archived := func(when string, want int) {
		t.Helper()
		if n := b.int(t, `SELECT count(*) FROM camp WHERE archived`); n != want {
			t.Errorf("%s: %d archived camps, want %d", when, n, want)
		}
	}
	mark := b.tag(t, "Type", b.mark)
	b.write(t, connector.ModelEvent, event, map[string]any{"tag_ids": []any{[]any{3, mark}}})
	b.run(t, false)
	archived("unmarked", 1)
	b.wantTasks(t, "unmarked", c.ID.String(), task.CampGone)
	b.write(t, connector.ModelEvent, event, map[string]any{"tag_ids": []any{[]any{4, mark}}})
	b.run(t, false)
	archived("marked again", 0)
	b.wantTasks(t, "marked again", c.ID.String())
	b.write(t, connector.ModelEvent, event, map[string]any{"active": false})
	b.run(t, false)
	archived("archived", 1)
	b.write(t, connector.ModelEvent, event, map[string]any{"active": true})
	b.run(t, false)
	archived("taken back", 0)
	b.equal(t)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 1 {
		t.Fatal(regs, err)
	}
	if err := b.odoo.Unlink(t.Context(), connector.ModelRegistration, []int64{regs[0].ID}); err != nil {
		t.Fatal(err)
	}
	if err := b.odoo.Unlink(t.Context(), connector.ModelEvent, []int64{event}); err != nil {
		t.Fatal(err)
	}
	b.Pass(2 * time.Hour) // the ids are compared every hour
	if got := b.run(t, false); got.Gone != 1 {
		t.Errorf("%+v after the event was deleted", got)
	}
	archived("deleted", 1)
	b.wantTasks(t, "deleted", c.ID.String(), task.CampGone)
	if err := b.Enrol.Cancel(t.Context(), f.Account, r.ID, "stage supprimé"); err != nil {
		t.Fatal(err)
	}
	if got := b.run(t, false); got.Refused+got.Waiting+got.Gone != 0 {
		t.Errorf("%+v, want nothing sent to an event that is gone", got)
	}
	b.equal(t)
}

func TestTicketMovedToAnotherEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.event(t, "Avec billet", map[string]any{"seats_max": 5})
	ticket, err := b.odoo.Create(t.Context(), connector.ModelTicket, map[string]any{"name": "Semaine", "event_id": event, "seats_max": 3})
	if err != nil {
		t.Fatal(err)
	}
	other := b.event(t, "Autre", nil)
	b.run(t, false)
	c, err := b.Camps.Camp(t.Context(), b.camp(t, "Avec billet"))
	if err != nil {
		t.Fatal(err)
	}
	b.Settings(t, c.ID, func(*camp.Settings) {})
	b.Ask(t, b.Family(t, 1), 0, c)
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 1 || regs[0].Ticket.ID != ticket {
		t.Fatalf("%+v, %v: want our registration with its ticket", regs, err)
	}
	b.write(t, connector.ModelRegistration, regs[0].ID, map[string]any{"event_ticket_id": false})
	b.write(t, connector.ModelTicket, ticket, map[string]any{"event_id": other})
	b.run(t, false)
	if n := b.int(t, `SELECT count(*) FROM ticket WHERE camp_id = $1 AND NOT withdrawn`, c.ID); n != 0 {
		t.Error("the former camp still offers the ticket")
	}
	if n := b.int(t, `SELECT count(*) FROM ticket WHERE camp_id = $1 AND NOT withdrawn`, b.camp(t, "Autre")); n != 1 {
		t.Error("the other camp does not offer the ticket")
	}
	b.equal(t)
}

func TestRegistrationMovedInOdoo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Ici", nil)
	other := b.event(t, "Là", nil)
	outside := b.others(t, event, "open", 1)[0]
	r := b.Ask(t, b.Family(t, 1), 0, c)
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 2 {
		t.Fatal(regs, err)
	}
	ours := regs[slices.IndexFunc(regs, func(g connector.Registration) bool { return g.ID != outside })].ID
	for _, id := range []int64{ours, outside} {
		b.write(t, connector.ModelRegistration, id, map[string]any{"event_id": other})
	}
	b.run(t, false)
	b.wantTasks(t, "moved in Odoo", r.ID.String(), task.OdooChanged)
	if n := b.int(t, `SELECT external FROM pool JOIN camp ON camp.pool_id = pool.id WHERE camp.id = $1`, b.camp(t, "Là")); n != 1 {
		t.Errorf("%d outside places in the camp that someone was moved to, want 1", n)
	}
	if n := b.int(t, `SELECT external FROM pool WHERE id = $1`, c.PoolID); n != 0 {
		t.Errorf("%d outside places in the camp that someone left, want 0", n)
	}
	b.write(t, connector.ModelRegistration, ours, map[string]any{"event_id": event})
	b.run(t, false)
	b.wantTasks(t, "moved back", r.ID.String())
	b.equal(t)
}

func TestPeopleChangeHere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Familles", nil)
	f := b.Family(t, 1)
	b.Ask(t, f, 0, c)
	b.run(t, false)
	_, err := b.Households.SaveGuardian(t.Context(), f.Account, household.GuardianForm{
		FirstName: "Sofia", LastName: "Lambert", Phone: "+32475999999", Email: "sofia@example.org", Street: "Rue Basse 2", Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Households.UpdateChild(t.Context(), f.Guardian.ID, f.Children[0].ID, household.ChildForm{FirstName: "Léonie", LastName: "Lambert-Dubois", BirthDate: f.Children[0].BirthDate, Level: "P3"})
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 1 {
		t.Fatal(regs, err)
	}
	if g := regs[0]; g.Name != "Léonie Lambert-Dubois" || g.Email != "sofia@example.org" || g.Partner.Name != "Sofia Lambert" {
		t.Errorf("Odoo holds %+v", g)
	}
	partners, err := b.odoo.Partners(t.Context(), []int64{regs[0].Partner.ID})
	if err != nil || len(partners) != 1 || partners[0].Email != "sofia@example.org" || partners[0].Street != "Rue Basse 2" {
		t.Errorf("partner %+v, %v", partners, err)
	}
	b.equal(t)
	// Two families were one: the registration follows to the other guardian.
	g := b.Family(t, 1)
	if _, err := b.DB.Exec(t.Context(), `UPDATE registration SET registrant_id = $1`, g.Guardian.ID); err != nil {
		t.Fatal(err)
	}
	b.run(t, false)
	if regs, err = b.odoo.RegistrationsOf(t.Context(), []int64{event}); err != nil || regs[0].Email == "sofia@example.org" || regs[0].Partner.Name != "Sophie Lambert" {
		t.Errorf("Odoo holds %+v after the merge, %v", regs, err)
	}
	// The contact was deleted in Odoo: it is made anew and stands on the registration again.
	if err := b.odoo.Unlink(context.Background(), connector.ModelPartner, []int64{regs[0].Partner.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DB.Exec(t.Context(), `UPDATE registration SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.run(t, false)
	}
	b.equal(t)
}
