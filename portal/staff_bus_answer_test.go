package portal

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
)

// TestStaffBusAnswer: a father asks for another stop after the mother has paid; the office accepts or refuses it with
// one form from its list, and both parents read the outcome on the registration's page.
func TestStaffBusAnswer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := setup(t)
	office, agent := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	mother, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	father, _, dad := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	if err := b.config.Household.Grant(ctx, audit.Command("test"), dad.ID, f.child.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	campID := b.camp()
	line := b.bus(campID)
	b.exec(`UPDATE bus_line SET cents = 0`)
	r, err := b.config.Enrol.Register(ctx, f.guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.child.ID, CampID: campID})
	if err == nil {
		err = b.config.Enrol.Decide(ctx, agent.ID, r.ID, true, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	due, err := ledger.DueOf(ctx, b.db, r.ID)
	if err == nil {
		err = b.config.Enrol.RecordPayment(ctx, agent.ID, due.ID, 6000, "bank", uuid.New())
	}
	if err != nil {
		t.Fatal(err)
	}
	at := "/mon-espace/inscriptions/" + r.ID.String()
	page := "/gestion/inscriptions/" + r.ID.String()
	stop := line.Stops[1].ID.String()

	father.send(at+"/bus", "aller", stop).to(t, at)
	office.see("/gestion/taches").has(t, "main", "Refuser")
	office.see(page).has(t, "main .notice", "→ Église Saint-Géry")
	if got := office.send(page + "/bus"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a refusal without a reason is answered %d", got.StatusCode)
	}
	office.see(page + "/bus")
	office.send(page+"/bus", "reason", "Le bus est complet à cet arrêt.").to(t, page)
	office.send(page+"/bus", "reason", "Le bus est complet à cet arrêt.").to(t, page) // a double click
	for _, w := range []*browser{mother, father} {
		w.see(at).has(t, "main", "Demande de changement d’arrêt refusée")
		w.see(at).has(t, "main", "Le bus est complet à cet arrêt.")
	}
	office.see(page).has(t, "main", "Demande de changement d’arrêt refusée")
	if n := b.count(`SELECT count(*) FROM registration_event WHERE topic = 'bus_refused'`); n != 1 {
		t.Errorf("%d refusals in the history, want 1", n)
	}

	father.send(at+"/bus", "aller", stop).to(t, at)
	b.exec(`UPDATE bus_line SET cents = 500`)
	dearer := office.send(page + "/bus/accepter")
	if dearer.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another price is answered %d", dearer.StatusCode)
	}
	dearer.has(t, "main", "Le prix passerait de 60,00 € à 65,00 €")
	b.exec(`UPDATE bus_line SET cents = 0`)
	if got := father.send(page + "/bus/accepter"); got.StatusCode != http.StatusNotFound {
		t.Errorf("a parent answers: %d", got.StatusCode)
	}
	for range 2 {
		office.send(page+"/bus/accepter").to(t, page)
	}
	mother.see(at).has(t, "main", "Église Saint-Géry")
	office.see("/gestion/taches").has(t, "main", "Aucune tâche ouverte")
}
