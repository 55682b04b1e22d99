package portal

import (
	"net/http"
	"testing"

	"ribambelle/internal/account"
)

// TestStaffLevel: staff record the level that they saw on a document; the family's declaration no longer changes it, and
// an empty form writes nothing.
func TestStaffLevel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	finance, _ := b.person("finance@example.be", "Luc Finance", account.RoleFinance)
	_, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	at := "/gestion/enfants/" + f.child.ID.String()
	b.exec(`INSERT INTO child_level (child_id, school_year, level) VALUES ($1, 2026, 'P4')`, f.child.ID)
	office.see(at).has(t, "main", "déclarée par la famille")
	bad := office.send(at+"/niveau", "school_year", "2001", "level", "P9")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("an empty form is answered %d", bad.StatusCode)
	}
	if n := bad.doc.Find("[aria-invalid=true]").Length(); n != 4 {
		t.Errorf("%d inputs are marked, want 4", n)
	}
	good := []string{"school_year", "2026", "level", "P2", "document", "Bulletin", "seen_on_day", "3", "seen_on_month", "5", "seen_on_year", "2027"}
	if got := finance.send(at+"/niveau", good...); got.StatusCode != http.StatusForbidden {
		t.Errorf("a finance officer verifies: %d", got.StatusCode)
	}
	office.send(at+"/niveau", good...).to(t, at)
	office.see(at).has(t, "main", "vérifiée")
	office.see(at).has(t, "main", "Bulletin, vu le")
	if n := b.count(`SELECT count(*) FROM child_level WHERE level = 'P2' AND source = 'verified' AND proof = 'Bulletin' AND seen_on = '2027-05-03'`); n != 1 {
		t.Error("the level is not kept with its document and day")
	}
}
