package notice

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// askBus brings a registration to where another guardian asks for other stops after payment.
func (b *bundle) askBus(t *testing.T, f, other enroltest.Family) (r uuid.UUID, stop uuid.UUID) {
	t.Helper()
	b.join(t, other, f, 0, household.RightSee, household.RightRegister)
	c := b.Camp(t, "Nature", 10)
	b.Bus(t, c, 10)
	one := b.Ask(t, f, 0, c)
	b.Validate(t, f, one)
	b.pay(t, f, one)
	b.tell(t)
	b.send(t)
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM bus_stop WHERE name = 'École du Nord'`).Scan(&stop); err != nil {
		t.Fatal(err)
	}
	done, err := b.Enrol.ChangeBus(t.Context(), other.Guardian.ID, other.Account, one.ID, &stop, nil)
	if err != nil || done || b.tasks(t, "bus_asked") != 1 {
		t.Fatalf("done %v, %v, %d tasks, want a request", done, err, b.tasks(t, "bus_asked"))
	}
	return one.ID, stop
}

// TestBusRefused: who asked and who registered read the reason, in words that name nobody; the bus stays, and a second
// answer finds none to give.
func TestBusRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, other := b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	id, _ := b.askBus(t, f, other)
	if err := b.Enrol.RefuseBus(t.Context(), f.Account, id, " "); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a refusal without a reason: %v", err)
	}
	if err := b.Enrol.RefuseBus(t.Context(), f.Account, id, "Le bus est plein à cet arrêt."); err != nil {
		t.Fatal(err)
	}
	b.tell(t)
	mails := b.send(t)
	if len(mails) != 2 || len(to(mails, 1)) != 1 || len(to(mails, 2)) != 1 {
		t.Fatalf("mails: %q", subjects(mails))
	}
	for _, m := range mails {
		if !strings.HasPrefix(m.Subject, "Bus inchangé") || !strings.Contains(m.Text, "Le bus est plein à cet arrêt.") || strings.Contains(m.Text, "École du Nord") {
			t.Errorf("%s\n%s", m.Subject, m.Text)
		}
	}
	if b.Read(t, id).StopOutID != nil || b.tasks(t, "bus_asked") != 0 {
		t.Errorf("the refusal changed the bus or left %d tasks", b.tasks(t, "bus_asked"))
	}
	err := b.Enrol.AcceptBus(t.Context(), f.Account, id)
	if p := problem.As(err); p == nil || p.Code != "registration.bus_not_asked" {
		t.Errorf("a second answer: %v", err)
	}
}

// TestBusAccepted: the stops change by the rules of every change and everybody is told; another price is refused with
// both prices; a wish of who may no longer register is not granted.
func TestBusAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, other := b.Family(t, 1), b.Family(t, 0)
	id, stop := b.askBus(t, f, other)
	b.sql(t, `UPDATE bus_line SET cents = 500`)
	err := b.Enrol.AcceptBus(t.Context(), f.Account, id)
	if p := problem.As(err); p == nil || p.Code != "registration.bus_price" {
		t.Fatalf("another price: %v", err)
	}
	if b.Read(t, id).StopOutID != nil || b.tasks(t, "bus_asked") != 1 {
		t.Fatal("a refused answer changed something")
	}
	b.sql(t, `UPDATE bus_line SET cents = 0`)
	b.sql(t, `UPDATE guardianship SET valid_from = '2020-01-01', valid_until = '2020-02-01' WHERE guardian_id = $1`, other.Guardian.ID)
	err = b.Enrol.AcceptBus(t.Context(), f.Account, id)
	if p := problem.As(err); p == nil || p.Code != "registration.bus_asker_gone" {
		t.Fatalf("a former guardian's wish: %v", err)
	}
	b.sql(t, `UPDATE guardianship SET valid_until = NULL WHERE guardian_id = $1`, other.Guardian.ID)
	if err := b.Enrol.AcceptBus(t.Context(), f.Account, id); err != nil {
		t.Fatal(err)
	}
	if r := b.Read(t, id); r.StopOutID == nil || *r.StopOutID != stop || b.tasks(t, "bus_asked") != 0 {
		t.Errorf("the stop is %v, %d tasks", r.StopOutID, b.tasks(t, "bus_asked"))
	}
	if n := b.count(t, `SELECT count(*) FROM leg WHERE registration_id = $1`, id); n != 5 {
		t.Errorf("%d seats, want 5", n)
	}
	b.tell(t)
	if mails := b.send(t); len(mails) == 0 || !strings.HasPrefix(mails[0].Subject, "Bus modifié") {
		t.Errorf("mails: %q", subjects(mails))
	}
}
