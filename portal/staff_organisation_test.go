package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
)

// TestOrganisationInvoice invoices an organisation from its page, once, and shows the invoice to nobody who may not see
// covers.
func TestOrganisationInvoice(t *testing.T) {
	t.Parallel()
	j := newJourney(t) // 70,00 €
	ctx := context.Background()
	page := j.register()
	var cpas uuid.UUID
	err := j.db.QueryRow(ctx, `
		INSERT INTO guardian (household_id, kind, first_name, last_name, bce, email, street, postcode, city)
		SELECT household_id, 'organisation', '', 'CPAS de Valmont', '0123456749', 'compta@cpas.example', 'Rue Basse 2', '7180', 'Seneffe'
		FROM guardian
		WHERE id = $1
		RETURNING id`, j.guardian.ID).Scan(&cpas)
	if err != nil {
		t.Fatal(err)
	}
	finance, _ := j.person("finance@example.test", "Nadine Roi", "finance")
	social, _ := j.person("social@example.test", "Rita Bon", "agent", "social")
	agent, _ := j.person("guichet@example.test", "Luc Pas", "agent")
	finance.see("/gestion/organismes/factures").has(t, "main", "Aucun organisme")
	path := "/gestion/organismes/" + cpas.String() + "/factures"
	if got := finance.get(path).StatusCode; got != http.StatusNotFound {
		t.Errorf("an organisation without promise: %d", got)
	}
	err = j.config.Enrol.AddCover(ctx, j.agent.ID, j.id(page), enrol.CoverForm{PartForm: enrol.PartForm{PayerID: cpas, Share: 10000}, Reference: "CPAS-2027-88", Proof: "décision"})
	if err != nil {
		t.Fatal(err)
	}
	finance.see("/gestion/organismes/factures").small(t).has(t, "main", "1 inscription à décider")
	j.decide(page, true)
	*j.now = j.now.Add(time.Minute)
	for _, who := range []*browser{agent, j.parent} {
		if got := who.get("/gestion/organismes/factures").StatusCode; got != http.StatusForbidden && got != http.StatusNotFound {
			t.Errorf("somebody without the right reads the organisations: %d", got)
		}
		if got := who.send(path).StatusCode; got != http.StatusForbidden && got != http.StatusNotFound {
			t.Errorf("somebody without the right invoices: %d", got)
		}
	}
	finance.see("/gestion/organismes").has(t, "main a[href='/gestion/organismes/factures']", "Factures des organismes")
	finance.see("/gestion/finances").has(t, "main a[href='/gestion/organismes/factures']", "Factures des organismes")
	list := social.see("/gestion/organismes/factures").small(t)
	list.has(t, "tbody tr", "70,00 €")
	list.has(t, "tbody form button", "Facturer le mois")
	for range 2 { // a double click
		finance.send(path).to(t, path)
	}
	var n int
	var invoice uuid.UUID
	var communication string
	err = j.db.QueryRow(ctx, `
		SELECT count(*) OVER (), i.id, i.content->>'Communication'
		FROM invoice i
		WHERE i.payer_id = $1`, cpas).Scan(&n, &invoice, &communication)
	if err != nil || n != 1 {
		t.Fatalf("%d invoices (%v)", n, err)
	}
	one := finance.see(path).small(t)
	one.has(t, "#standing + table", "70,00 €")
	one.has(t, "main", "Tout ce qui est confirmé est facturé.")
	one.has(t, "section[aria-labelledby=promises] tbody", "CPAS-2027-88")
	finance.see("/gestion/inscriptions/"+j.id(page).String()).has(t, "main a[href='/gestion/factures/"+invoice.String()+".pdf']", "2027")
	doc := finance.see("/gestion/factures/" + invoice.String()).small(t)
	doc.has(t, "article", "Léa Lambert : stage « ")
	doc.has(t, "article", "votre référence : CPAS-2027-88")
	doc.has(t, "article", communication)
	doc.has(t, "article dl", locale.For("fr").Month(j.now.Month()))
	if got := finance.get("/gestion/factures/" + invoice.String() + ".pdf"); got.StatusCode != http.StatusOK || !strings.HasPrefix(got.body, "%PDF") {
		t.Errorf("the document: %d", got.StatusCode)
	}
	for _, at := range []string{"/gestion/factures/" + invoice.String(), "/gestion/factures/" + invoice.String() + ".pdf"} {
		if got := agent.get(at).StatusCode; got != http.StatusForbidden {
			t.Errorf("an agent without the right reads %s: %d", at, got)
		}
		if got := social.get(at).StatusCode; got != http.StatusOK {
			t.Errorf("one with the right reads %s: %d", at, got)
		}
	}
	// What is taken back is credited, and as little seen.
	d, err := j.config.Enrol.CoversOf(ctx, j.id(page))
	if err != nil || len(d) != 1 {
		t.Fatal(err)
	}
	if err := j.config.Enrol.EndPart(ctx, j.agent.ID, d[0].ID, "Décision retirée"); err != nil {
		t.Fatal(err)
	}
	var note uuid.UUID
	if err := j.db.QueryRow(ctx, `SELECT id FROM credit_note WHERE invoice_id = $1`, invoice).Scan(&note); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/gestion/notes-de-credit/" + note.String(), "/gestion/notes-de-credit/" + note.String() + ".pdf"} {
		if got := agent.get(at).StatusCode; got != http.StatusForbidden {
			t.Errorf("an agent without the right reads %s: %d", at, got)
		}
	}
	finance.see(path).has(t, "section[aria-labelledby=documents]", "-70,00 €")
}
