package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
)

// TestFinancePages reads every list of the finance officer; their sums are those of the ledger.
func TestFinancePages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	inv, _ := d.invoiced()
	chief, _ := d.person("finance@example.test", "Nadine Roi", "finance")
	d.exec(`
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		SELECT id, registration_id, payer_id, debtor_id, 'charge', 1234, 'Repas du vendredi', 'staff', 'test', $1
		FROM due`, *d.now)
	var sum civil.Cents
	if err := d.db.QueryRow(context.Background(), `
		SELECT sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END)::bigint
		FROM ledger_line`).Scan(&sum); err != nil {
		t.Fatal(err)
	}
	l := locale.For("fr")
	owed := strings.Join(strings.Fields(l.Euros(sum)), " ")
	chief.see("/gestion/finances").has(t, "tfoot", owed)
	for _, by := range []string{"payeur", "stage", "enfant"} {
		a := chief.see("/gestion/finances/montants-dus?par=" + by)
		a.has(t, "tbody", owed)
		if a.text("[aria-current=page].chip") == "" {
			t.Errorf("by %s: no tab is on", by)
		}
	}
	day := civil.DateOf(*d.now, civil.Brussels).String()
	journal := chief.see("/gestion/finances/journal?du=" + day + "&au=" + day)
	journal.has(t, "tfoot", owed)
	journal.has(t, "tbody", "Repas du vendredi")
	journal.has(t, "tbody", inv.Content.Number)
	for _, past := range []string{"/gestion/finances/journal?du=2001-01-01&au=2001-12-31", "/gestion/finances/budget?du=2001-01-01&au=2001-12-31"} {
		href, _ := chief.see(past).doc.Find(".btns a[href*='format=csv']").Attr("href")
		if n := strings.Count(chief.see(href).body, "\n"); n > 1 {
			t.Errorf("%s leads to %s, a list of %d lines, want none but the head", past, href, n)
		}
	}
	chief.see("/gestion/finances/encaissements").has(t, "tbody", "virement")
	chief.see("/gestion/finances/budget").has(t, "tbody", "sans article")
	chief.see("/gestion/finances/journal?du="+day+"&au=2000-01-01").has(t, ".error", "période")
	chief.see("/gestion/finances/journal?du=2001-01-01&au=2001-12-31").has(t, ".empty", "Aucune écriture")
	for _, document := range []string{"impayes", "journal", "encaissements", "budget", "comptabilite"} {
		a := chief.see("/gestion/finances/export/" + document + "?du=" + day + "&au=" + day)
		if !strings.HasPrefix(a.body, "PK") || !strings.Contains(a.Header.Get("Content-Disposition"), document) {
			t.Errorf("%s is %q", document, a.Header.Get("Content-Disposition"))
		}
	}
	if a := chief.see("/gestion/finances/export/comptabilite?format=csv"); !strings.HasPrefix(a.body, "\ufeffDate;") {
		t.Errorf("the CSV begins %q", a.body[:20])
	}
	for _, path := range []string{"/gestion/finances/export/registre", "/gestion/finances/export/rien"} {
		if got := chief.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, got)
		}
	}
	for _, path := range []string{"/gestion/finances", "/gestion/finances/journal", "/gestion/finances/export/journal"} {
		if got := d.agent.get(path).StatusCode; got != http.StatusForbidden {
			t.Errorf("an agent reads %s: %d", path, got)
		}
	}
}
