package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
)

// TestStatements reads the account of a payer as itself and as the office, and who paid what only where both share.
func TestStatements(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.invoiced()
	chief, _ := d.person("finance@example.test", "Nadine Roi", "finance")
	parent := d.again("sophie@example.test")
	d.exec(`
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		SELECT id, registration_id, payer_id, debtor_id, 'charge', 1234, 'Repas du vendredi', 'staff', 'test', $1
		FROM due`, *d.now)
	l := locale.For("fr")
	euros := func(c civil.Cents) string { return strings.Join(strings.Fields(l.Euros(c)), " ") }
	var owed, paid civil.Cents
	err := d.db.QueryRow(context.Background(), `
		SELECT sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END)::bigint,
		  sum(CASE kind WHEN 'payment' THEN cents WHEN 'refund' THEN -cents ELSE 0 END)::bigint
		FROM ledger_line
		WHERE payer_id = $1`, d.family.guardian.ID).Scan(&owed, &paid)
	if err != nil {
		t.Fatal(err)
	}
	page := parent.see("/mon-espace/releve?annee=2027")
	page.has(t, "h1", "Relevé de compte 2027")
	page.has(t, "tbody", "Repas du vendredi")
	page.has(t, "tfoot", euros(owed))
	nl, _ := page.doc.Find("a[hreflang=nl]").Attr("href")
	parent.see("/mon-espace/releve"+nl).has(t, "article[lang=nl]", "Verschuldigd saldo")
	next := parent.see("/mon-espace/releve?annee=2026")
	next.has(t, "tfoot", euros(0))
	quarters := parent.see("/mon-espace/decompte?annee=2027")
	quarters.has(t, "tbody", "Léa Lambert, trimestre 2 de 2027")
	quarters.has(t, "tfoot", euros(paid))
	for _, path := range []string{"/mon-espace/releve.pdf?annee=2027", "/mon-espace/decompte.pdf?annee=2027"} {
		if !strings.HasPrefix(parent.see(path).body, "%PDF-") {
			t.Errorf("%s is no PDF", path)
		}
	}
	payer := "/gestion/finances/payeurs/" + d.family.guardian.ID.String()
	chief.see(payer+"?annee=2027").has(t, "tfoot", euros(owed))
	own := chief.see(payer + "/decompte?annee=2027")
	own.has(t, "tfoot", euros(paid))
	if own.doc.Find("a[href*='/finances/decompte/"+d.family.child.ID.String()+"']").Length() != 1 {
		t.Error("the account by quarter does not lead to the one of all payers")
	}
	chief.see(payer + ".pdf")
	chief.see(payer + "/decompte.pdf")
	if got := chief.get("/gestion/finances/payeurs/" + uuid.NewString()).StatusCode; got != http.StatusNotFound {
		t.Errorf("the account of nobody: %d", got)
	}
	if got := d.agent.get(payer).StatusCode; got != http.StatusForbidden {
		t.Errorf("an agent reads an account: %d", got)
	}
	// Who paid what together: not before each payer shares.
	together := "/gestion/finances/decompte/" + d.family.child.ID.String() + "?annee=2027"
	if got := chief.get(together).StatusCode; got != http.StatusForbidden {
		t.Errorf("together without consent: %d, want 403", got)
	}
	d.exec(`UPDATE guardianship SET shares_contact = true`)
	chief.see(together).has(t, "tbody", "payé par Sophie Lambert")
	stranger, a := d.person("autre@example.test", "Autre")
	d.bundle.family(a)
	stranger.see("/mon-espace/releve?annee=2027").has(t, "tfoot", euros(0))
}
