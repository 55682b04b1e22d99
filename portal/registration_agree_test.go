package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
)

// TestOtherParentAgrees: the other parent is asked on the registration's page, the one who asked reads that it waits
// and nothing about the other, and the office validates without only with a reason.
func TestOtherParentAgrees(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, command := context.Background(), audit.Command("test")
	mother, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	father, _, marc := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	aunt, _, carer := b.other("aunt@example.be", "Claire", "Maes", "+32486333444")
	for id, basis := range map[uuid.UUID]household.Basis{marc.ID: household.BasisParentalAuthority, carer.ID: household.BasisStepParent} {
		if err := b.config.Household.Grant(ctx, command, id, f.child.ID, household.Grant{Basis: basis}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.config.Household.SaveSettings(ctx, command, "", true); err != nil {
		t.Fatal(err)
	}
	agent, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	automatic, manual := b.camp(), b.camp()
	b.exec(`UPDATE camp SET decision = 'automatic', price_cents = 6000 WHERE id = $1`, automatic)
	asked := b.ask(f, automatic, nil, nil)
	page := "/mon-espace/inscriptions/" + asked.ID.String()

	his, hers, theirs := father.see(page), mother.see(page), aunt.see(page)
	his.has(t, "#accord", "Votre accord est demandé")
	if n := his.doc.Find("#accord button").Length(); n != 1 {
		t.Errorf("the other parent finds %d buttons, want 1", n)
	}
	hers.has(t, "#accord", "En attente de l’accord de l’autre parent")
	for _, secret := range []string{"Marc", "Dujardin", "marc@example.be", "0486"} {
		if strings.Contains(hers.text("main"), secret) {
			t.Errorf("who asked reads %q", secret)
		}
	}
	if hers.doc.Find("#accord button").Length() != 0 || theirs.doc.Find("#accord").Length() != 0 {
		t.Error("somebody else may agree")
	}
	if got := aunt.send(page + "/accord").StatusCode; got != http.StatusForbidden {
		t.Errorf("a step-parent agrees: %d, want 403", got)
	}
	agent.see("/gestion/inscriptions").has(t, "table.queue", "accord manquant")
	agent.see("/gestion/inscriptions/"+asked.ID.String()).has(t, "main", "L’accord de l’autre parent manque.")

	father.send(page+"/accord").to(t, page)
	if got := b.state(asked.ID); got != enrol.AwaitingPayment {
		t.Errorf("with the consent: %s, want awaiting_payment", got)
	}
	for name, w := range map[string]*browser{"the father": father, "the mother": mother} {
		if w.see(page).doc.Find("#accord").Length() != 0 {
			t.Errorf("%s is still asked", name)
		}
	}
	agent.see("/gestion/inscriptions/"+asked.ID.String()).has(t, "main", "sur le portail")

	b.exec(`DELETE FROM camp_session WHERE camp_id = $1`, automatic) // the other camp is on the same days
	second := b.ask(f, manual, nil, nil)
	url := "/gestion/inscriptions/" + second.ID.String()
	if n := agent.see("/gestion/inscriptions").doc.Find("table.queue button[formaction]").Length(); n != 0 {
		t.Error("the consent may be passed over without a look")
	}
	refused := agent.send(url + "/valider")
	if refused.StatusCode != http.StatusUnprocessableEntity || b.state(second.ID) != enrol.ToValidate {
		t.Errorf("without a reason: %d and %s", refused.StatusCode, b.state(second.ID))
	}
	refused.has(t, "main", "Pour valider sans lui, écrivez le motif")
	agent.send(url+"/valider", "reason", "Jugement reçu.").to(t, url)
	agent.see(url).has(t, "main", "Accord de l’autre parent : « Jugement reçu. »")
}
